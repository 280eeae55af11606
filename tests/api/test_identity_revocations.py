"""The feed of what was revoked, as the gateway reads it: everything, once committed, in pages, never missed."""
import subprocess
import uuid

import pytest

from support import oauth, portico
from support.oauth import ANNA, Browser, seen_from_inside

FEED = "/identity/v1/revocations"


@pytest.fixture
def sibling(stack):
    return oauth.sibling(stack)


@pytest.fixture
def feed(sibling):
    """What was revoked since the fixture was asked for, or since the call before."""
    cursor = None

    def read():
        nonlocal cursor
        found = []
        while True:
            answer = sibling(FEED, **({"after": cursor} if cursor else {}))
            assert answer.status_code == 200, answer.text
            page = answer.json()
            cursor = page["next"]
            found += page["items"]
            if len(page["items"]) < 1000:
                return found
    read()
    return read


@pytest.fixture
def spare(stack):
    """A client that nobody else uses; gone at the end."""
    name = "spare-" + uuid.uuid4().hex[:8]
    stack.sql("identity", f"INSERT INTO clients (tenant_id, id, name, kind, secret_sha256, scopes) VALUES ('c_a944', '{name}', 'Prova', "
                          f"'partner', sha256('x'), '{{partner:positions}}')")
    yield name
    stack.sql("identity", f"DELETE FROM clients WHERE id = '{name}'")


def session_of(tokens):
    return seen_from_inside(tokens["access_token"])["sid"]


def kinds(items):
    return {(item["kind"], item["id"]) for item in items}


def test_list_revocations_has_every_end_of_a_session(stack, feed):
    browser = Browser(stack)
    by_owner, by_client, by_replay, by_hand, by_removal = [browser.tokens() for _ in range(5)]
    owner = browser.with_token(by_owner["access_token"])
    owner.delete(f"/identity/v1/sessions/{session_of(by_owner)}", expect=204)
    browser.post("/identity/v1/revoke", data={"client_id": "demo-area", "token": by_client["refresh_token"]}, expect=200)
    browser.refresh(by_replay["refresh_token"])
    assert browser.refresh(by_replay["refresh_token"]).status_code == 400
    stack.sql("identity", f"UPDATE sessions SET expires_at = now() WHERE id = '{session_of(by_hand)}'")
    stack.sql("identity", f"DELETE FROM sessions WHERE id = '{session_of(by_removal)}'")
    items = feed()
    wanted = {("session", session_of(tokens)) for tokens in (by_owner, by_client, by_replay, by_hand, by_removal)}
    assert wanted <= kinds(items)
    assert not any("notBefore" in item for item in items if item["kind"] == "session"), "a session never comes back"
    assert not wanted & kinds(feed()), "the cursor is behind them"
    owner.delete(f"/identity/v1/sessions/{session_of(by_owner)}")
    assert ("session", session_of(by_owner)) not in kinds(feed()), "an end is told once"


def test_list_revocations_has_suspended_clients(stack, feed, spare):
    stack.sql("identity", f"UPDATE clients SET suspended_at = now() WHERE id = '{spare}'")
    [item] = [item for item in feed() if item["id"] == spare]
    assert item["kind"] == "client"
    moment = float(stack.sql("identity", f"SELECT extract(epoch FROM '{item['revokedAt']}'::timestamptz)"))
    assert moment + 2 <= item["notBefore"] <= moment + 4
    stack.sql("identity", f"UPDATE clients SET suspended_at = now() - interval '1 hour' WHERE id = '{spare}'")
    stack.sql("identity", f"UPDATE clients SET suspended_at = NULL WHERE id = '{spare}'")
    assert spare not in {item["id"] for item in feed()}, "neither a correction nor the end of a suspension revokes"


def test_blocked_person_is_out_until_unblocked(stack, feed):
    code = portico.fiscal_code()
    attributes = '{"spidCode": "DEMO0000000009", "name": "Bice", "familyName": "Prova", "fiscalNumber": "TINIT-%s"}' % code
    stack.sql("identity", f"INSERT INTO demo_identities VALUES ('c_a944', '{code}', 'prova', '{attributes}')")
    browser = Browser(stack)
    try:
        tokens = browser.tokens(code)
        sub = seen_from_inside(tokens["access_token"])["sub"]
        assert stack.sql("identity", f"SELECT block_person('{code}', 'furto di identità')") == "t"
        assert {("subject", sub), ("session", session_of(tokens))} <= kinds(feed())
        assert browser.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
        refusal = Browser(stack).begin().choose(code)
        assert refusal.status_code == 403 and "text/html" in refusal.headers["Content-Type"] and "bloccato" in refusal.text
        stack.sql("identity", f"SELECT unblock_person('{code}')")
        assert browser.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant", "what ended stays ended"
        assert browser.tokens(code)["access_token"]
    finally:
        stack.sql("identity", f"DELETE FROM demo_identities WHERE id = '{code}'")


def test_taking_a_role_revokes_and_giving_one_does_not(operator, feed):
    elena = operator("c_a944")
    made = elena.post("/identity/v1/operators", portico.new_operator() | {"roles": ["operator", "admin"]}, expect=201).json()
    assert made["id"] not in {item["id"] for item in feed()}
    elena.delete(f"/identity/v1/operators/{made['id']}/roles/admin", expect=204)
    assert ("subject", made["id"]) in kinds(feed())


def test_what_commits_late_is_not_missed(stack, feed, eventually):
    """A transaction revokes, then waits; a later one commits before it, and the reader has already gone on."""
    slow, fast = Browser(stack).tokens(), Browser(stack).tokens()
    end = "UPDATE sessions SET ended_at = now() WHERE id = '%s'"
    holder = subprocess.Popen(
        ["psql", "-X", "-q", "-h", stack._socket(), "-p", str(stack.port("postgres")), "-U", "postgres", "-d", "portico_identity"],
        stdin=subprocess.PIPE, text=True)
    try:
        holder.stdin.write(f"BEGIN; {end % session_of(slow)};\n")
        holder.stdin.flush()
        eventually(lambda: stack.sql("identity", "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE "
                                                 f"'%{session_of(slow)}%'") == "1")
        stack.sql("identity", end % session_of(fast))
        seen = kinds(feed())
        assert ("session", session_of(fast)) in seen and ("session", session_of(slow)) not in seen
        assert not kinds(feed()) & {("session", session_of(slow))}
        holder.communicate("COMMIT;\n", timeout=20)
        assert ("session", session_of(slow)) in kinds(feed())
    finally:
        holder.kill()


def test_many_come_in_pages(stack, feed):
    many = "INSERT INTO revocations (kind, revoked) SELECT 'session', uuid7() FROM generate_series(1, 2500) RETURNING revoked"
    made = set(stack.sql("identity", many).split())
    try:
        items = [item["id"] for item in feed()]
        assert made <= set(items) and len(items) == len(set(items))
    finally:
        stack.sql("identity", "DELETE FROM revocations WHERE revoked = ANY ('{%s}')" % ",".join(made))


def test_cursor_of_another_run_begins_anew(sibling, stack):
    tokens = Browser(stack).tokens(ANNA)
    stack.sql("identity", f"UPDATE sessions SET ended_at = now() WHERE id = '{session_of(tokens)}'")
    position, run = sibling(FEED).json()["next"].split("-")
    for cursor in (f"{position}-1", f"{int(position) + 1000}-{run}"):
        assert ("session", session_of(tokens)) in kinds(sibling(FEED, after=cursor).json()["items"]), cursor
    assert sibling(FEED, after="x").status_code == 400


def test_old_revocations_are_removed(stack, feed, eventually):
    stack.sql("identity", "INSERT INTO revocations (kind, revoked, revoked_at) VALUES ('session', 'long ago', now() - interval '16 minutes'); "
                          "NOTIFY tasks, 'sweep-revocations'")
    assert "long ago" not in {item["id"] for item in feed()}
    eventually(lambda: stack.sql("identity", "SELECT count(*) FROM revocations WHERE revoked = 'long ago'") == "0")


def test_feed_is_for_siblings_only(anonymous, citizen, operator):
    for caller in (anonymous, citizen("Anna Bianchi"), operator("c_a944")):
        assert caller.get(FEED).status_code in (401, 403, 404)


# ---- the whole way: what is revoked opens nothing any more, through the gateway

def stops(client, path, eventually):
    client.get(path, expect=200)
    return lambda: eventually(lambda: client.get(path).status_code == 401, within=10)


@pytest.mark.parametrize("end", ["logged out", "revoked", "replayed", "ended by its owner"])
def test_access_token_dies_with_its_session(stack, eventually, end):
    browser = Browser(stack)
    tokens = browser.tokens()
    dead = stops(browser.with_token(tokens["access_token"]), "/identity/v1/me", eventually)
    other = browser.with_token(browser.tokens()["access_token"])
    if end == "logged out":
        browser.post("/identity/v1/logout", data={"id_token_hint": tokens["id_token"]}, expect=200)
    elif end == "revoked":
        browser.post("/identity/v1/revoke", data={"client_id": "demo-area", "token": tokens["refresh_token"]}, expect=200)
    elif end == "replayed":
        for _ in range(2):
            browser.refresh(tokens["refresh_token"])
    else:
        other.delete(f"/identity/v1/sessions/{session_of(tokens)}", expect=204)
    dead()
    other.get("/identity/v1/me", expect=200)


def test_tokens_of_a_suspended_client_die_and_later_ones_live(stack, anonymous, eventually):
    name = "spare-" + uuid.uuid4().hex[:8]
    stack.sql("identity", f"INSERT INTO clients (tenant_id, id, name, kind, secret_sha256, scopes) VALUES ('c_a944', '{name}', 'Prova', "
                          f"'partner', sha256('x'), '{{partner:registrations}}')")
    path = "/protocol/v1/registrations"

    def fresh():
        token = anonymous.post("/identity/v1/token", auth=(name, "x"), data={"grant_type": "client_credentials"}, expect=200).json()["access_token"]
        return anonymous.with_token(token)
    try:
        dead = stops(fresh(), path, eventually)
        stack.sql("identity", f"UPDATE clients SET suspended_at = now() WHERE id = '{name}'")
        dead()
        stack.sql("identity", f"UPDATE clients SET suspended_at = NULL WHERE id = '{name}'")
        eventually(lambda: fresh().get(path).status_code == 200, within=15)
    finally:
        stack.sql("identity", f"DELETE FROM clients WHERE id = '{name}'")


def test_end_of_a_mandate_stops_the_helper(stack, operator, citizen, eventually):
    made = portico.mandate(operator("c_a944", "mobilita"), "GRCPLA58R30A944T")
    desk = Browser(stack, "demo-desk", "/demo/desk")
    own = desk.tokens("0192f000-0000-7000-8000-000000000102", scope="openid desk:persons")
    acting = desk.post("/identity/v1/token", expect=200, data={
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "client_id": "demo-desk", "subject_token": made["id"],
        "subject_token_type": "urn:portico:params:oauth:token-type:mandate", "actor_token": own["access_token"],
        "actor_token_type": "urn:ietf:params:oauth:token-type:access_token"}).json()["access_token"]
    dead = stops(desk.with_token(acting), "/dossier/v1/practices", eventually)
    citizen("Paolo Greco").delete(f"/identity/v1/mandates/{made['id']}", expect=204)
    dead()
