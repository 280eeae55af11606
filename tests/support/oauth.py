"""A browser in the middle of a login, and what the authorization server answers. For tests that go through the protocol step by step,
as honest clients and as attackers do; who only wants a token takes clients.Person."""
import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from urllib.parse import parse_qs, urlsplit

import jwt
import requests

from . import clients, contracts

AREA_SCOPES = "openid profile practices offline_access"
ANNA = "BNCNNA85C52A944U"


def challenge_of(verifier):
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def answer_of(response):
    """What a redirect tells the client."""
    assert response.status_code == 302, f"{response.status_code} {response.text[:300]}"
    return {name: values[0] for name, values in parse_qs(urlsplit(response.headers["Location"]).query).items()}


class Browser(clients.Client):
    """A browser in the middle of a login, step by step."""

    def __init__(self, stack, client_id="demo-area", path="/demo/callback"):
        super().__init__(stack.url(), "a browser")
        self.client_id, self.redirect_uri = client_id, stack.url() + path
        self.verifier = secrets.token_urlsafe(48)
        self.state, self.nonce = secrets.token_urlsafe(8), secrets.token_urlsafe(8)

    def authorize(self, **changed):
        wanted = {"client_id": self.client_id, "redirect_uri": self.redirect_uri, "response_type": "code", "scope": AREA_SCOPES,
                  "state": self.state, "nonce": self.nonce, "code_challenge": challenge_of(self.verifier),
                  "code_challenge_method": "S256"} | changed
        return self.get("/identity/v1/authorize", params={name: value for name, value in wanted.items() if value is not None})

    def begin(self, **changed):
        response = self.authorize(**changed)
        assert response.headers.get("Location", "").split("?")[0].endswith("/demo-provider"), response.headers.get("Location")
        self.request = answer_of(response)["request"]
        return self

    def page(self):
        return self.get("/identity/v1/demo-provider", params={"request": self.request})

    def csrf(self):
        return re.search('name="csrf" value="([^"]+)"', self.page().text)[1]

    def choose(self, person, **changed):
        form = {"request": self.request, "csrf": None, "person": person} | changed
        if form["csrf"] is None:
            form["csrf"] = self.csrf()
        return self.post("/identity/v1/demo-provider", data={name: value for name, value in form.items() if value is not None})

    def code(self, person=ANNA, **changed):
        self.begin(**changed)
        return answer_of(self.choose(person))["code"]

    def redeem(self, given, **changed):
        form = {"grant_type": "authorization_code", "client_id": self.client_id, "code": given, "redirect_uri": self.redirect_uri,
                "code_verifier": self.verifier} | changed
        return self.post("/identity/v1/token", data={name: value for name, value in form.items() if value is not None})

    def refresh(self, token, **changed):
        return self.post("/identity/v1/token", data={"grant_type": "refresh_token", "client_id": self.client_id,
                                                     "refresh_token": token} | changed)

    def tokens(self, person=ANNA, **changed):
        response = self.redeem(self.code(person, **changed))
        assert response.status_code == 200, response.text
        return response.json()


def refused(response, error, status=400):
    assert (response.status_code, response.json()["error"]) == (status, error), response.text


def seen_from_inside(token):
    return jwt.decode(token, options={"verify_signature": False})


def sibling(stack):
    """A sibling service, which calls identity directly with the shared key: a function that gets a path."""
    key = (stack.state / "secrets/caller-key").read_bytes().strip()

    def get(path, tenant="c_a944", **params):
        caller = json.dumps({"kind": "service", "client": "notifications", "scope": "service", "tenant": tenant})
        stamp = int(time.time())
        mac = hmac.new(key, f"{caller}\nGET\n{path}\n{stamp}".encode(), hashlib.sha256).hexdigest()
        response = requests.get(stack.url("identity") + path, params=params, timeout=10,
                                headers={"Portico-Caller": caller, "Portico-Signature": f"t={stamp},v={mac}"})
        response.headers["X-Request-Id"] = "the gateway adds it"
        contracts.operation_for("GET", path).check(response)
        return response
    return get
