"""Identity: the authorization server as honest clients use it and as attackers do, then persons, sessions, operators."""
import base64
import hashlib
import hmac
import json
import re
import secrets
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from support import clients, contracts, oauth, portico
from support.oauth import ANNA, AREA_SCOPES, Browser, answer_of, challenge_of, refused, seen_from_inside

LUCA = "FRRLCU71L04A662B"
CHIARA = "0192f000-0000-7000-8000-000000000101"


@pytest.fixture
def browser(stack):
    return Browser(stack)


@pytest.fixture
def desk(stack):
    return Browser(stack, "demo-desk", "/demo/desk")


@pytest.fixture
def acquedotto(stack):
    row = clients.find("Clients", client_id="acquedotto")
    return clients.Client(stack.url(), "acquedotto"), ("acquedotto", row["redirect URI or secret"])


# ---- discovery, keys, tokens

def test_show_openid_configuration_and_show_server_metadata_lead_to_everything(anonymous, stack):
    metadata = anonymous.get("/identity/v1/.well-known/openid-configuration", expect=200).json()
    assert metadata["issuer"] == stack.url() + "/identity/v1"
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    flows = contracts.document("common.yaml")["components"]["securitySchemes"]["portico"]["flows"].values()
    assert set(metadata["scopes_supported"]) == {scope for flow in flows for scope in flow["scopes"]} - {"service"}
    assert {"authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"} == \
        set(metadata["grant_types_supported"])
    assert "none" not in metadata["introspection_endpoint_auth_methods_supported"] and "private_key_jwt" in metadata["token_endpoint_auth_methods_supported"]
    assert metadata["backchannel_logout_supported"] and metadata["end_session_endpoint"] and metadata["pushed_authorization_request_endpoint"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert anonymous.get("/identity/v1/.well-known/oauth-authorization-server", expect=200).json() == metadata
    assert anonymous.get(clients.local(metadata["jwks_uri"]), expect=200).json()["keys"]


def test_show_keys_that_verify_the_tokens(browser, anonymous, stack):
    tokens = browser.tokens()
    keys = {key["kid"]: jwt.PyJWK(key) for key in anonymous.get("/identity/v1/jwks.json", expect=200).json()["keys"]}
    issuer = stack.url() + "/identity/v1"

    header = jwt.get_unverified_header(tokens["access_token"])
    assert (header["alg"], header["typ"]) == ("ES256", "at+jwt")
    access = jwt.decode(tokens["access_token"], keys[header["kid"]], algorithms=["ES256"], audience="portico", issuer=issuer)
    assert access["exp"] - access["iat"] == 600 == tokens["expires_in"]
    assert (access["sub"], access["kind"], access["client_id"]) == ("0192f000-0000-7000-8000-000000000001", "citizen", "demo-area")
    assert "tenant" not in access and set(access["scope"].split()) == set(AREA_SCOPES.split())

    header = jwt.get_unverified_header(tokens["id_token"])
    identity = jwt.decode(tokens["id_token"], keys[header["kid"]], algorithms=["ES256"], audience="demo-area", issuer=issuer)
    assert (identity["nonce"], identity["sub"], identity["sid"]) == (browser.nonce, access["sub"], access["sid"])


def test_private_keys_are_sealed_in_the_database(anonymous, stack):
    anonymous.get("/identity/v1/jwks.json", expect=200)
    rows = stack.sql("identity", "SELECT state, sealed FROM signing_keys WHERE state <> 'previous'").splitlines()
    assert sorted(row.split("|")[0] for row in rows) == ["current", "next"], "the next key is published before it is used"
    for row in rows:
        sealed = base64.urlsafe_b64decode(row.split("|")[1] + "==")
        assert b"PRIVATE KEY" not in sealed and len(sealed) > 200


def test_rotation_uses_only_a_key_that_was_published(stack):
    """The statement of the task, on the real database and rolled back: a young next key does not take over, an old one does."""
    step = "SELECT rotate_signing_keys('30 days', '1 hour', '1 hour')"
    states = "SELECT string_agg(kid, ',' ORDER BY kid) FROM signing_keys WHERE state = 'current'"

    def after(age):
        return stack.sql("identity", f"BEGIN; UPDATE signing_keys SET since = now() - interval '31 days' WHERE state = 'current'; "
                                     f"UPDATE signing_keys SET since = now() - interval '{age}' WHERE state = 'next'; "
                                     f"{step}; {states}; ROLLBACK").splitlines()[-1]
    current = stack.sql("identity", states)
    assert after("1 minute") == current
    assert after("2 hours") == stack.sql("identity", "SELECT kid FROM signing_keys WHERE state = 'next'") != current


def test_rotation_refuses_no_token(browser, stack, eventually, anonymous):
    """The running service rotates: new tokens come from the next key, those of the old one stay good, and a new next key is published."""
    old = browser.with_token(browser.tokens()["access_token"])
    stack.sql("identity", "UPDATE signing_keys SET since = now() - CASE state WHEN 'current' THEN interval '31 days' ELSE interval '2 hours' END "
                          "WHERE state <> 'previous'; NOTIFY tasks, 'signing-keys'")

    def rotated():
        old.get("/identity/v1/me", expect=200)
        new = browser.tokens()["access_token"]
        browser.with_token(new).get("/identity/v1/me", expect=200)
        return jwt.get_unverified_header(new)["kid"] != jwt.get_unverified_header(old.token)["kid"]
    eventually(rotated, within=20)
    states = stack.sql("identity", "SELECT state FROM signing_keys").splitlines()
    assert (states.count("current"), states.count("next")) == (1, 1)
    published = [key["kid"] for key in anonymous.get("/identity/v1/jwks.json").json()["keys"]]
    assert jwt.get_unverified_header(old.token)["kid"] in published


# ---- login

def test_show_demo_provider_is_locked_down(browser):
    page = browser.begin().page()
    assert page.status_code == 200 and 'lang="it"' in page.text and "Anna Bianchi" in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert "<script" not in page.text and page.headers["Cache-Control"] == "no-store"


def test_authorize_names_issuer_and_state(browser, stack):
    browser.begin()
    answer = answer_of(browser.choose(ANNA))
    assert (answer["state"], answer["iss"]) == (browser.state, stack.url() + "/identity/v1") and len(answer["code"]) >= 43


def test_choose_demo_person_or_give_up(browser):
    browser.begin()
    answer = answer_of(browser.choose(None))
    assert (answer["error"], answer["state"]) == ("access_denied", browser.state) and "code" not in answer
    assert browser.page().status_code == 400, "a login that was given up is over"


def test_session_has_the_attributes_of_spid(browser, stack):
    sid = seen_from_inside(browser.tokens()["access_token"])["sid"]
    attributes = json.loads(stack.sql("identity", f"SELECT attributes FROM sessions WHERE id = '{sid}'"))
    assert attributes["fiscalNumber"] == "TINIT-" + ANNA and re.fullmatch("[A-Z]{4}[A-Z0-9]{10}", attributes["spidCode"])
    assert {"name", "familyName", "dateOfBirth", "placeOfBirth", "email", "mobilePhone", "address"} <= set(attributes)


def test_first_login_makes_the_person_once(stack):
    """Someone who was never here: several first logins at once make one person, whose sub stays."""
    code = portico.fiscal_code()
    attributes = json.dumps({"spidCode": "DEMO0000000001", "name": "Luigi", "familyName": "Prova", "fiscalNumber": "TINIT-" + code,
                             "dateOfBirth": "1970-01-01", "placeOfBirth": "A944", "gender": "M"})
    stack.sql("identity", f"INSERT INTO demo_identities VALUES ('c_a944', '{code}', 'prova', '{attributes}')")
    told = lambda sub: stack.sql("identity", f"SELECT count(*) FROM outbox WHERE type = 'person.updated' AND aggregate_id = '{sub}'")
    try:
        with ThreadPoolExecutor(6) as pool:
            subs = list(pool.map(lambda _: seen_from_inside(Browser(stack).tokens(code)["access_token"])["sub"], range(6)))
        assert len(set(subs)) == 1 and uuid.UUID(subs[0]).version == 7
        assert told(subs[0]) == "1"
        stack.sql("identity", f"UPDATE demo_identities SET attributes = attributes || '{{\"domicilePostalCode\": \"40121\"}}' WHERE id = '{code}'")
        for _ in range(2):
            Browser(stack).tokens(code)
        assert told(subs[0]) == "2", "whatever changed is told, once"
    finally:
        stack.sql("identity", f"DELETE FROM demo_identities WHERE id = '{code}'")


def test_operator_gets_what_the_role_allows(desk, stack):
    access = seen_from_inside(desk.tokens(CHIARA, scope=None)["access_token"])
    assert (access["kind"], access["tenant"], access["roles"], access["sub"]) == ("operator", "c_a944", ["operator"], CHIARA)
    assert "desk:practices" in access["scope"].split() and "desk:admin" not in access["scope"].split()

    admin = Browser(stack, "demo-desk", "/demo/desk").tokens("0192f000-0000-7000-8000-000000000204", scope="desk:admin practices")
    assert seen_from_inside(admin["access_token"])["scope"] == "desk:admin" and "refresh_token" not in admin


def test_operator_is_no_choice_for_a_citizens_client(browser, desk):
    assert browser.begin().choose(CHIARA).status_code == 403
    assert desk.begin(scope=None).choose(ANNA).status_code == 403
    assert "code" in answer_of(browser.choose(ANNA)), "a refused choice does not end the login"


def test_unknown_parameters_of_a_request_are_ignored(browser):
    """RFC 6749, section 3.1: clients add their own."""
    browser.begin(vendor_hint="x", utm_source="newsletter")


# ---- attacks on the authorization request

@pytest.mark.parametrize("redirect_uri", [
    "https://evil.example/", "{uri}/", "{uri}?x=1", "{uri}#x", "{uri}@evil.example", "{uri}%2f..", "//evil.example", "javascript:alert(1)",
    "http://127.0.0.1.evil.example/demo/callback", "{upper}", "", None])
def test_redirect_uri_is_exact(browser, redirect_uri):
    """An open redirect would need just one of these to be followed."""
    known = browser.redirect_uri
    given = redirect_uri and redirect_uri.format(uri=known, upper=known.upper())
    response = browser.authorize(redirect_uri=given)
    assert response.status_code == 400 and "Location" not in response.headers and "text/html" in response.headers["Content-Type"]


@pytest.mark.parametrize("client_id", ["nobody", "", None, "acquedotto", "demo-area' OR '1'='1"])
def test_unknown_client_gets_a_page(browser, client_id):
    response = browser.authorize(client_id=client_id)
    assert response.status_code == 400 and "Location" not in response.headers


@pytest.mark.parametrize("changed, error", [
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": None}, "invalid_request"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"scope": "service desk:admin"}, "invalid_scope"),
    ({"prompt": "none"}, "login_required"),
    ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
    ({"request_uri": "https://evil.example/r"}, "request_uri_not_supported"),
])
def test_faults_go_back_to_the_client(browser, changed, error):
    response = browser.authorize(**changed)
    assert response.headers["Location"].startswith(browser.redirect_uri + "?")
    answer = answer_of(response)
    assert (answer["error"], answer["state"]) == (error, browser.state) and answer["iss"].endswith("/identity/v1")


def test_state_cannot_break_out_of_the_url(browser):
    state = "a&code=forged\r\nSet-Cookie: x=1#%26"
    response = browser.authorize(state=state, response_type="token")
    assert answer_of(response)["state"] == state and "code" not in answer_of(response)
    assert "x" not in browser.http.cookies


def test_demo_login_is_refused_to_a_tenant_that_is_not_demo(stack, browser):
    elsewhere = Browser(stack, "venezia-area")
    elsewhere.request = answer_of(elsewhere.authorize())["request"]
    assert elsewhere.choose(ANNA).status_code == 403
    # Nor does a login that was begun while the tenant was a demo end after it is none any more.
    browser.begin()
    csrf = browser.csrf()
    stack.sql("identity", "UPDATE tenants SET demo = false WHERE tenant_id = 'c_a944'")
    try:
        assert browser.choose(ANNA, csrf=csrf).status_code == 403
    finally:
        stack.sql("identity", "UPDATE tenants SET demo = true WHERE tenant_id = 'c_a944'")


def test_whoever_cannot_read_the_keys_keeps_nobody_waiting(stack, sibling, eventually):
    """The database does not answer: one asks it, the others do not queue up behind."""
    def keys():
        begun = time.monotonic()
        return sibling("/identity/v1/jwks.json").status_code, time.monotonic() - begun

    with ThreadPoolExecutor(20) as pool:
        held = pool.submit(stack.sql, "identity", "BEGIN; LOCK TABLE signing_keys IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(20); COMMIT")
        eventually(lambda: keys()[0] == 503, within=15, every=0.5)
        answers = [each.result() for each in [pool.submit(keys) for _ in range(12)]]
        assert {status for status, _ in answers} == {503}
        assert max(seconds for _, seconds in answers) < 5, answers
        held.result()
    eventually(lambda: keys()[0] == 200)


# ---- attacks on the login page

def test_login_belongs_to_one_browser(browser, stack):
    """Login CSRF and session fixation: neither a victim's browser nor an attacker's can go on with the other's login."""
    browser.begin()
    csrf = browser.csrf()
    other = Browser(stack)
    other.request = browser.request
    assert other.page().status_code == 400
    assert other.choose(ANNA, csrf=csrf).status_code == 400
    other.begin()
    [own] = other.http.cookies
    other.request = browser.request
    assert other.page().status_code == 400
    assert other.choose(ANNA, csrf=csrf).status_code == 400
    [name] = browser.http.cookies.keys()
    other.http.cookies.set(name, own.value, path=own.path, domain=own.domain)
    assert other.page().status_code == 400
    assert other.choose(ANNA, csrf=csrf).status_code == 403


def test_two_tabs_of_one_browser_log_in_side_by_side(browser):
    browser.begin()
    first = browser.request
    browser.begin()
    second, browser.request = browser.request, first
    assert "code" in answer_of(browser.choose(ANNA))
    browser.request = second
    assert "code" in answer_of(browser.choose(LUCA))
    assert not browser.http.cookies, "the end of a login takes its cookie away"


def test_logins_that_nobody_ends_do_not_fill_the_browser_with_cookies(browser):
    begun = []
    for _ in range(14):
        begun.append(browser.begin().request)
        assert browser.page().status_code == 200
    assert len(browser.http.cookies) == 10
    browser.request = begun[4]
    assert browser.page().status_code == 200
    browser.request = begun[3]
    assert browser.page().status_code == 400


@pytest.mark.parametrize("csrf", ["", "x", "A" * 43])
def test_csrf_token_must_fit(browser, csrf):
    browser.begin()
    assert browser.choose(ANNA, csrf=csrf).status_code == 403


def test_csrf_token_must_be_there(browser):
    browser.begin()
    response = browser.post("/identity/v1/demo-provider", data={"request": browser.request, "person": ANNA})
    assert response.status_code == 400 and "Location" not in response.headers


@pytest.mark.parametrize("request_id", ["0" * 32, "f" * 32, "../../etc", "", "' OR 1=1 --"])
def test_tampered_request_is_no_login(browser, request_id):
    browser.begin()
    csrf = browser.csrf()
    browser.request = request_id
    assert browser.page().status_code == 400
    assert browser.choose(ANNA, csrf=csrf).status_code in (400, 403)


def test_login_ends_once(browser):
    browser.begin()
    csrf = browser.csrf()
    assert "code" in answer_of(browser.choose(ANNA, csrf=csrf))
    assert browser.choose(ANNA, csrf=csrf).status_code == 400


def test_login_expires(browser, stack):
    browser.begin()
    csrf = browser.csrf()
    stack.sql("identity", f"UPDATE login_requests SET expires_at = now() - interval '1 second' WHERE id = '{browser.request}'")
    assert browser.page().status_code == 400 and browser.choose(ANNA, csrf=csrf).status_code == 400


def test_unknown_person_is_not_vouched_for(browser):
    browser.begin()
    assert browser.choose("RSSMRA80A01H501U").status_code == 403


def test_page_escapes_what_it_shows(browser, stack):
    stack.sql("identity", "UPDATE clients SET name = '<img src=x onerror=alert(1)>\"&''' WHERE id = 'demo-area'")
    try:
        page = browser.begin().page().text
    finally:
        stack.sql("identity", "UPDATE clients SET name = 'Area personale' WHERE id = 'demo-area'")
    assert "<img" not in page and "&lt;img src=x onerror=alert(1)&gt;&quot;&amp;&#39;" in page


def test_oversized_forms_are_refused(browser, anonymous):
    browser.begin()
    assert browser.post("/identity/v1/demo-provider", data={"request": browser.request, "csrf": "x", "person": "x" * 5000}).status_code == 413
    assert anonymous.post("/identity/v1/token", data={"grant_type": "x" * 20000}).status_code == 413
    assert anonymous.post("/identity/v1/token", data={"grant_type": "authorization_code", "code": "x" * 5000}).status_code == 400


def test_repeated_and_malformed_forms_are_refused(anonymous):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in ("grant_type=refresh_token&grant_type=client_credentials", "grant_type=%zz", "grant_type=%00"):
        assert anonymous.post("/identity/v1/token", data=body, headers=form).status_code == 400
    assert anonymous.post("/identity/v1/token", json={"grant_type": "client_credentials"}).status_code == 415


# ---- attacks on the code

def test_wrong_verifier_burns_the_code(browser):
    code = browser.code()
    refused(browser.redeem(code, code_verifier=secrets.token_urlsafe(48)), "invalid_grant")
    refused(browser.redeem(code), "invalid_grant")


@pytest.mark.parametrize("changed, error", [
    ({"code_verifier": None}, "invalid_request"), ({"redirect_uri": None}, "invalid_request"), ({"code": None}, "invalid_request"),
    ({"code_verifier": ""}, "invalid_grant"), ({"redirect_uri": "https://evil.example/"}, "invalid_grant"),
    ({"code": "x" * 43}, "invalid_grant"), ({"grant_type": "password"}, "unsupported_grant_type"),
    ({"grant_type": None}, "invalid_request")])
def test_code_needs_everything_it_was_bound_to(browser, changed, error):
    refused(browser.redeem(browser.code(), **changed), error)


def test_challenge_is_no_verifier(browser):
    """A downgrade to `plain` would accept the challenge itself."""
    refused(browser.redeem(browser.code(), code_verifier=challenge_of(browser.verifier)), "invalid_grant")


def test_code_is_of_one_client(browser):
    code = browser.code()
    refused(browser.redeem(code, client_id="demo-desk"), "invalid_grant")
    refused(browser.redeem(code), "invalid_grant")
    refused(browser.redeem(browser.code(), client_id="nobody"), "invalid_client", 401)


def test_code_expires(browser, stack):
    code = browser.code()
    digest = hashlib.sha256(code.encode()).hexdigest()
    lifetime = stack.sql("identity", f"SELECT extract(epoch FROM expires_at - now()) FROM authorization_codes WHERE hash = '\\x{digest}'")
    assert 0 < float(lifetime) <= 60
    stack.sql("identity", f"UPDATE authorization_codes SET expires_at = now() - interval '1 second' WHERE hash = '\\x{digest}'")
    refused(browser.redeem(code), "invalid_grant")


def test_code_replayed_at_once_has_one_winner(browser):
    code = browser.code()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: browser.redeem(code), range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + 19 * [400]
    winner = next(answer for answer in answers if answer.status_code == 200).json()
    refused(browser.refresh(winner["refresh_token"]), "invalid_grant")


def test_code_and_tokens_are_not_in_the_database(browser, stack):
    code = browser.code()
    tokens = browser.redeem(code).json()
    dump = stack.sql("identity", "SELECT row_to_json(c) FROM authorization_codes c UNION ALL SELECT row_to_json(r) FROM refresh_tokens r "
                                 "UNION ALL SELECT row_to_json(s) FROM sessions s")
    assert code not in dump and tokens["refresh_token"] not in dump
    assert hashlib.sha256(code.encode()).hexdigest() in dump


# ---- refresh

def test_refresh_rotates(browser):
    first = browser.tokens()
    second = browser.refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    before, after = (seen_from_inside(tokens["access_token"]) for tokens in (first, second))
    assert (before["sub"], before["sid"], before["auth_time"]) == (after["sub"], after["sid"], after["auth_time"])
    assert before["jti"] != after["jti"]


def test_old_refresh_token_kills_the_family(browser):
    first = browser.tokens()
    second = browser.refresh(first["refresh_token"]).json()
    refused(browser.refresh(first["refresh_token"]), "invalid_grant")
    refused(browser.refresh(second["refresh_token"]), "invalid_grant")


def test_refresh_replayed_at_once_has_one_winner_and_no_family(browser):
    token = browser.tokens()["refresh_token"]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: browser.refresh(token), range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + 19 * [400]
    winner = next(answer for answer in answers if answer.status_code == 200).json()
    refused(browser.refresh(winner["refresh_token"]), "invalid_grant")


def test_refresh_token_is_of_one_client(browser):
    token = browser.tokens()["refresh_token"]
    refused(browser.refresh(token, client_id="demo-desk"), "invalid_grant")
    refused(browser.refresh(token), "invalid_grant")


def test_refresh_narrows_and_never_widens(browser):
    tokens = browser.tokens(scope="openid practices offline_access")
    refused(browser.refresh(tokens["refresh_token"], scope="practices payments"), "invalid_scope")
    narrow = browser.refresh(tokens["refresh_token"], scope="practices offline_access").json()
    assert narrow["scope"] == "practices offline_access" and "id_token" not in narrow


def test_no_refresh_token_without_offline_access(browser):
    assert "refresh_token" not in browser.tokens(scope="practices")


def test_refresh_follows_the_roles_of_today(stack):
    sub = stack.sql("identity", "INSERT INTO operators (tenant_id, fiscal_code, given_name, family_name, roles) "
                                f"VALUES ('c_a944', '{portico.fiscal_code()}', 'Ada', 'Prova', '{{admin,operator}}') RETURNING id")
    desk = Browser(stack, "demo-desk", "/demo/desk")
    try:
        tokens = desk.tokens(sub, scope=None)
        assert "desk:admin" in tokens["scope"].split()
        stack.sql("identity", f"UPDATE operators SET roles = '{{operator}}' WHERE id = '{sub}'")
        tokens = desk.refresh(tokens["refresh_token"]).json()
        assert "desk:admin" not in tokens["scope"].split() and "desk:practices" in tokens["scope"].split()
        stack.sql("identity", f"UPDATE operators SET roles = '{{}}' WHERE id = '{sub}'")
        refused(desk.refresh(tokens["refresh_token"]), "invalid_grant")
    finally:
        stack.sql("identity", f"DELETE FROM operators WHERE id = '{sub}'")


def test_revoke_token_and_refresh_no_more(browser):
    tokens = browser.tokens()
    for token in (tokens["refresh_token"], "nonsense"):
        assert browser.post("/identity/v1/revoke", data={"client_id": "demo-area", "token": token}).status_code == 200
    refused(browser.refresh(tokens["refresh_token"]), "invalid_grant")

    tokens = browser.tokens()
    browser.post("/identity/v1/revoke", data={"client_id": "demo-desk", "token": tokens["refresh_token"]})
    tokens = browser.refresh(tokens["refresh_token"]).json()        # of another client: untouched
    browser.post("/identity/v1/revoke", data={"client_id": "demo-area", "token": tokens["access_token"]})
    refused(browser.refresh(tokens["refresh_token"]), "invalid_grant")


# ---- client credentials, introspection

def test_issue_token_of_its_tenant_to_a_partner(acquedotto):
    client, (name, secret) = acquedotto
    for proof in ({"auth": (name, secret), "data": {"grant_type": "client_credentials"}},
                  {"data": {"grant_type": "client_credentials", "client_id": name, "client_secret": secret}}):
        access = seen_from_inside(client.post("/identity/v1/token", expect=200, **proof).json()["access_token"])
        assert (access["kind"], access["tenant"], access["client_id"]) == ("partner", "c_a662", "acquedotto")
        assert access["scope"].split() == clients.find("Clients", client_id="acquedotto")["scopes"].split() and "sid" not in access


def test_partner_asks_for_less_or_for_nothing_else(acquedotto):
    client, proof = acquedotto
    tokens = client.post("/identity/v1/token", auth=proof, data={"grant_type": "client_credentials", "scope": "partner:positions practices"})
    assert tokens.json()["scope"] == "partner:positions"
    refused(client.post("/identity/v1/token", auth=proof, data={"grant_type": "client_credentials", "scope": "service"}), "invalid_scope")


@pytest.mark.parametrize("auth, form, status, error", [
    (("acquedotto", "wrong"), {}, 401, "invalid_client"),
    (("acquedotto", ""), {}, 401, "invalid_client"),
    (("nobody", "x"), {}, 401, "invalid_client"),
    (None, {"client_id": "acquedotto"}, 401, "invalid_client"),
    (None, {"client_id": "demo-area"}, 400, "unauthorized_client"),
    (None, {"client_id": "demo-area", "client_secret": "x"}, 401, "invalid_client"),
    (None, {}, 401, "invalid_client"),
    (("acquedotto", "x"), {"client_secret": "y"}, 400, "invalid_request"),
    (("acquedotto", "x"), {"client_id": "refezione"}, 401, "invalid_client"),
])
def test_client_must_prove_itself(anonymous, auth, form, status, error):
    response = anonymous.post("/identity/v1/token", auth=auth, data={"grant_type": "client_credentials"} | form)
    refused(response, error, status)
    assert ("WWW-Authenticate" in response.headers) == (status == 401 and auth is not None), "a challenge answers who tried that way"


def test_suspended_client_gets_nothing(anonymous, stack):
    name, secret = "spare-" + secrets.token_hex(4), secrets.token_urlsafe(32)
    stack.sql("identity", f"INSERT INTO clients (tenant_id, id, name, kind, secret_sha256, scopes) VALUES ('c_a944', '{name}', 'Prova', "
                          f"'partner', sha256('{secret}'), '{{partner:positions}}')")
    try:
        ask = lambda: anonymous.post("/identity/v1/token", auth=(name, secret), data={"grant_type": "client_credentials"})
        assert ask().status_code == 200
        stack.sql("identity", f"UPDATE clients SET suspended_at = now() WHERE id = '{name}'")
        refused(ask(), "invalid_client", 401)
    finally:
        stack.sql("identity", f"DELETE FROM clients WHERE id = '{name}'")


def test_introspect_token_tells_only_of_own_tokens(acquedotto, browser):
    client, proof = acquedotto

    def introspect(token):
        return client.post("/identity/v1/introspect", auth=proof, data={"token": token}, expect=200).json()
    own = client.post("/identity/v1/token", auth=proof, data={"grant_type": "client_credentials"}).json()["access_token"]
    assert introspect(own)["active"] is True and introspect(own)["client_id"] == "acquedotto"
    for token in (browser.tokens()["access_token"], browser.tokens()["refresh_token"], own[:-6] + "AAAAAA", "x.y.z", "x"):
        assert introspect(token) == {"active": False}
    refused(browser.post("/identity/v1/introspect", data={"client_id": "demo-area", "token": own}), "invalid_client", 401)


def test_introspection_is_not_fooled_by_the_algorithm(acquedotto):
    """`none`, and HS256 with the public key as its secret."""
    client, proof = acquedotto
    own = client.post("/identity/v1/token", auth=proof, data={"grant_type": "client_credentials"}).json()["access_token"]
    header, payload, _ = own.split(".")
    encode = lambda part: base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
    kid = jwt.get_unverified_header(own)["kid"]
    key = next(key for key in client.get("/identity/v1/jwks.json").json()["keys"] if key["kid"] == kid)
    head = encode({"alg": "HS256", "typ": "at+jwt", "kid": kid})
    mac = hmac.new(json.dumps(key).encode(), f"{head}.{payload}".encode(), hashlib.sha256).digest()
    signature = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
    for forged in (f"{encode({'alg': 'none', 'typ': 'at+jwt', 'kid': kid})}.{payload}.", f"{head}.{payload}.{signature}",
                   f"{header}.{payload}.", f"{header}.{payload}.{'A' * 86}"):
        answer = client.post("/identity/v1/introspect", auth=proof, data={"token": forged}, expect=200).json()
        assert answer == {"active": False}


# ---- me

def test_show_me(citizen):
    anna = citizen("Anna Bianchi")
    me = anna.get("/identity/v1/me", expect=200).json()
    assert (me["id"], me["fiscalCode"]) == (anna.sub, ANNA)
    assert [child["givenName"] for child in me["children"]] == ["Giulia", "Matteo"]


def test_show_userinfo_gives_names_for_the_scope_profile_only(browser, desk):
    tokens = browser.tokens()
    profile = browser.with_token(tokens["access_token"]).get("/identity/v1/userinfo", expect=200).json()
    assert (profile["given_name"], profile["https://attributes.eid.gov.it/fiscal_number"]) == ("Anna", "TINIT-" + ANNA)
    narrow = browser.with_token(browser.refresh(tokens["refresh_token"], scope="openid").json()["access_token"])
    assert narrow.get("/identity/v1/userinfo", expect=200).json() == {"sub": profile["sub"]}
    operator = desk.with_token(desk.tokens(CHIARA, scope=None)["access_token"]).get("/identity/v1/userinfo", expect=200).json()
    assert (operator["name"], operator["tenant"], operator["offices"]) == ("Chiara Serra", "c_a944", ["mobilita"])


def test_change_me_tells_the_others(citizen, stack):
    luca = citizen("Luca Ferrari")
    events = f"SELECT count(*) FROM outbox WHERE type = 'person.updated' AND aggregate_id = '{luca.sub}' AND tenant_id = ''"
    old = luca.get("/identity/v1/me", expect=200)           # logs in: the first login is an event too
    before = int(stack.sql("identity", events))
    mine = f"luca.{secrets.token_hex(4)}@posta.example"
    new = luca.patch("/identity/v1/me", {"contacts": {"email": mine}}, headers={"If-Match": old.headers["ETag"]}, expect=200)
    assert new.json()["contacts"] == old.json()["contacts"] | {"email": mine, "emailVerified": False} and new.headers["ETag"] != old.headers["ETag"]
    assert int(stack.sql("identity", events)) == before + 1

    late = luca.patch("/identity/v1/me", {"contacts": {"mobilePhone": None}}, headers={"If-Match": old.headers["ETag"]})
    assert late.status_code == 412 and late.json()["type"] == "/problems/version-conflict"
    assert "mobilePhone" in luca.get("/identity/v1/me").json()["contacts"]

    luca.log_in()
    assert luca.get("/identity/v1/me").json()["contacts"]["email"] == mine, "a login leaves own contacts alone"
    luca.patch("/identity/v1/me", {"contacts": {"email": "luca.ferrari@posta.example"}}, expect=200)


def test_changes_at_once_lose_none(citizen):
    """Of many who edit the same version, one succeeds."""
    maria = citizen("Maria Lorusso")
    etag = maria.get("/identity/v1/me", expect=200).headers["ETag"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: maria.patch("/identity/v1/me", {"contacts": {"mobilePhone": f"+3933312345{n:02}"}},
                                                      headers={"If-Match": etag}).status_code, range(8)))
    assert sorted(answers) == [200] + 7 * [412]
    maria.patch("/identity/v1/me", {"contacts": {"mobilePhone": "+393331234506"}}, expect=200)


@pytest.mark.parametrize("patch", [{"givenName": "Eva"}, {"contacts": {}}, {"contacts": {"email": "no"}}, {"contacts": {"fax": "1"}}, {}])
def test_change_me_takes_only_contacts(citizen, patch):
    assert citizen("Anna Bianchi").patch("/identity/v1/me", patch).status_code == 400


def test_replace_preferences_and_show_preferences(citizen):
    davide = citizen("Davide Conti")
    wanted = {"language": "it", "quiet": {"from": "22:00", "to": "07:00"}, "channels": ["email"],
              "exceptions": [{"tenant": "c_a944", "topic": "payments", "channels": ["app-io", "email"]},
                             {"topic": "payments", "channels": ["app-io"]}]}
    old = davide.get("/identity/v1/me/preferences", expect=200)
    new = davide.put("/identity/v1/me/preferences", wanted, headers={"If-Match": old.headers["ETag"]}, expect=200)
    assert new.json() == wanted == davide.get("/identity/v1/me/preferences").json()
    davide.put("/identity/v1/me/preferences", wanted, headers={"If-Match": old.headers["ETag"]}, expect=412)

    twice = wanted | {"exceptions": 2 * [{"tenant": "c_a944", "channels": ["email"]}]}
    assert davide.put("/identity/v1/me/preferences", twice, expect=409).json()["type"] == "/problems/repeated-exception"
    nowhere = wanted | {"exceptions": [{"tenant": "c_z999", "channels": ["email"]}]}
    assert davide.put("/identity/v1/me/preferences", nowhere, expect=422).json()["type"] == "/problems/unknown-reference"
    davide.put("/identity/v1/me/preferences", wanted | {"exceptions": [{"channels": ["email"]}]}, expect=400)
    assert davide.get("/identity/v1/me/preferences").json() == wanted, "what was refused changed nothing"
    davide.put("/identity/v1/me/preferences", {"language": "it", "channels": ["app-io", "email"]}, expect=200)


# ---- what siblings ask

@pytest.fixture
def sibling(stack):
    return oauth.sibling(stack)


def test_show_person_resolves_delivery(sibling, citizen):
    davide = citizen("Davide Conti")
    path = f"/identity/v1/persons/{davide.sub}"
    davide.put("/identity/v1/me/preferences", {"language": "it", "channels": ["app-io", "email"], "exceptions": [
        {"topic": "payments", "channels": ["email"]}, {"tenant": "c_a662", "channels": ["app-io"]},
        {"tenant": "c_a662", "topic": "payments", "channels": ["email", "app-io"]}]}, expect=200)
    try:
        person = sibling(path).json()
        assert person["fiscalCode"] == "CNTDVD83P28A944Y" and person["delivery"]["channels"] == ["app-io", "email"]
        assert sibling(path, topic="payments").json()["delivery"]["channels"] == ["email"]
        assert sibling(path, "c_a662", topic="bookings").json()["delivery"]["channels"] == ["app-io"]
        assert sibling(path, "c_a662", topic="payments").json()["delivery"]["channels"] == ["email", "app-io"]
    finally:
        davide.put("/identity/v1/me/preferences", {"language": "it", "channels": ["app-io", "email"]}, expect=200)
    assert sibling(f"/identity/v1/persons/{uuid.uuid4()}").status_code == 404


def test_show_person_is_for_siblings_only(citizen, operator):
    anna = citizen("Anna Bianchi")
    for caller in (anna, operator("c_a944")):
        assert caller.get(f"/identity/v1/persons/{anna.sub}").status_code == 404, "outside it does not exist"


# ---- sessions

def test_end_session(stack, browser):
    tokens = browser.tokens(LUCA)
    luca = browser.with_token(tokens["access_token"])
    sessions = luca.get("/identity/v1/sessions", expect=200, params={"limit": 100}).json()["items"]
    current = [session for session in sessions if session["current"]]
    assert [session["id"] for session in current] == [seen_from_inside(tokens["access_token"])["sid"]]
    luca.delete(f"/identity/v1/sessions/{current[0]['id']}", expect=204)
    refused(browser.refresh(tokens["refresh_token"]), "invalid_grant")
    assert current[0]["id"] not in [session["id"] for session in luca.get("/identity/v1/sessions", params={"limit": 100}).json()["items"]]
    luca.delete(f"/identity/v1/sessions/{current[0]['id']}", expect=204)


def test_list_sessions_in_pages(browser):
    for _ in range(3):
        tokens = browser.tokens("GRCPLA58R30A944T")
    paolo = browser.with_token(tokens["access_token"])
    whole = [session["id"] for session in paolo.get("/identity/v1/sessions", params={"limit": 100}).json()["items"]]
    paged, after = [], {}
    while len(paged) <= len(whole):
        page = paolo.get("/identity/v1/sessions", params={"limit": 2} | after, expect=200).json()
        paged += [session["id"] for session in page["items"]]
        if "next" not in page:
            break
        after = {"after": page["next"]}
    assert paged == whole and len(whole) >= 3


def test_session_of_another_stands(browser, desk):
    tokens = browser.tokens(LUCA)
    sid = seen_from_inside(tokens["access_token"])["sid"]
    for stranger in (browser.with_token(browser.tokens(ANNA)["access_token"]),
                     desk.with_token(desk.tokens(CHIARA, scope=None)["access_token"])):
        stranger.delete(f"/identity/v1/sessions/{sid}", expect=404)
    assert browser.refresh(tokens["refresh_token"]).status_code == 200


def test_sessions_are_narrow_whatever_a_statement_forgets(browser, desk, stack):
    """A tenant's name opens nobody's session, nor does a person's in another tenant; there is no table to look into."""
    desk.tokens(CHIARA, scope=None)
    anna = seen_from_inside(browser.tokens(ANNA)["access_token"])["sub"]

    def seen(statement, tenant="", subject=""):
        return stack.sql("identity", f"SET ROLE portico_identity; SET app.tenant = '{tenant}'; SET app.subject = '{subject}'; {statement}")

    with pytest.raises(RuntimeError, match="permission denied"):
        seen("SELECT count(*) FROM sessions", "c_a944")
    own = "SELECT count(*) > 0 FROM own_sessions('%s')"
    assert [seen(own % CHIARA, "c_a944"), seen(own % CHIARA, "c_a662"), seen(own % CHIARA, "", CHIARA)] == ["t", "f", "f"]
    assert [seen(own % anna, "", anna), seen(own % anna, "", CHIARA), seen(own % anna, "c_a944")] == ["t", "f", "f"]


# ---- tenants and operators

def test_list_tenants_and_show_tenant_are_public(anonymous):
    tenants = {tenant["id"]: tenant for tenant in anonymous.get("/identity/v1/tenants", expect=200).json()["items"]}
    assert tenants["c_a944"]["aoo"] == "A944BO1" and not tenants["c_l736"]["demo"]
    assert anonymous.get("/identity/v1/tenants/c_a662", expect=200).json() == tenants["c_a662"]
    anonymous.get("/identity/v1/tenants/c_z999", expect=404)
    page = anonymous.get("/identity/v1/tenants", params={"limit": 1}, expect=200).json()
    rest = anonymous.get("/identity/v1/tenants", params={"limit": 2, "after": page["next"]}, expect=200).json()
    assert [tenant["id"] for tenant in page["items"] + rest["items"]] == sorted(tenants)[:3]


def new_operator(**changed):
    numbers = f"{secrets.randbelow(80) + 10}A{secrets.randbelow(18) + 10}A{secrets.randbelow(900) + 100}"
    letters = "".join(secrets.choice("BCDFGLMNPRST") for _ in range(6))
    return {"givenName": "Sara", "familyName": "Fontana", "fiscalCode": with_control_character(letters + numbers),
            "email": "sara.fontana@comune.bologna.example", "roles": ["operator"], "offices": ["anagrafe"]} | changed


def with_control_character(code):
    odd = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18,
                                                            20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]))
    even = lambda c: int(c) if c.isdigit() else ord(c) - ord("A")
    return code + chr(ord("A") + sum(even(c) if place % 2 else odd[c] for place, c in enumerate(code)) % 26)


def test_operator_of_one_tenant(operator):
    bologna, bari = operator("c_a944"), operator("c_a662")
    wanted = new_operator()
    made = bologna.post("/identity/v1/operators", wanted, expect=201)
    sara = made.json()
    assert made.headers["Location"].endswith(sara["id"]) and sara["roles"] == ["operator"]
    assert bologna.get("/identity/v1/operators", params={"limit": 1}, expect=200).json()["items"] == [sara]
    assert bologna.post("/identity/v1/operators", wanted, expect=409).json()["type"] == "/problems/operator-exists"

    theirs = {colleague["id"] for colleague in bari.get("/identity/v1/operators", params={"limit": 100}, expect=200).json()["items"]}
    assert sara["id"] not in theirs and "0192f000-0000-7000-8000-000000000201" in theirs
    bari.delete(f"/identity/v1/operators/{sara['id']}/roles/operator", expect=404)
    bologna.delete(f"/identity/v1/operators/{sara['id']}/roles/operator", expect=204)
    bologna.delete(f"/identity/v1/operators/{sara['id']}/roles/operator", expect=404)


def test_create_operator_is_idempotent(operator):
    bologna, key, wanted = operator("c_a944"), {"Idempotency-Key": str(uuid.uuid4())}, new_operator()
    first = bologna.post("/identity/v1/operators", wanted, headers=key, expect=201)
    again = bologna.post("/identity/v1/operators", wanted, headers=key, expect=201)
    assert again.json() == first.json() and again.headers["Idempotent-Replayed"] == "true"
    other = bologna.post("/identity/v1/operators", new_operator(), headers=key, expect=422)
    assert other.json()["type"] == "/problems/idempotency-key-reused"


def test_fiscal_code_of_an_operator_is_checked(operator):
    code = new_operator()["fiscalCode"]
    wrong = code[:-1] + ("A" if code[-1] != "A" else "B")
    answer = operator("c_a944").post("/identity/v1/operators", new_operator(fiscalCode=wrong), expect=400).json()
    assert [error["pointer"] for error in answer["errors"]] == ["/fiscalCode"]


def test_remove_operator_role_but_not_of_the_last_administrator(operator, stack):
    """Two administrators who take the role from each other at the same moment: one of them keeps it."""
    bari = operator("c_a662")
    assert bari.delete(f"/identity/v1/operators/{bari.sub}/roles/admin", expect=409).json()["type"] == "/problems/last-administrator"
    for _ in range(5):
        with two_administrators(stack) as both:
            with ThreadPoolExecutor(2) as pool:
                answers = list(pool.map(lambda of, by: by.delete(f"/identity/v1/operators/{of.sub}/roles/admin").status_code, both, both[::-1]))
            left = stack.sql("identity", f"SELECT count(*) FROM operators WHERE tenant_id = '{both[0].person['tenant']}' AND 'admin' = ANY (roles)")
        assert (sorted(answers), left) == ([204, 409], "1")


@contextmanager
def two_administrators(stack):
    """Of a tenant of their own, logged in: nobody else needs the roles that they lose."""
    tenant = "t_" + secrets.token_hex(4)
    stack.sql("identity", f"INSERT INTO tenants (tenant_id, name, aoo, demo) VALUES ('{tenant}', 'Prova', 'PROVA', true)")
    try:
        both = []
        for _ in range(2):
            sub = stack.sql("identity", "INSERT INTO operators (tenant_id, fiscal_code, given_name, family_name, roles) "
                                        f"VALUES ('{tenant}', '{portico.fiscal_code()}', 'Ada', 'Prova', '{{admin}}') RETURNING id")
            desk = Browser(stack, "demo-desk", "/demo/desk")
            desk.token = desk.tokens(sub, scope="desk:admin")["access_token"]
            desk.person = {"sub": sub, "tenant": tenant}
            both.append(desk)
        yield both
    finally:
        stack.sql("identity", f"DELETE FROM sessions WHERE tenant_id = '{tenant}'; DELETE FROM operators WHERE tenant_id = '{tenant}'; "
                              f"DELETE FROM tenants WHERE tenant_id = '{tenant}'")


def test_list_operators_is_for_administrators(operator, citizen):
    for caller in (operator("c_a944", "mobilita"), citizen("Anna Bianchi")):
        caller.get("/identity/v1/operators", expect=403)
        caller.post("/identity/v1/operators", new_operator(), expect=403)


def test_status(anonymous):
    assert anonymous.get("/identity/v1/status", expect=200).json()["status"] == 200
