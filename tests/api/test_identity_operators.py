"""Accounts of operators: invited, activated, logged in with two factors; and everything that does not let anybody in."""
import base64
import hashlib
import hmac
import re
import secrets
import statistics
import struct
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest

from support import contracts, portico
from support.oauth import Browser, answer_of, refused, seen_from_inside

PASSWORD = "quattro parole prese a caso"
ACTIVATION = "/identity/v1/operator-activation"


def totp(secret, step=None):
    """RFC 6238, written down again: what an authenticator shows (now, or in that step)."""
    step = int(time.time()) // 30 if step is None else step
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset:offset + 4])[0] & 0x7fffffff) % 1000000:06}"


def test_control_of_the_authenticator():
    """The examples of RFC 6238, appendix B."""
    secret = base64.b32encode(b"12345678901234567890").decode()
    assert [totp(secret, moment // 30) for moment in (59, 1111111109, 2000000000)] == ["287082", "081804", "279037"]


class Account:
    def __init__(self, stack, mailbox, admin, **more):
        self.stack, self.mailbox, self.admin = stack, mailbox, admin
        self.email = f"Ada.{secrets.token_hex(5)}@comune.bologna.example"
        self.operator = admin.post("/identity/v1/operators", portico.new_operator() | {"email": self.email} | more, expect=201).json()

    def invite(self):
        sent = len(self.mailbox.to(self.email))
        self.admin.post(f"/identity/v1/operators/{self.operator['id']}/invitations", expect=201)
        letter = portico.eventually(lambda: (found := self.mailbox.to(self.email)) and len(found) > sent and found[0])
        return parse_qs(urlsplit(re.search(r"https?://\S+", letter["text"])[0]).query)["token"][0]

    def activate(self, token, password=PASSWORD, code=None):
        page = self.admin.with_token(None).get(ACTIVATION, params={"token": token}, expect=200).text
        self.secret = re.search("secret=([A-Z2-7]{32})", page)[1]
        assert re.search("<code>([A-Z2-7-]+)</code>", page)[1].replace("-", "") == self.secret
        done = self.admin.with_token(None).post(ACTIVATION, data={"token": token, "password": password, "code": code or self.last_code()})
        self.recovery = re.findall("<code>([A-Z2-7-]{19})</code>", done.text) if done.status_code == 200 else []
        return done

    def last_code(self):
        """Of the step before: so the code of now is still good for a login."""
        return totp(self.secret, int(time.time()) // 30 - 1)

    def renew_step(self):
        """The codes of now are good again: nobody waits half a minute."""
        self.stack.sql("identity", f"UPDATE operator_accounts SET totp_step = 0 WHERE operator_id = '{self.operator['id']}'")

    def log_in(self, browser=None, expect=None, **changed):
        browser = browser or at_the_page(self.stack)
        form = {"request": browser.request, "csrf": browser.shown_csrf, "login": self.email, "password": PASSWORD, "code": totp(self.secret)}
        return browser.send("POST", "/identity/v1/operator-login", expect=expect, data=form | changed)

    def state(self):
        return next(each["account"] for each in self.admin.get("/identity/v1/operators?limit=100", expect=200).json()["items"]
                    if each["id"] == self.operator["id"])


def at_the_page(stack):
    browser = Browser(stack, "demo-desk", "/demo/desk")
    response = browser.authorize(scope="openid desk:practices offline_access", idp="local")
    assert response.headers["Location"].split("?")[0].endswith("/operator-login")
    browser.request = answer_of(response)["request"]
    page = browser.get("/identity/v1/operator-login", params={"request": browser.request}, expect=200)
    assert 'autocomplete="one-time-code"' in page.text and "<script" not in page.text
    browser.shown_csrf = re.search('name="csrf" value="([^"]+)"', page.text)[1]
    return browser


@pytest.fixture(autouse=True)
def nobody_is_throttled(stack):
    stack.sql("identity", "DELETE FROM login_throttle")
    yield
    stack.sql("identity", "DELETE FROM login_throttle")


@pytest.fixture
def account(stack, mailbox, operator):
    made = Account(stack, mailbox, operator("c_a944"))
    yield made
    stack.sql("identity", f"DELETE FROM sessions WHERE subject_id = '{made.operator['id']}'; DELETE FROM operators WHERE id = '{made.operator['id']}'")


@pytest.fixture
def ada(account):
    """An account that is active."""
    assert account.activate(account.invite()).status_code == 200
    return account


def test_from_the_invitation_to_the_desk(account, stack):
    assert account.state() == {"state": "none"}
    token = account.invite()
    assert account.state() == {"state": "invited"}
    done = account.activate(token)
    assert done.status_code == 200 and len(set(account.recovery)) == 10 and account.state() == {"state": "active"}
    assert account.admin.with_token(None).get(ACTIVATION, params={"token": token}).status_code == 400, "a link is good once"
    browser = at_the_page(stack)
    answer = answer_of(account.log_in(browser, expect=302))
    assert answer["state"] == browser.state and not browser.http.cookies
    tokens = browser.redeem(answer["code"]).json()
    claims = seen_from_inside(tokens["access_token"])
    assert (claims["sub"], claims["tenant"], claims["amr"]) == (account.operator["id"], "c_a944", ["pwd", "otp", "mfa"])
    assert browser.with_token(tokens["access_token"]).get("/dossier/v1/practices", expect=200)


def test_nothing_of_it_is_in_the_database(ada, stack):
    dump = stack.sql("identity", "SELECT row_to_json(a) FROM operator_accounts a UNION ALL SELECT row_to_json(i) FROM operator_invitations i")
    raw = base64.b32decode(ada.secret).hex()
    for secret in (PASSWORD, ada.secret, raw, *ada.recovery, *(code.replace("-", "") for code in ada.recovery)):
        assert secret not in dump
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in dump


@pytest.mark.parametrize("changed", [{"password": "sbagliata del tutto"}, {"code": "000000"}, {"code": "AAAA-AAAA-AAAA-AAAA"}, {"code": ""},
                                     {"password": ""}, {"login": "nobody@comune.bologna.example"}, {"login": ""}, {"code": "{old}"}], ids=str)
def test_all_of_it_must_be_right(ada, changed):
    changed = {name: value.format(old=totp(ada.secret, int(time.time()) // 30 - 3)) for name, value in changed.items()}
    refusal = ada.log_in(**changed)
    assert refusal.status_code == 403 and "Location" not in refusal.headers
    assert "L&#39;e-mail, la password o il codice" in refusal.text or "L'e-mail, la password o il codice" in refusal.text
    for value in changed.values():
        assert len(value) < 6 or value not in refusal.text, "nothing that was typed comes back"


def test_code_is_good_once(ada, stack):
    code = totp(ada.secret)
    pages = [at_the_page(stack) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda page: ada.log_in(page, code=code).status_code, pages))
    assert sorted(answers) == [302, 403, 403, 403]
    ada.renew_step()
    assert ada.log_in().status_code == 302


def test_recovery_code_is_good_once(ada):
    assert ada.log_in(code=ada.recovery[0]).status_code == 302
    assert ada.log_in(code=ada.recovery[0]).status_code == 403
    assert ada.log_in(code=ada.recovery[1].lower().replace("-", " ")).status_code == 302
    kinds = ada.stack.sql("identity", f"SELECT kind FROM security_events WHERE subject_id = '{ada.operator['id']}'").split()
    assert kinds.count("recovery-code-used") == 2 and "account-activated" in kinds


def test_guessing_is_throttled_and_seen(ada, stack):
    pages = [at_the_page(stack) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda page: ada.log_in(page, code="000000").status_code, pages))
    assert sorted(answers) == 5 * [403] + 3 * [429], "also when they come at once"
    locked = ada.log_in()
    assert locked.status_code == 429 and 0 < int(locked.headers["Retry-After"]) <= 60, "the right ones do not help now"
    assert "lockedUntil" in ada.state()
    assert "login-throttled" in stack.sql("identity", f"SELECT kind FROM security_events WHERE subject_id = '{ada.operator['id']}'").split()
    stack.sql("identity", "UPDATE login_throttle SET locked_until = now()")
    assert ada.log_in(code="000000").status_code == 403
    longer = ada.log_in()
    assert longer.status_code == 429 and int(longer.headers["Retry-After"]) > int(locked.headers["Retry-After"])
    stack.sql("identity", "UPDATE login_throttle SET locked_until = now()")
    ada.renew_step()
    assert ada.log_in().status_code == 302 and "lockedUntil" not in ada.state(), "who gets in starts anew"


def test_account_that_does_not_exist_is_throttled_alike(ada):
    nobody = f"nobody.{secrets.token_hex(4)}@comune.bologna.example"
    assert [ada.log_in(login=nobody).status_code for _ in range(7)] == 5 * [403] + 2 * [429]


def test_address_is_throttled_across_accounts(ada, stack):
    stack.sql("identity", "INSERT INTO login_throttle (key, failures) VALUES (sha256('address 127.0.0.1'), 29)")
    assert ada.log_in(login="other@comune.bologna.example").status_code == 403
    assert ada.log_in().status_code == 429


def test_unknown_account_takes_as_long(ada, stack):
    """Medians of the service's own time, one after the other in turns: with and without an account of that name."""
    times = {True: [], False: []}
    browser = at_the_page(stack)
    for _ in range(12):
        for known in times:
            stack.sql("identity", "DELETE FROM login_throttle")
            begun = time.perf_counter()
            answer = ada.log_in(browser, password="sbagliata del tutto", login=ada.email if known else "nobody@comune.bologna.example")
            times[known].append(time.perf_counter() - begun)
            assert answer.status_code == 403
    known, unknown = statistics.median(times[True]), statistics.median(times[False])
    # a skipped argon2id would make the unknown one several times faster
    assert 0.6 < known / unknown < 1.67, (known, unknown)


def test_login_belongs_to_one_browser(ada, stack):
    victim, attacker = at_the_page(stack), at_the_page(stack)
    assert ada.log_in(victim, csrf=attacker.shown_csrf).status_code == 403
    attacker.request = victim.request
    assert ada.log_in(attacker, csrf=victim.shown_csrf).status_code == 400
    citizens = Browser(stack).begin()
    assert citizens.get("/identity/v1/operator-login", params={"request": citizens.request}).status_code == 400


def test_operator_without_roles_is_out(ada, stack):
    stack.sql("identity", f"UPDATE operators SET roles = '{{}}' WHERE id = '{ada.operator['id']}'")
    assert ada.log_in().status_code == 403


@pytest.mark.parametrize("password, code, why", [("corta", None, "12 caratteri"), (PASSWORD, "000000", "autenticatore"), ("{name}-e-altro", None, "nome")])
def test_activation_wants_a_good_password_and_the_authenticator(account, password, code, why):
    token = account.invite()
    answer = account.activate(token, password.format(name=account.email.split("@")[0]), code)
    assert answer.status_code == 422 and why in answer.text
    assert account.activate(token).status_code == 200, "a mistake does not use the link up"


def test_new_invitation_replaces_the_account(ada):
    tokens = at_the_page(ada.stack)
    session = tokens.redeem(answer_of(ada.log_in(tokens, expect=302))["code"]).json()
    first, second, old = ada.invite(), ada.invite(), ada.secret
    assert ada.admin.with_token(None).get(ACTIVATION, params={"token": first}).status_code == 400
    ada.renew_step()
    assert ada.log_in().status_code == 302, "until it is used the old account stands"
    assert ada.activate(second, "un'altra frase del tutto nuova").status_code == 200 and ada.secret != old
    refused(tokens.refresh(session["refresh_token"]), "invalid_grant")
    assert ada.log_in().status_code == 403 and ada.log_in(password="un'altra frase del tutto nuova").status_code == 302


def test_invite_operator_of_ones_own_tenant_with_an_email_of_her_own(ada, operator, stack, mailbox):
    path = f"/identity/v1/operators/{ada.operator['id']}/invitations"
    assert operator("c_a662").post(path).status_code == 404
    assert operator("c_a944", "mobilita").post(path).status_code == 403
    body = portico.new_operator()
    body.pop("email")
    silent = ada.admin.post("/identity/v1/operators", body, expect=201).json()
    assert ada.admin.post(f"/identity/v1/operators/{silent['id']}/invitations", expect=409).json()["type"] == "/problems/no-email"
    twin = ada.admin.post("/identity/v1/operators", portico.new_operator() | {"email": ada.email.upper()}, expect=201).json()
    assert ada.admin.post(f"/identity/v1/operators/{twin['id']}/invitations", expect=409).json()["type"] == "/problems/login-taken"
    stack.sql("identity", f"DELETE FROM operators WHERE id IN ('{silent['id']}', '{twin['id']}')")


def test_invitation_expires(account, stack):
    token = account.invite()
    stack.sql("identity", f"UPDATE operator_invitations SET expires_at = now() WHERE operator_id = '{account.operator['id']}'")
    assert account.admin.with_token(None).get(ACTIVATION, params={"token": token}).status_code == 400
    assert account.admin.with_token(None).post(ACTIVATION, data={"token": token, "password": PASSWORD, "code": "000000"}).status_code == 400


def test_first_administrator_of_a_tenant(stack, mailbox):
    """The command: nobody could invite her, because nobody can log in yet."""
    email, code = f"prima.{secrets.token_hex(4)}@comune.bologna.example", portico.fiscal_code()
    run = lambda *words: subprocess.run([contracts.ROOT / "deploy/first-administrator", "--state", stack.state, *words], capture_output=True, text=True)
    done = run("c_a944", code, "Prima", "Prova", email)
    assert done.returncode == 0 and email in done.stdout, done.stdout + done.stderr
    try:
        letter = portico.eventually(lambda: mailbox.to(email))[0]
        assert "/operator-activation?token=" in letter["text"]
        assert stack.sql("identity", f"SELECT roles FROM operators WHERE fiscal_code = '{code}'") == "{admin,operator}"
        assert run("c_a944", code, "Prima", "Prova", email).returncode != 0 and run("c_z999", code, "Prima", "Prova", email).returncode != 0
    finally:
        stack.sql("identity", f"DELETE FROM operators WHERE fiscal_code = '{code}'")
