"""Who calls Portico: citizens, operators, partners, anonymous. Each logs in as a real one does, and each answer is held
against the contract. Knows the OAuth flow, and nothing of practices or payments."""
import base64
import hashlib
import re
import secrets
import time
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import requests

from . import contracts

called = set()          # operations that answered 2xx or 3xx at least once, as "service.operationId"


class Client:
    """A caller of the gateway: client.get("/dossier/v1/me"). Paths are as in the contracts, base path included."""

    def __init__(self, base_url, name, person=None):
        self.base_url, self.name, self.person = base_url, name, person or {}
        self.http = requests.Session()
        self.token = None

    @property
    def sub(self):
        return self.person["sub"]

    def get(self, path, **options):
        return self.send("GET", path, **options)

    def head(self, path, **options):
        return self.send("HEAD", path, **options)

    def post(self, path, json=None, **options):
        return self.send("POST", path, json=json, **options)

    def put(self, path, json=None, **options):
        return self.send("PUT", path, json=json, **options)

    def patch(self, path, json=None, headers=None, **options):
        return self.send("PATCH", path, json=json, headers={"Content-Type": "application/merge-patch+json"} | (headers or {}),
                         **options)

    def delete(self, path, **options):
        return self.send("DELETE", path, **options)

    def send(self, method, path, expect=None, headers=None, **options):
        """Any request; `expect` is the status that the test wants, to fail with the body at hand."""
        headers = {**self.authorization(), **(headers or {})}
        response = self.http.request(method, urljoin(self.base_url, path), headers=headers, timeout=30, allow_redirects=False,
                                     **options)
        operation = contracts.operation_for(method, urlsplit(path).path)
        if operation:
            operation.check(response, head=method == "HEAD")
            if response.status_code < 400:
                called.add(repr(operation))
        elif response.status_code not in (404, 405):
            raise contracts.ContractBroken(f"{method} {path} is in no contract and was answered {response.status_code}")
        if expect is not None:
            assert response.status_code == expect, \
                f"{self.name}: {method} {path} gave {response.status_code}, not {expect}: {response.text[:1500]}"
        return response

    def authorization(self):
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def with_token(self, token):
        """The same caller with another token: expired, tampered, narrower."""
        other = Client(self.base_url, f"{self.name} with another token", self.person)
        other.token = token
        return other


class Form(HTMLParser):
    """The first form of a page: where it goes, and its fields with their values."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields = None, {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form" and self.action is None:
            self.action = attributes.get("action") or ""
        elif tag == "input" and attributes.get("name"):
            self.fields.setdefault(attributes["name"], attributes.get("value", ""))


class Person(Client):
    """A citizen or an operator: authorization code with PKCE, through the login page of the demo provider."""

    def __init__(self, base_url, name, person, client_id, redirect_uri, scope, login_as):
        super().__init__(base_url, name, person)
        self.client_id, self.redirect_uri, self.scope, self.login_as = client_id, redirect_uri, scope, login_as
        self.expires, self.tokens = 0, {}

    def authorization(self):
        if time.time() > self.expires - 60:
            self.log_in()
        return super().authorization()

    def log_in(self):
        browser = Client(self.base_url, f"browser of {self.name}")
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        state = secrets.token_urlsafe(16)
        page = browser.get("/identity/v1/authorize", expect=None, params={
            "response_type": "code", "client_id": self.client_id, "redirect_uri": self.redirect_uri, "scope": self.scope,
            "state": state, "nonce": secrets.token_urlsafe(16), "code_challenge": challenge, "code_challenge_method": "S256"})
        while page.status_code in (302, 303) and not page.headers["Location"].startswith(self.redirect_uri):
            page = browser.get(local(page.headers["Location"]))
        if page.status_code == 200:
            form = Form(page.text)
            target = local(urljoin(page.url, form.action))
            page = browser.post(target, data={**form.fields, "person": self.login_as})
        while page.status_code in (302, 303) and not page.headers["Location"].startswith(self.redirect_uri):
            page = browser.get(local(page.headers["Location"]))
        assert page.status_code in (302, 303), f"{self.name} cannot log in: {page.status_code} {page.text[:500]}"
        answer = parse_qs(urlsplit(page.headers["Location"]).query)
        assert answer.get("state") == [state] and "code" in answer, f"{self.name} cannot log in: {answer}"
        self.take(browser.post("/identity/v1/token", expect=200, data={
            "grant_type": "authorization_code", "code": answer["code"][0], "redirect_uri": self.redirect_uri,
            "client_id": self.client_id, "code_verifier": verifier}).json())

    def take(self, tokens):
        self.tokens, self.token = tokens, tokens["access_token"]
        self.expires = time.time() + tokens["expires_in"]


class Partner(Client):
    """A partner's back end: client credentials."""

    def __init__(self, base_url, client_id, secret, tenant, scope):
        super().__init__(base_url, client_id, {"tenant": tenant})
        self.client_id, self.secret, self.scope, self.expires = client_id, secret, scope, 0

    def authorization(self):
        if time.time() > self.expires - 60:
            tokens = Client(self.base_url, self.name).post(
                "/identity/v1/token", expect=200, auth=(self.client_id, self.secret),
                data={"grant_type": "client_credentials", "scope": self.scope}).json()
            self.token, self.expires = tokens["access_token"], time.time() + tokens["expires_in"]
        return super().authorization()


def local(url):
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


@cache
def demo(section):
    """A table of deploy/demo/people.md, as dictionaries by its column names."""
    text = (contracts.ROOT / "deploy/demo/people.md").read_text()
    rows = [[cell.strip().strip("`") for cell in line.strip("|\n ").split("|")]
            for line in re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.S | re.M)[1].splitlines() if line.startswith("|")]
    return [dict(zip(rows[0], row)) for row in rows[2:]]


def find(section, **wanted):
    rows = [row for row in demo(section) if all(row[key] == value for key, value in wanted.items())]
    assert rows, f"deploy/demo/people.md has no {section.lower()} with {wanted}"
    return rows[0]
