"""How clients prove themselves by their key, and push their requests; and all the ways in which neither works."""
import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from support.oauth import Browser, answer_of, challenge_of, refused, seen_from_inside

BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EC, RSA = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)


def public(key, kid, **more):
    kind = jwt.algorithms.ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else jwt.algorithms.RSAAlgorithm
    return json.loads(kind.to_jwk(key.public_key())) | {"kid": kid, "use": "sig"} | more


@contextmanager
def registered(stack, kind="partner", keys=(), scopes="partner:positions", **columns):
    """A client of its own, gone at the end."""
    name = "prova-" + secrets.token_hex(4)
    columns = {"tenant_id": "c_a944", "id": name, "name": "Prova", "kind": kind, "scopes": "{%s}" % scopes} | columns
    if keys:
        columns["jwks"] = json.dumps({"keys": list(keys)})
    stack.sql("identity", "INSERT INTO clients (%s) VALUES (%s)" % (", ".join(columns), ", ".join(f"'{v}'" for v in columns.values())))
    try:
        yield name
    finally:
        stack.sql("identity", f"DELETE FROM clients WHERE id = '{name}'")


@pytest.fixture
def keyed(stack):
    with registered(stack, keys=[public(EC, "e"), public(RSA, "r")]) as name:
        yield name


@pytest.fixture
def issuer(stack):
    return stack.url() + "/identity/v1"


def assertion(client, issuer, key=EC, kid="e", algorithm="ES256", header=None, **changed):
    now = int(time.time())
    claims = {"iss": client, "sub": client, "aud": issuer, "jti": secrets.token_hex(8), "iat": now, "exp": now + 60} | changed
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, key, algorithm=algorithm,
                      headers={"kid": kid} | (header or {}))


def ask(caller, proof, **form):
    return caller.post("/identity/v1/token", data={"grant_type": "client_credentials", "client_assertion_type": BEARER,
                                                   "client_assertion": proof} | form)


@pytest.mark.parametrize("key, kid, algorithm", [(EC, "e", "ES256"), (RSA, "r", "RS256"), (RSA, "r", "PS256")])
def test_client_proves_itself_by_its_key(anonymous, keyed, issuer, key, kid, algorithm):
    answer = ask(anonymous, assertion(keyed, issuer, key, kid, algorithm))
    assert answer.status_code == 200 and seen_from_inside(answer.json()["access_token"])["client_id"] == keyed
    own = answer.json()["access_token"]
    told = anonymous.post("/identity/v1/introspect", expect=200, data={
        "token": own, "client_id": keyed, "client_assertion_type": BEARER, "client_assertion": assertion(keyed, issuer, aud=[issuer])})
    assert told.json()["active"] is True


def test_assertion_is_good_once(anonymous, keyed, issuer):
    proof = assertion(keyed, issuer)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(anonymous, proof).status_code, range(8)))
    assert sorted(answers) == [200] + 7 * [401]
    assert "used before" in ask(anonymous, proof).json()["error_description"]


@pytest.mark.parametrize("changed", [
    {"iss": "acquedotto"}, {"iss": None}, {"sub": "acquedotto"}, {"sub": None}, {"aud": "https://other.example"}, {"aud": None},
    {"aud": "{issuer}/token"}, {"aud": ["{issuer}", "https://other.example"]}, {"aud": []}, {"exp": -1}, {"exp": None}, {"exp": 3600},
    {"exp": "soon"}, {"nbf": 600}, {"iat": 600}, {"jti": None}, {"jti": ""}, {"jti": "x" * 201}, {"kid": "r"}, {"kid": "nobody"},
    {"algorithm": "none", "key": None}, {"algorithm": "HS256", "key": "x" * 32}, {"key": ec.generate_private_key(ec.SECP256R1())},
    {"key": RSA, "kid": "e", "algorithm": "RS256"}, {"header": {"crit": ["x"]}}], ids=str)
def test_assertion_that_is_not_right_proves_nothing(anonymous, keyed, issuer, changed):
    place = lambda value: [place(each) for each in value] if isinstance(value, list) else \
        value.format(issuer=issuer) if isinstance(value, str) and "{" in value else value
    changed = {name: int(time.time()) + value if name in ("exp", "nbf", "iat") and isinstance(value, int) else place(value)
               for name, value in changed.items()}
    refused(ask(anonymous, assertion(keyed, issuer, **changed)), "invalid_client", 401)


def test_public_key_is_no_secret(anonymous, keyed, issuer):
    """Algorithm confusion: HMAC under the client's public key, whatever its form."""
    import base64
    import hashlib
    import hmac
    from cryptography.hazmat.primitives import serialization
    encode = lambda part: base64.urlsafe_b64encode(part).rstrip(b"=").decode()
    pem = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _, payload, _ = assertion(keyed, issuer).split(".")
    for secret in (pem, pem.strip(), json.dumps(public(RSA, "r")).encode()):
        head = encode(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "r"}).encode())
        mac = hmac.new(secret, f"{head}.{payload}".encode(), hashlib.sha256).digest()
        refused(ask(anonymous, f"{head}.{payload}.{encode(mac)}"), "invalid_client", 401)


def test_key_pins_its_algorithm(anonymous, stack, issuer):
    with registered(stack, keys=[public(RSA, "r", alg="PS256")]) as name:
        refused(ask(anonymous, assertion(name, issuer, RSA, "r", "RS256")), "invalid_client", 401)
        assert ask(anonymous, assertion(name, issuer, RSA, "r", "PS256")).status_code == 200


@pytest.mark.parametrize("key", [
    public(rsa.generate_private_key(65537, 1024), "k"), public(EC, "k") | {"x": "AAAA"}, public(EC, "k") | {"crv": "P-384"},
    public(EC, "k") | {"y": public(EC, "k")["x"]}, {"kid": "k"}, public(EC, "k", alg="none"), public(EC, "k") | {"use": "enc"}], ids=str)
def test_unfit_key_proves_nothing(anonymous, stack, issuer, key):
    with registered(stack, keys=[key]) as name:
        for own, algorithm in ((EC, "ES256"), (RSA, "RS256")):
            refused(ask(anonymous, assertion(name, issuer, own, "k", algorithm)), "invalid_client", 401)


def test_client_with_keys_has_no_other_proof(anonymous, keyed, issuer):
    refused(anonymous.post("/identity/v1/token", data={"grant_type": "client_credentials", "client_id": keyed}), "invalid_client", 401)
    refused(anonymous.post("/identity/v1/token", auth=(keyed, ""), data={"grant_type": "client_credentials"}), "invalid_client", 401)
    refused(ask(anonymous, assertion(keyed, issuer), client_id="acquedotto"), "invalid_client", 401)
    refused(ask(anonymous, assertion(keyed, issuer), client_secret="x"), "invalid_request")
    refused(ask(anonymous, assertion(keyed, issuer), client_assertion_type="saml2-bearer"), "invalid_request")
    refused(ask(anonymous, "x.y.z"), "invalid_client", 401)


def test_client_without_keys_cannot_bring_one(anonymous, issuer):
    """The key in the header (jwk, x5c) is not the client's."""
    proof = assertion("acquedotto", issuer, header={"jwk": public(EC, "e")})
    refused(ask(anonymous, proof), "invalid_client", 401)


# ---- pushed authorization requests

def parameters(browser, **changed):
    return {"response_type": "code", "redirect_uri": browser.redirect_uri, "scope": "openid practices", "state": browser.state,
            "nonce": browser.nonce, "code_challenge": challenge_of(browser.verifier), "code_challenge_method": "S256",
            "client_id": browser.client_id} | changed


def test_push_request_and_log_in(stack):
    browser = Browser(stack)
    pushed = browser.post("/identity/v1/par", data=parameters(browser), expect=201)
    assert pushed.headers["Cache-Control"] == "no-store" and pushed.json()["expires_in"] == 60
    go = lambda: browser.get("/identity/v1/authorize", params={
        "client_id": "demo-area", "request_uri": pushed.json()["request_uri"], "scope": "payments", "state": "another"})
    browser.request = answer_of(go())["request"]
    answer = answer_of(browser.choose("BNCNNA85C52A944U"))
    assert answer["state"] == browser.state, "what the browser adds does not count"
    tokens = browser.redeem(answer["code"]).json()
    assert tokens["scope"] == "openid practices"
    again = go()
    assert again.status_code == 400 and "Location" not in again.headers, "a pushed request is good once"


def test_pushed_request_is_of_one_client_and_expires(stack):
    browser = Browser(stack)
    push = lambda: browser.post("/identity/v1/par", data=parameters(browser), expect=201).json()["request_uri"]
    go = lambda **query: browser.get("/identity/v1/authorize", params={"client_id": "demo-area"} | query)
    for query in ({"client_id": "demo-desk", "request_uri": push()}, {"request_uri": push() + "x"},
                  {"request_uri": "urn:ietf:params:oauth:request_uri:"}):
        answer = go(**query)
        assert answer.status_code == 400 and "Location" not in answer.headers
    late = push()
    stack.sql("identity", "UPDATE pushed_requests SET expires_at = now()")
    assert go(request_uri=late).status_code == 400


@pytest.mark.parametrize("changed, error, status", [
    ({"redirect_uri": "https://evil.example/"}, "invalid_request", 400), ({"redirect_uri": None}, "invalid_request", 400),
    ({"code_challenge": None}, "invalid_request", 400), ({"code_challenge_method": "plain"}, "invalid_request", 400),
    ({"state": None}, "invalid_request", 400), ({"nonce": None}, "invalid_request", 400), ({"scope": "service"}, "invalid_scope", 400),
    ({"response_type": "token"}, "unsupported_response_type", 400), ({"request": "e30.e30."}, "request_not_supported", 400),
    ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request", 400), ({"client_id": "nobody"}, "invalid_client", 401),
    ({"client_id": "acquedotto"}, "invalid_client", 401), ({"client_secret": "x"}, "invalid_client", 401)])
def test_faults_are_told_when_pushing(stack, changed, error, status):
    browser = Browser(stack)
    form = parameters(browser, **changed)
    refused(browser.post("/identity/v1/par", data={name: value for name, value in form.items() if value is not None}), error, status)


def test_client_that_must_push(stack, issuer):
    with registered(stack, kind="citizens", keys=[public(EC, "e")], scopes="openid,practices", pushes_requests="true",
                    redirect_uris="{%s/demo/callback}" % stack.url()) as name:
        browser = Browser(stack, name)
        assert answer_of(browser.authorize(scope="openid"))["error"] == "invalid_request"
        proof = lambda: {"client_assertion_type": BEARER, "client_assertion": assertion(name, issuer)}
        refused(browser.post("/identity/v1/par", data=parameters(browser)), "invalid_client", 401)
        pushed = browser.post("/identity/v1/par", data=parameters(browser) | proof(), expect=201).json()
        browser.request = answer_of(browser.get("/identity/v1/authorize", params={
            "client_id": name, "request_uri": pushed["request_uri"]}))["request"]
        code = answer_of(browser.choose("BNCNNA85C52A944U"))["code"]
        refused(browser.redeem(code), "invalid_client", 401)
        assert browser.redeem(code, **proof()).status_code == 200, "who did not prove to be the client has not burnt its code"


@pytest.mark.parametrize("missing", ["state", "nonce"])
def test_state_and_nonce_are_required(stack, missing):
    browser = Browser(stack)
    answer = answer_of(browser.authorize(**{missing: None}))
    assert answer["error"] == "invalid_request" and missing in answer["error_description"]
    assert answer_of(browser.authorize(**{missing: ""}))["error"] == "invalid_request"
    if missing == "nonce":
        assert browser.begin(nonce=None, scope="practices"), "without an id token there is nothing to bind"
