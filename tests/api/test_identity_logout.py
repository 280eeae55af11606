"""Logout: by the front end with its id token, and told to the back ends of front ends, whatever ended the session."""
import json
import secrets
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from support.oauth import ANNA, Browser, answer_of, refused, seen_from_inside

SCOPES = "openid practices offline_access"


class BackEnd:
    """Of a front end: keeps what it is told, and answers with the next of the statuses (the last one for ever)."""

    def __init__(self, *statuses):
        self.told, self.statuses = [], list(statuses)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.told.append((self.path, self.headers["Content-Type"], parse_qs(body)))
                status = outer.statuses.pop(0) if len(outer.statuses) > 1 else outer.statuses[0]
                self.send_response(status)
                if status in (301, 302, 307, 308):
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def sessions(self):
        return {seen_from_inside(form["logout_token"][0])["sid"] for _, _, form in self.told}


@contextmanager
def front_end(stack, *statuses, uri="{back}/logout"):
    back = BackEnd(*(statuses or (200,)))
    name = "prova-" + secrets.token_hex(4)
    stack.sql("identity", "INSERT INTO clients (tenant_id, id, name, kind, scopes, redirect_uris, post_logout_redirect_uris, "
                          f"backchannel_logout_uri) VALUES ('c_a944', '{name}', 'Prova', 'citizens', '{{openid,practices,offline_access}}', "
                          f"'{{{stack.url()}/demo/callback}}', '{{{stack.url()}/demo/goodbye}}', '{uri.format(back=back.url)}')")
    try:
        yield Browser(stack, name), back
    finally:
        stack.sql("identity", f"DELETE FROM clients WHERE id = '{name}'")
        back.close()


def out(browser, tokens, by="GET", **changed):
    wanted = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": browser.base_url + "/demo/goodbye", "state": "a b&c"} | changed
    wanted = {name: value for name, value in wanted.items() if value is not None}
    return browser.send(by, "/identity/v1/logout", **({"params": wanted} if by == "GET" else {"data": wanted}))


@pytest.mark.parametrize("by", ["GET", "POST"])
def test_log_out_and_log_out_by_form(stack, by, eventually):
    with front_end(stack) as (browser, back):
        tokens = browser.tokens(scope=SCOPES)
        answer = out(browser, tokens, by)
        assert answer.headers["Location"].split("?")[0] == stack.url() + "/demo/goodbye" and answer_of(answer) == {"state": "a b&c"}
        refused(browser.refresh(tokens["refresh_token"]), "invalid_grant")
        eventually(lambda: back.told)
        assert out(browser, tokens, by).status_code == 302, "a second time is no fault"
        page = out(browser, tokens, by, post_logout_redirect_uri=None)
        assert page.status_code == 200 and "Prova" in page.text and "Location" not in page.headers


def test_id_token_hint_may_be_older_than_its_key(stack):
    with front_end(stack) as (browser, back):
        tokens = browser.tokens(scope=SCOPES)
        kid = jwt.get_unverified_header(tokens["id_token"])["kid"]
        row = stack.sql("identity", f"SELECT public FROM signing_keys WHERE kid = '{kid}'")
        assert "ok" in stack.sql("identity", "BEGIN; UPDATE signing_keys SET state = 'previous', since = now() - interval '2 hours' "
                                 f"WHERE kid = '{kid}'; SELECT rotate_signing_keys('30 days', '1 hour', '1 hour'); "
                                 f"SELECT 'ok' FROM signing_keys WHERE kid = '{kid}' AND state = 'retired' AND sealed = '' "
                                 f"AND list_hint_keys()::text LIKE '%{kid}%' AND list_signing_keys()::text NOT LIKE '%{kid}%'; ROLLBACK")
        assert json.loads(row)["kid"] == kid


@pytest.mark.parametrize("changed", [
    {"id_token_hint": None}, {"id_token_hint": "x.y.z"}, {"id_token_hint": "{access_token}"}, {"id_token_hint": "{tampered}"},
    {"client_id": "demo-area"}, {"post_logout_redirect_uri": "https://evil.example/"}, {"post_logout_redirect_uri": "{uri}/"},
    {"post_logout_redirect_uri": "{uri}?x=1"}, {"post_logout_redirect_uri": "//evil.example"}, {"post_logout_redirect_uri": ""}], ids=str)
def test_logout_that_nobody_asked_for_changes_nothing(stack, changed):
    with front_end(stack) as (browser, back):
        tokens = browser.tokens(scope=SCOPES)
        head, payload, signature = tokens["id_token"].split(".")
        known = {"access_token": tokens["access_token"], "tampered": f"{head}.{payload[:-2]}AA.{signature}",
                 "uri": browser.base_url + "/demo/goodbye"}
        answer = out(browser, tokens, **{name: value and value.format(**known) for name, value in changed.items()})
        assert answer.status_code == 400 and "Location" not in answer.headers and "text/html" in answer.headers["Content-Type"]
        assert browser.refresh(tokens["refresh_token"]).status_code == 200


def test_back_channel_logout_is_told_whatever_ends_the_session(stack, anonymous, eventually):
    with front_end(stack) as (browser, back):
        by_front_end, by_owner, by_replay = [browser.tokens(scope=SCOPES) for _ in range(3)]
        staying = browser.tokens(scope=SCOPES)
        out(browser, by_front_end)
        owner = Browser(stack)
        owner.with_token(owner.tokens()["access_token"]).delete(
            f"/identity/v1/sessions/{seen_from_inside(by_owner['access_token'])['sid']}", expect=204)
        browser.refresh(by_replay["refresh_token"])
        browser.refresh(by_replay["refresh_token"])
        wanted = {seen_from_inside(tokens["access_token"])["sid"] for tokens in (by_front_end, by_owner, by_replay)}
        eventually(lambda: back.sessions() == wanted)
        assert seen_from_inside(staying["access_token"])["sid"] not in back.sessions() and len(back.told) == 3

        path, media_type, form = back.told[0]
        assert (path, media_type, list(form)) == ("/logout", "application/x-www-form-urlencoded", ["logout_token"])
        token = form["logout_token"][0]
        header = jwt.get_unverified_header(token)
        assert (header["typ"], header["alg"]) == ("logout+jwt", "ES256")
        key = next(key for key in anonymous.get("/identity/v1/jwks.json").json()["keys"] if key["kid"] == header["kid"])
        claims = jwt.decode(token, jwt.PyJWK(key), algorithms=["ES256"], audience=browser.client_id, issuer=stack.url() + "/identity/v1")
        assert set(claims) == {"iss", "aud", "iat", "exp", "jti", "sid", "sub", "events"}
        assert claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}} and claims["exp"] - time.time() <= 120
        bearer = browser.with_token(token)
        assert bearer.get("/identity/v1/me").status_code == 401, "a logout token opens nothing"


def test_back_channel_logout_is_repeated_until_taken(stack, eventually):
    with front_end(stack, 503, 500, 204) as (browser, back):
        out(browser, browser.tokens(scope=SCOPES))

        def tried_again():
            stack.sql("identity", f"UPDATE logout_notices SET due_at = now() WHERE client_id = '{browser.client_id}' AND settled_at IS NULL; "
                                  "NOTIFY tasks, 'backchannel-logout'")
            return len(back.told) == 3
        eventually(tried_again, every=0.5)
        states = f"SELECT attempts || ' ' || outcome FROM logout_notices WHERE client_id = '{browser.client_id}'"
        eventually(lambda: stack.sql("identity", states) == "3 told")


@pytest.mark.parametrize("status", [302, 400, 404])
def test_back_channel_logout_follows_no_redirect_and_takes_no_for_an_answer(stack, status, eventually):
    with front_end(stack, status) as (browser, back):
        out(browser, browser.tokens(scope=SCOPES))
        state = f"SELECT outcome FROM logout_notices WHERE client_id = '{browser.client_id}'"
        eventually(lambda: stack.sql("identity", state))
        assert stack.sql("identity", state) == (f"refused with {status}" if status != 302 else "no answer")
        assert [path for path, _, _ in back.told] == ["/logout"]


def test_dead_back_end_delays_nobody(stack, eventually):
    """Its notices wait together; those of others go out."""
    with front_end(stack, uri="http://127.0.0.1:1/logout") as (dead, _), front_end(stack) as (alive, back):
        for _ in range(3):
            out(dead, dead.tokens(scope=SCOPES))
        tokens = alive.tokens(scope=SCOPES)
        begun = time.monotonic()
        assert out(alive, tokens).status_code == 302
        assert time.monotonic() - begun < 5, "who logs out does not wait for anybody's back end"
        eventually(lambda: back.told)
        waiting = "SELECT count(*) FROM logout_notices WHERE client_id = '%s' AND settled_at IS NULL AND due_at > now()" % dead.client_id
        eventually(lambda: stack.sql("identity", waiting) == "3")
        assert int(stack.sql("identity", f"SELECT sum(attempts) FROM logout_notices WHERE client_id = '{dead.client_id}'")) <= 3
