"""What the gateway does by contract: paths, parameters, media types, levels of login, partners, documentation."""
import hashlib
import hmac
import json
import subprocess
from contextlib import contextmanager

import pytest

from support.edge import CONTRACTS, Upstream, binary
from support.waiting import eventually

ID = "0192f0a1-7c3e-7d9a-8b1e-0242ac120002"
MEASURED = f"/echo/v1/measured/{ID}?year=2026"


# ---- Parameters

RIGHT = {
    "the least": MEASURED,
    "all of them": MEASURED + "&limit=100&after=abc.DEF_~:-9&states=draft,closed&whole=true&text=ab&ratio=0.5",
    "encoded": f"/echo/v1/measured/{ID.upper().replace('A', '%41')}?y%65ar=%32026&text=a+b%2Cc%26&states=draft%2Cclosed",
    "letters beyond ASCII": MEASURED + "&text=citt%C3%A0",
    "letters beyond ASCII are counted as letters": MEASURED + "&text=" + "%C3%A0" * 700,
    "a long one": MEASURED + "&text=" + "a" * 700,
    "an ampersand at the end": MEASURED + "&",
    "a parameter without a value is as good as absent": MEASURED + "&limit",
    "the bounds": MEASURED.replace("2026", "2000"),
    "a number that is no integer": MEASURED + "&ratio=-12.5e-3",
    "what is not declared, where that is allowed": "/echo/v1/lenient?color=red&color=blue&year=2999",
}
WRONG = {
    "no uuid": ("/echo/v1/measured/7?year=2026", [("id", "path", "minLength"), ("id", "path", "format")]),
    "a uuid with a letter beyond f": (f"/echo/v1/measured/{ID[:-1]}g?year=2026", [("id", "path", "format")]),
    "not declared": (MEASURED + "&color=red", [("color", "query", "unknown")]),
    "not declared, without a value": (MEASURED + "&color", [("color", "query", "unknown")]),
    "not declared by its case": (MEASURED + "&Limit=1", [("Limit", "query", "unknown")]),
    "an empty name": (MEASURED + "&=1", [("", "query", "unknown")]),
    "an empty part": (MEASURED + "&&limit=1", [("", "query", "unknown")]),
    "repeated": (MEASURED + "&limit=1&limit=1", [("limit", "query", "repeated")]),
    "repeated under another spelling": (MEASURED + "&%79ear=2026", [("year", "query", "repeated")]),
    "missing": (f"/echo/v1/measured/{ID}", [("year", "query", "required")]),
    "missing its value": (f"/echo/v1/measured/{ID}?year", [("year", "query", "required")]),
    "empty": (MEASURED + "&limit=", [("limit", "query", "type")]),
    "below": (MEASURED + "&limit=0", [("limit", "query", "minimum")]),
    "above": (MEASURED + "&limit=101", [("limit", "query", "maximum")]),
    "no integer": (MEASURED + "&limit=1.0", [("limit", "query", "type")]),
    "a leading zero": (MEASURED + "&limit=07", [("limit", "query", "type")]),
    "a plus sign": (MEASURED + "&limit=%2B7", [("limit", "query", "type")]),
    "larger than any integer": (MEASURED + "&limit=" + "9" * 30, [("limit", "query", "type")]),
    "no boolean": (MEASURED + "&whole=True", [("whole", "query", "type")]),
    "no such value": (MEASURED + "&states=draft,open", [("states", "query", "enum")]),
    "too many items": (MEASURED + "&states=draft,closed,draft", [("states", "query", "maxItems")]),
    "an empty item": (MEASURED + "&states=draft,", [("states", "query", "enum")]),
    "no item": (MEASURED + "&states=", [("states", "query", "minItems")]),
    "too short": (MEASURED + "&text=a", [("text", "query", "minLength")]),
    "too short, counted as letters": (MEASURED + "&text=%C3%A0", [("text", "query", "minLength")]),
    "too long": (MEASURED + "&text=" + "a" * 701, [("text", "query", "maxLength")]),
    "against its pattern": (MEASURED + "&after=a%20b", [("after", "query", "pattern")]),
    "no number": (MEASURED + "&ratio=1e", [("ratio", "query", "type")]),
    "several": ("/echo/v1/measured/7?limit=0&color=red&after=%3B", [
        ("color", "query", "unknown"), ("id", "path", "minLength"), ("id", "path", "format"), ("limit", "query", "minimum"),
        ("after", "query", "pattern"), ("year", "query", "required")]),
    "declared, where others are ignored": ("/echo/v1/lenient?color=red&year=1999", [("year", "query", "minimum")]),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_parameters(gateway, upstream, name):
    assert gateway.ask("GET", RIGHT[name]).status == 200
    assert upstream.seen[0]["path"] == RIGHT[name]


@pytest.mark.parametrize("name", WRONG)
def test_wrong_parameters(gateway, upstream, name):
    target, expected = WRONG[name]
    answer = gateway.ask("GET", target)
    assert (answer.status, answer.slug) == (400, "invalid-request")
    errors = answer.json()["errors"]
    assert [(error["parameter"], error["in"], error["code"]) for error in errors] == expected
    assert answer.json()["detail"] == f"The request breaks the contract in {len(errors)} place{'s' * (len(errors) != 1)}."
    assert answer.json()["instance"] == target.partition("?")[0] and not upstream.seen


@pytest.mark.parametrize("query", ["&text=%zz", "&te%xt=ab", "&text=ab%4", "&limit=1%", "&text=%C3%28"])
def test_queries_with_two_readings(gateway, upstream, query):
    assert gateway.ask("GET", MEASURED + query).slug == "malformed-request"
    assert not upstream.seen


def test_header_parameters(gateway):
    assert gateway.ask("GET", MEASURED, {"if-match": '"7"'}).status == 200
    for value, code in (("", "minLength"), ('"12345678"', "maxLength")):
        answer = gateway.ask("GET", MEASURED, {"If-Match": value})
        assert [(error["parameter"], error["in"], error["code"]) for error in answer.json()["errors"]] == [("If-Match", "header", code)]


def test_the_right_to_call_comes_first(gateway, token):
    """Who may not call learns nothing of what the contract asks for."""
    assert gateway.ask("GET", "/echo/v1/things/7?color=red").status == 401
    assert gateway.ask("GET", "/echo/v1/things/7?color=red", token=token(scope="messages")).status == 403
    assert gateway.ask("GET", "/echo/v1/things/7?color=red", token=token()).status == 400


# ---- Media types

@pytest.mark.parametrize("accept, status", [
    (None, 200), ("*/*", 200), ("application/json", 200), ("text/*;q=0.5", 200), ("nonsense", 200), ("", 200),
    ("text/html", 406), ("application/problem+json", 406), ("*/*;q=0", 406)])
def test_accept(gateway, upstream, accept, status):
    answer = gateway.ask("GET", "/echo/v1/typed", {} if accept is None else {"Accept": accept})
    assert answer.status == status
    if status == 406:
        assert answer.slug == "not-acceptable" and not upstream.seen


def test_accept_in_several_fields(gateway):
    with gateway.wire() as wire:
        ask = "GET /echo/v1/typed HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nAccept: "
        assert wire.send(ask + "image/png\r\n\r\n").answer().status == 406
        assert wire.send(ask + "text/csv\r\n\r\n").answer().status == 200


def test_accept_where_there_is_nothing_to_choose_from(gateway):
    assert gateway.ask("GET", "/echo/v1/open", {"Accept": "text/html"}).status == 200


# ---- Paths

def test_sibling_operations_stay_invisible(gateway, token):
    """Also where a more general path would take them."""
    assert gateway.ask("GET", "/echo/v1/secret", token=token()).slug == "not-found"
    assert gateway.ask("GET", "/echo/v1/things/hidden", token=token()).slug == "not-found"
    assert gateway.ask("GET", "/echo/v1/things/visible", token=token()).status == 200
    assert gateway.ask("OPTIONS", "/echo/v1/things/hidden").slug == "not-found"


def test_two_contracts_that_claim_the_same_paths(bench):
    twin = (bench.folder / "echo.yaml").read_text().replace("/echo/v1", "/echo")
    (bench.folder / "twin.yaml").write_text(twin)
    upstream = f"127.0.0.1:{bench.upstream.port}"
    try:
        refused = bench.start(PORTICO_UPSTREAMS=f"echo={upstream},twin={upstream}")
        assert refused.process.wait(timeout=10) == 78
        assert refused.log.read_text() == "echo and twin claim the same paths: /echo/v1 and /echo\n"
    finally:
        (bench.folder / "twin.yaml").unlink()


# ---- Levels of login

LEVEL = "https://www.spid.gov.it/SpidL"


@pytest.mark.parametrize("acr, status", [(LEVEL + "2", 200), (LEVEL + "3", 200), (LEVEL + "1", 401), (None, 401), ("", 401), ("2", 401),
                                         (LEVEL, 401), (LEVEL + "4", 401), (LEVEL + "22", 401), ("x" + LEVEL + "3", 401)])
def test_level_of_the_login(gateway, token, acr, status):
    answer = gateway.ask("GET", "/echo/v1/sure", token=token(acr=acr) if acr != "" else token())
    assert answer.status == status
    if status == 401:
        assert answer.slug == "insufficient-user-authentication"
        assert answer["WWW-Authenticate"] == (
            'Bearer error="insufficient_user_authentication", error_description="this operation needs a login of a higher level", '
            f'acr_values="{LEVEL}2 {LEVEL}3"')


def test_level_is_asked_for_after_the_scope_and_of_persons_only(gateway, token):
    assert gateway.ask("GET", "/echo/v1/sure", token=token(scope="messages", acr=LEVEL + "1")).status == 403
    partner = token(kind="partner", sub=None, tenant="c_a944", client_id="acquedotto", scope="partner:practices")
    assert gateway.ask("GET", "/echo/v1/sure", token=partner).status == 200


@pytest.mark.parametrize("was, wrong", [("SpidL2'", "SpidL4'"), ("security: [{portico: [practices]}, {portico: ['partner:practices']}], x-min",
                                                                    "security: [], x-min")])
def test_a_level_that_cannot_be_kept_is_refused(bench, tmp_path, was, wrong):
    for contract in bench.folder.glob("*.yaml"):
        (tmp_path / contract.name).write_text(contract.read_text().replace(was, wrong))
    checked = check(bench, PORTICO_CONTRACTS=str(tmp_path))
    assert checked.returncode == 78
    assert checked.stderr.startswith("echo.yaml: 'x-min-acr' of showSure must be one of https://www.spid.gov.it/SpidL1 ")


# ---- Partners

PARTNER_KEY = "7" * 40
METER = "/c_a944/acqua/v1/meters/42"


def check(bench, **settings):
    """gateway --check with these settings."""
    environment = {"PORTICO_UPSTREAMS": f"echo=127.0.0.1:{bench.upstream.port}", "PORTICO_CONTRACTS": str(bench.folder),
                   "PORTICO_CALLER_KEY": bench.caller_key, **settings}
    return subprocess.run([binary(), "--check"], env=environment, capture_output=True, text=True)


@pytest.fixture
def utility(bench):
    """The partner's own back end."""
    utility = Upstream(bench.keys)
    yield utility
    utility.close()


@pytest.fixture
def partners(bench, tmp_path, utility):
    """A folder of contracts with that of the partner, and a gateway that serves it."""
    class Partners:
        contracts, keys = tmp_path / "openapi", tmp_path / "keys"

        def drop(self, name="acqua", **changes):
            text = (CONTRACTS / "partners/acqua.yaml").read_text().replace("UPSTREAM", f"'127.0.0.1:{utility.port}'")
            for was, now in changes.get("changed", {}).items():
                assert was in text
                text = text.replace(was, now)
            (self.contracts / f"partners/{name}.yaml").write_text(text)

        def key(self, name="acqua", key=PARTNER_KEY):
            (self.keys / f"{name}.key").write_text(key + "\n")

        @property
        def settings(self):
            return {"PORTICO_CONTRACTS": str(self.contracts), "PORTICO_PARTNER_KEYS": str(self.keys)}

        def reload(self, gateway, says):
            """Reloads, and waits for what the log then has to say; gives the line."""
            def lines():
                return [line for line in gateway.log.read_text().splitlines() if says in line]
            before = len(lines())
            gateway.reload()
            eventually(lambda: len(lines()) > before)
            return json.loads(lines()[-1])

        @contextmanager
        def gateway(self, **settings):
            with bench.gateway(**{**self.settings, **settings}) as gateway:
                yield gateway

    (tmp_path / "openapi/partners").mkdir(parents=True)
    (tmp_path / "keys").mkdir()
    for contract in bench.folder.glob("*.yaml"):
        (tmp_path / "openapi" / contract.name).write_text(contract.read_text())
    partners = Partners()
    partners.drop()
    partners.key()
    return partners


def signed(request, key):
    """Whether what a back end got was signed with the key."""
    headers = dict(request["headers"])
    stamp, mac = headers["Portico-Signature"].removeprefix("t=").split(",v=")
    text = f"{headers['Portico-Caller']}\n{request['method']}\n{request['path'].partition('?')[0]}\n{stamp}"
    return hmac.compare_digest(mac, hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest())


def test_partner_is_served_under_its_tenant(partners, utility, upstream, bench, token):
    bench.upstream.seen.clear()
    with partners.gateway() as gateway:
        answer = gateway.ask("GET", METER + "?limit=3", {"X-Request-Id": "meter-1"}, token=token())
        assert answer.status == 200 and answer["X-Request-Id"] == "meter-1"
        request = utility.seen[0]
        assert request["path"] == METER + "?limit=3" and not upstream.seen
        assert utility.looked_at_as == {dict(request["headers"])["Host"]} == {f"127.0.0.1:{utility.port}"}
        assert signed(request, PARTNER_KEY) and not signed(request, bench.caller_key)
        assert json.loads(dict(request["headers"])["Portico-Caller"])["kind"] == "citizen"
        assert gateway.ask("GET", "/c_a944/acqua/v1/meters/x", token=token()).slug == "invalid-request"
        assert gateway.ask("DELETE", METER, token=token())["Allow"] == "GET, HEAD"
        assert gateway.ask("GET", "/c_a944/acqua/v1/hidden", token=token()).slug == "not-found"
        assert gateway.ask("GET", METER).status == 401
        line = next(line for line in gateway.requests_logged() if line["requestId"] == "meter-1")
        assert (line["operation"], line["path"]) == ("acqua.showMeter", METER)


def test_partner_is_of_its_tenant(partners, token):
    desk = {"kind": "operator", "scope": "desk:practices"}
    machine = {"kind": "partner", "scope": "partner:practices", "sub": None}
    with partners.gateway() as gateway:
        assert gateway.ask("GET", METER, token=token()).status == 200
        for caller in (desk, machine):
            assert gateway.ask("GET", METER, token=token(tenant="c_a944", **caller)).status == 200
            assert gateway.ask("GET", METER, token=token(tenant="c_a662", **caller)).slug == "forbidden"
        assert gateway.ask("GET", "/c_a944/acqua/v1/tariffs").status == 200


def test_partner_gets_no_credentials_and_makes_no_claims(partners, utility, token):
    utility.script = lambda connection, request: connection.send(
        200, b"<script>", Set_Cookie="login=1; Path=/", Strict_Transport_Security="max-age=0", X_Own="1",
        WWW_Authenticate='Basic realm="Your password for the municipality"')
    with partners.gateway() as gateway:
        answer = gateway.ask("GET", METER, {"Cookie": "login=secret", "X-Mine": "1"}, token=token())
        assert answer["Set-Cookie"] is None and answer["Strict-Transport-Security"] is None and answer["X-Own"] == "1"
        assert answer["WWW-Authenticate"] is None, "a browser would ask for a password in our name"
        assert answer["Content-Security-Policy"] == "sandbox" and answer["X-Content-Type-Options"] == "nosniff"
        gateway.ask("GET", "/c_a944/acqua/v1/tariffs", {"Authorization": "Basic c2VjcmV0"})
        for request in utility.seen:
            names = {name.lower() for name, value in request["headers"]}
            assert not names & {"cookie", "authorization"}
        assert ("X-Mine", "1") in utility.seen[0]["headers"]


def test_partner_that_is_not_told_who_calls(partners, utility, token):
    (partners.keys / "acqua.key").unlink()
    partners.drop(changed={"x-tenant": "x-caller: none\nx-tenant"})
    with partners.gateway() as gateway:
        assert gateway.ask("GET", METER, {"Portico-Caller": "{}"}, token=token()).status == 200
        assert not [name for name, value in utility.seen[0]["headers"] if name in ("Portico-Caller", "Portico-Signature")]


def test_partner_that_is_down_takes_nothing_else_down(partners, utility, token):
    utility.close()
    with partners.gateway() as gateway:
        assert gateway.ask("GET", METER, token=token()).slug == "unavailable"
        assert gateway.ask("GET", "/readyz").status == 200 and gateway.ask("GET", "/status").status == 200
        assert gateway.ask("GET", "/readyz").json()["upstreams"] == {"echo": True, "partners/acqua": False}


def test_partner_comes_and_goes_with_a_reload(partners, token):
    (partners.contracts / "partners/acqua.yaml").unlink()
    with partners.gateway() as gateway:
        assert gateway.ask("GET", METER, token=token()).slug == "not-found"
        partners.drop()
        partners.reload(gateway, "contracts are reloaded")
        assert gateway.ask("GET", METER, token=token()).status == 200
        partners.drop("gas", changed={"/c_a944/acqua/v1": "/gas/v1"})
        refused = partners.reload(gateway, "the reload is refused")
        assert refused["reason"] == f"{partners.contracts}/partners/gas.yaml#/servers: the base path /gas/v1 does not begin with /c_a944/"
        assert gateway.ask("GET", METER, token=token()).status == 200
        (partners.contracts / "partners/gas.yaml").unlink()
        (partners.contracts / "partners/acqua.yaml").unlink()
        partners.reload(gateway, "contracts are reloaded")
        assert gateway.ask("GET", METER, token=token()).slug == "not-found"


REFUSED = {
    "no tenant": ({"x-tenant: c_a944\n": ""}, "#/x-tenant: must be the tenant whose back end it is, by IPA code, like c_a944"),
    "no such tenant": ({"x-tenant: c_a944": "x-tenant: Bologna!"}, "#/x-tenant: must be the tenant whose back end it is, by IPA code, like c_a944"),
    "under another tenant": ({"/c_a944/acqua": "/c_a662/acqua"}, "#/servers: the base path /c_a662/acqua/v1 does not begin with /c_a944/"),
    "under what only begins like its tenant": ({"/c_a944/acqua": "/c_a9440/acqua"},
                                               "#/servers: the base path /c_a9440/acqua/v1 does not begin with /c_a944/"),
    "a whole tenant": ({"/c_a944/acqua/v1": "/c_a944"}, "#/servers: the base path /c_a944 does not begin with /c_a944/"),
    "no upstream": ({"x-upstream": "x-downstream"}, "#/x-upstream: must list the addresses, [host:port, …]"),
    "a wrong upstream": ({"x-upstream: [": "x-upstream: [nowhere, "}, "#/x-upstream: entry 1 is not host:port or https://host:port like the others, or one too many"),
    "an unknown caller": ({"x-tenant": "x-caller: full\nx-tenant"}, "#/x-caller: can only be none: no Portico-Caller for this back end"),
    "no YAML": ({"paths:": "paths"}, None),
    "an unknown scope": ({"[practices]": "[practises]"}, "#/paths/~1meters~1{meterId}/get/security: unknown scope 'practises' of 'portico'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_partners_are_refused(bench, partners, name):
    changed, reason = REFUSED[name]
    partners.drop(changed=changed)
    checked = check(bench, **partners.settings)
    assert checked.returncode == 78 and checked.stdout == ""
    place = f"{partners.contracts}/partners/acqua.yaml"
    assert checked.stderr == f"{place}{reason}\n" if reason else checked.stderr.startswith(place)


def test_keys_of_partners(bench, partners):
    place, key = f"{partners.contracts}/partners/acqua.yaml", f"{partners.keys}/acqua.key"
    for write, reason in [
            (lambda: partners.key(key="short"), f"its key {key} must have 32 to 256 characters"),
            (lambda: partners.key(key="x" * 300), f"its key {key} must have 32 to 256 characters"),
            (lambda: partners.key(key=bench.caller_key), f"its key {key} is that of our own services"),
            (lambda: (partners.keys / "acqua.key").unlink(), f"its key {key} cannot be read: No such file or directory")]:
        write()
        assert check(bench, **partners.settings).stderr == f"{place}: {reason}\n"
    settings = {**partners.settings, "PORTICO_PARTNER_KEYS": ""}
    assert check(bench, **settings).stderr == f"{place}: has no key, since PORTICO_PARTNER_KEYS names no folder of keys\n"


def test_names_of_partners(bench, partners):
    partners.drop("Acqua_2")
    assert check(bench, **partners.settings).stderr == (
        f"{partners.contracts}/partners/Acqua_2.yaml: is called by 40 small letters, digits and hyphens at most\n")


def test_two_partners_that_claim_the_same_paths(bench, partners):
    partners.drop("acquedotto")
    partners.key("acquedotto")
    assert check(bench, **partners.settings).stderr == (
        "partners/acqua and partners/acquedotto claim the same paths: /c_a944/acqua/v1 and /c_a944/acqua/v1\n")


def test_check_prints_partners(bench, partners):
    checked = check(bench, **partners.settings)
    assert checked.returncode == 0 and checked.stderr == ""
    line = next(line for line in checked.stdout.splitlines() if "showMeter" in line)
    assert line.split()[:4] == ["GET", "/c_a944/acqua/v1/meters/{meterId}", "partners/acqua", "showMeter"]
    assert "back end of c_a944" in line
    assert any("showSure" in line and "login of level 2" in line for line in checked.stdout.splitlines())


# ---- The contracts as they are served

def test_contracts_are_shown(partners):
    with partners.gateway() as gateway:
        listed = {item["name"]: item for item in gateway.ask("GET", "/openapi").json()["items"]}
        assert list(listed) == ["echo", "partners/acqua", "gateway"]
        assert listed["partners/acqua"] == {"name": "partners/acqua", "title": "Acqua", "version": "2.1.0", "basePath": "/c_a944/acqua/v1",
                                            "href": "/openapi/partners-acqua.json", "tenant": "c_a944"}
        assert "tenant" not in listed["echo"]
        for item in listed.values():
            assert gateway.ask("GET", item["href"]).json()["info"]["version"] == item["version"]
        assert gateway.ask("GET", "/openapi/nothing.json").slug == "not-found"
        assert gateway.ask("GET", "/openapi/partners/acqua.json").slug == "not-found"
        assert gateway.ask("GET", "/openapi/acqua.json").slug == "not-found"
        assert gateway.ask("HEAD", "/openapi/echo.json").status == 200


def test_contracts_are_shown_without_what_is_internal(partners, utility):
    with partners.gateway() as gateway:
        acqua = gateway.ask("GET", "/openapi/partners-acqua.json")
        assert str(utility.port) not in acqua.body.decode()
        assert "x-upstream" not in acqua.json() and acqua.json()["x-tenant"] == "c_a944"
        assert set(acqua.json()["paths"]) == {"/meters/{meterId}", "/tariffs"}
        assert set(acqua.json()["paths"]["/meters/{meterId}"]) == {"parameters", "get"}
        assert "/secret" not in gateway.ask("GET", "/openapi/echo.json").json()["paths"]


def test_references_between_shown_contracts_lead_somewhere(partners):
    def references(node):
        if isinstance(node, dict):
            yield from [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else []:
            yield from references(inner)

    with partners.gateway() as gateway:
        for href in ("/openapi/echo.json", "/openapi/partners-acqua.json"):
            outside = {ref for ref in references(gateway.ask("GET", href).json()) if not ref.startswith("#")}
            assert outside and all(ref.startswith("./common.json#/") for ref in outside)
            for ref in outside:
                node = gateway.ask("GET", "/openapi/common.json").json()
                for part in ref.partition("#/")[2].split("/"):
                    node = node[part]


def test_list_contracts(anonymous):
    """On the whole suite."""
    items = anonymous.get("/openapi", expect=200).json()["items"]
    assert {"identity", "dossier", "payments", "notifications", "booking", "protocol", "gateway"} <= {item["name"] for item in items}


def test_show_contract(anonymous):
    for name in ("dossier", "common"):
        assert anonymous.get(f"/openapi/{name}.json", expect=200).json()["openapi"] == "3.0.3"
    paths = anonymous.get("/openapi/dossier.json", expect=200).json()["paths"]
    assert "/practices" in paths
    anonymous.get("/openapi/nothing.json", expect=404)
