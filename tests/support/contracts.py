"""The contracts of openapi/, and the check that holds every answer against them. Knows nothing of tokens or of the domain."""
import re
from functools import cache, cached_property
from pathlib import Path

import yaml
from jsonschema import FormatChecker
from openapi_schema_validator import OAS30ReadValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("identity", "dossier", "payments", "notifications", "booking", "protocol")
CONTRACTS = (*SERVICES, "feed", "gateway")   # a program may serve more than one
METHODS = ("get", "post", "put", "patch", "delete")
UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.I)


class ContractBroken(Exception):
    """The answer is not what the contract of the operation says."""


formats = FormatChecker(("date-time", "date", "email"))
formats.checks("uuid")(lambda value: not isinstance(value, str) or bool(UUID.match(value)))


@cache
def document(file):
    text = (ROOT / "openapi" / file).read_text()
    loader = yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader
    # Dates in examples stay text, as they are in JSON.
    loader = type("Loader", (loader,), {"yaml_implicit_resolvers": {
        first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in loader.yaml_implicit_resolvers.items()}})
    return yaml.load(text, loader)


@cache
def registry():
    files = [f"{name}.yaml" for name in CONTRACTS if (ROOT / "openapi" / f"{name}.yaml").exists()] + ["common.yaml", "events.yaml"]
    return Registry().with_resources(
        (f"http://portico/{file}", Resource(contents=document(file), specification=DRAFT4)) for file in files)


def resolve(file, node):
    """Follows $ref; gives the file where the node stands and the node."""
    while isinstance(node, dict) and "$ref" in node:
        target, _, pointer = node["$ref"].partition("#")
        file = target.removeprefix("./") or file
        node = document(file)
        for part in pointer.strip("/").split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]
    return file, node


@cache
def common_slugs():
    """Those that any operation may answer: the ones that common.yaml explains in its shared answers."""
    answers = document("common.yaml")["components"]["responses"].values()
    return frozenset(slug for answer in answers for slug in re.findall(r"`([a-z]+-[a-z-]+|unauthorized|forbidden|unavailable)`",
                                                                       answer["description"]))


def violations(file, pointer_or_schema, value):
    """What is wrong with the value by that schema of that file: a list of sentences."""
    schema = localised(file, pointer_or_schema)
    validator = OAS30ReadValidator(schema, registry=registry(), format_checker=formats)
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]


def localised(file, node):
    """The schema with each local or relative $ref made absolute, so that it may be taken out of its file."""
    if isinstance(node, list):
        return [localised(file, item) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        target, _, pointer = node["$ref"].partition("#")
        return {"$ref": f"http://portico/{target.removeprefix('./') or file}#{pointer}"}
    return {key: localised(file, item) for key, item in node.items()}


class Operation:
    def __init__(self, service, base, path, method, definition, shared):
        self.service, self.file, self.method, self.definition = service, f"{service}.yaml", method.upper(), definition
        self.id, self.path = definition["operationId"], base + path
        self.pattern = re.compile("^" + re.sub(r"\{[^}]+\}", "[^/]+", self.path) + "$")
        self.literals = -self.path.count("{")
        self.parameters = [resolve(self.file, p)[1] for p in shared + definition.get("parameters", [])]

    def __repr__(self):
        return f"{self.service}.{self.id}"

    @property
    def security(self):
        """The alternatives, each a set of scopes; empty when the operation is public."""
        declared = self.definition.get("security", document(self.file).get("security", []))
        return [frozenset(scope for scopes in alternative.values() for scope in scopes) for alternative in declared]

    @cached_property
    def public(self):
        return not self.security or frozenset() in self.security

    @cached_property
    def internal(self):
        """Only for sibling services: nobody calls it through the gateway."""
        return not self.public and all("service" in alternative for alternative in self.security)

    def answer(self, status):
        declared = {str(key): value for key, value in self.definition["responses"].items()}
        for key in (str(status), f"{status // 100}XX", "default" if status >= 400 else None):
            if key in declared:
                return resolve(self.file, declared[key])
        raise ContractBroken(f"{self} answered {status}, which its contract does not declare (it has {sorted(declared)})")

    def check(self, response, head=False):
        """Raises ContractBroken unless status, media type, headers, body and problem slug are as declared."""
        file, answer = self.answer(response.status_code)
        self._check_headers(response, file, answer)
        content = answer.get("content", {})
        media_type = response.headers.get("Content-Type", "").split(";")[0].strip()
        if head:
            return
        if not content:
            if response.content:
                raise ContractBroken(f"{self} {response.status_code}: a body where none is declared: {response.text[:200]}")
            return
        declared = next((content[key] for key in (media_type, media_type.split("/")[0] + "/*", "*/*") if key in content), None)
        if declared is None:
            raise ContractBroken(f"{self} {response.status_code}: media type {media_type or 'absent'}, declared are {list(content)}")
        if media_type.endswith("json"):
            wrong = violations(file, declared.get("schema", {}), response.json())
            if wrong:
                raise ContractBroken(f"{self} {response.status_code}: {'; '.join(wrong[:5])}\n{response.text[:1000]}")
        if media_type == "application/problem+json" and response.status_code >= 400:
            self._check_slug(response)

    def _check_headers(self, response, file, answer):
        if "X-Request-Id" not in response.headers:
            raise ContractBroken(f"{self} {response.status_code}: no X-Request-Id")
        for name, header in answer.get("headers", {}).items():
            where, header = resolve(file, header)
            if name not in response.headers:
                if header.get("required"):
                    raise ContractBroken(f"{self} {response.status_code}: the header {name} is missing")
                continue
            kind = resolve(where, header.get("schema", {}))[1].get("type")
            value = response.headers[name]
            wrong = violations(where, header.get("schema", {}), int(value) if kind == "integer" and value.isdigit() else value)
            if wrong:
                raise ContractBroken(f"{self} {response.status_code}: header {name}: {wrong[0]}")

    def _check_slug(self, response):
        slug = response.json().get("type", "").removeprefix("/problems/")
        if slug not in common_slugs() | set(self.definition.get("x-problems", [])):
            raise ContractBroken(f"{self} answered the problem {slug!r}, which is neither common nor in its x-problems")
        if response.json()["status"] != response.status_code:
            raise ContractBroken(f"{self}: status {response.status_code} with a problem of status {response.json()['status']}")


@cache
def operations():
    """All operations of all contracts, the most literal path first."""
    found = []
    for service in CONTRACTS:
        file = f"{service}.yaml"
        if not (ROOT / "openapi" / file).exists():
            continue
        contract = document(file)
        base = ("/" + contract["servers"][0]["url"].split("://")[1].partition("/")[2]).rstrip("/")
        for path, item in contract["paths"].items():
            item = resolve(file, item)[1]
            found += [Operation(service, base, path, method, item[method], item.get("parameters", []))
                      for method in METHODS if method in item]
    return sorted(found, key=lambda operation: operation.literals, reverse=True)


def operation_for(method, path):
    method = "GET" if method == "HEAD" else method
    return next((o for o in operations() if o.method == method and o.pattern.match(path)), None)
