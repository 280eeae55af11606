"""The journal of security events: written whatever happens, read by its person, changed by nobody without being seen."""
import subprocess

import pytest

from support import contracts, oauth, portico
from support.oauth import ANNA, Browser, seen_from_inside

LUCA = "FRRLCU71L04A662B"


@pytest.fixture
def someone(stack):
    """A person of her own, with a browser: code, browser."""
    code = portico.fiscal_code()
    attributes = '{"spidCode": "DEMO0000000008", "name": "Bice", "familyName": "Prova", "fiscalNumber": "TINIT-%s"}' % code
    stack.sql("identity", f"INSERT INTO demo_identities VALUES ('c_a944', '{code}', 'prova', '{attributes}')")
    yield code
    stack.sql("identity", f"DELETE FROM demo_identities WHERE id = '{code}'")


def journal(browser, token):
    return browser.with_token(token).get("/identity/v1/me/journal?limit=100", expect=200).json()["items"]


def test_list_journal_tells_the_person_in_italian(stack, someone, operator):
    browser = Browser(stack)
    first = browser.tokens(someone)
    browser.refresh(first["refresh_token"])
    browser.refresh(first["refresh_token"])
    owner = Browser(stack)
    token = owner.tokens(someone)["access_token"]
    other = browser.tokens(someone)
    owner.with_token(token).delete(f"/identity/v1/sessions/{seen_from_inside(other['access_token'])['sid']}", expect=204)
    owner.with_token(token).patch("/identity/v1/me", {"contacts": {"email": "bice@posta.example", "mobilePhone": "+393330000000"}}, expect=200)
    desk = operator("c_a944", "mobilita")
    made = portico.mandate(desk, someone)
    owner.with_token(token).delete(f"/identity/v1/mandates/{made['id']}", expect=204)
    items = journal(owner, token)
    assert [(item["kind"], item["text"].split(":")[0]) for item in items] == [
        ("mandate-ended", "Hai chiuso il mandato al Comune di Bologna."),
        ("mandate-given", items[1]["text"]),
        ("contacts-changed", "I tuoi recapiti sono cambiati"),
        ("logout", "Hai chiuso un accesso a «Area personale»."),
        ("login", "Accesso a «Area personale» con il fornitore dimostrativo."),
        ("login", "Accesso a «Area personale» con il fornitore dimostrativo."),
        ("attack-stopped", "L'accesso a «Area personale» è stato chiuso per sicurezza"),
        ("login", "Accesso a «Area personale» con il fornitore dimostrativo.")]
    assert items[1]["text"].startswith("Hai dato mandato al Comune di Bologna di agire per te, fino al ") and items[1]["actor"] == desk.sub
    assert items[2]["text"] == "I tuoi recapiti sono cambiati: e-mail e cellulare."
    assert "bice@posta.example" not in stack.sql("identity", "SELECT string_agg(row_to_json(e)::text, '') FROM security_events e")
    page = owner.with_token(token).get("/identity/v1/me/journal?limit=3", expect=200).json()
    rest = owner.with_token(token).get(f"/identity/v1/me/journal?limit=100&after={page['next']}", expect=200).json()
    assert page["items"] + rest["items"] == items and "next" not in rest


def test_who_acted_is_named(stack, someone, operator):
    browser = Browser(stack)
    token = browser.tokens(someone)["access_token"]
    made = portico.mandate(operator("c_a944", "mobilita"), someone)
    desk = Browser(stack, "demo-desk", "/demo/desk")
    own = desk.tokens("0192f000-0000-7000-8000-000000000102", scope="openid desk:persons")
    desk.post("/identity/v1/token", expect=200, data={
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "client_id": "demo-desk", "subject_token": made["id"],
        "subject_token_type": "urn:portico:params:oauth:token-type:mandate", "actor_token": own["access_token"],
        "actor_token_type": "urn:ietf:params:oauth:token-type:access_token"})
    began = journal(browser, token)[0]
    assert (began["kind"], began["actor"], began["tenant"]) == ("acting-began", "0192f000-0000-7000-8000-000000000102", "c_a944")
    assert began["text"] == "Un operatore del Comune di Bologna ha iniziato ad agire per te, con il tuo mandato."


def test_journal_is_ones_own(stack, someone):
    browser = Browser(stack)
    mine = {item["id"] for item in journal(browser, browser.tokens(someone)["access_token"])}
    assert mine and not mine & {item["id"] for item in journal(browser, browser.tokens(ANNA)["access_token"])}
    assert browser.with_token(browser.tokens(ANNA, scope="openid")["access_token"]).get("/identity/v1/me/journal").status_code == 403


@pytest.mark.parametrize("statement", [
    "UPDATE security_events SET kind = 'nothing' WHERE id = (SELECT max(id::text)::uuid FROM security_events)",
    "UPDATE security_events SET detail = '{}', link = 1, chain = '' WHERE link IS NULL",
    "DELETE FROM security_events WHERE id = (SELECT max(id::text)::uuid FROM security_events)", "TRUNCATE security_events"])
def test_nobody_changes_the_journal(stack, statement):
    """Not even the superuser, as long as he does not take the triggers away; the service's own roles may not write it at all."""
    Browser(stack).tokens()
    with pytest.raises(RuntimeError, match="kept as it is|violates"):
        stack.sql("identity", statement + ";" if "link IS NULL" not in statement else
                  "BEGIN; SELECT journal('prova', uuid7()); " + statement + "; COMMIT")
    for role in ("portico_identity", "portico_identity_worker"):
        assert stack.sql("identity", f"SELECT has_table_privilege('{role}', 'security_events', 'INSERT') OR "
                                     f"has_table_privilege('{role}', 'security_events', 'UPDATE') OR "
                                     f"has_table_privilege('{role}', 'security_events', 'DELETE') OR "
                                     f"has_function_privilege('{role}', 'journal(text, uuid, jsonb, uuid, text, text, uuid)', 'EXECUTE')") == "f"


def verify(stack):
    return subprocess.run([contracts.ROOT / "deploy/verify", "--state", stack.state], capture_output=True, text=True)


def test_command_finds_what_was_changed(stack, eventually):
    for _ in range(3):
        Browser(stack).tokens()
    eventually(lambda: stack.sql("identity", "SELECT count(*) FROM security_events WHERE link IS NULL") == "0")
    whole = verify(stack)
    assert whole.returncode == 0 and "security_events: whole; last link" in whole.stdout, whole.stdout + whole.stderr

    def broken(change):
        """What the verification says of it, in a transaction that never was."""
        return stack.sql("identity", "BEGIN; ALTER TABLE security_events DISABLE TRIGGER USER; " + change +
                         "; SELECT fault FROM verify_journal(); ROLLBACK").splitlines()
    last = "(SELECT max(link) FROM security_events)"
    assert broken(f"UPDATE security_events SET at = at - interval '1 second' WHERE link = {last}") == ["changed"]
    assert broken(f"UPDATE security_events SET subject_id = uuid7() WHERE link = {last}") == ["changed"]
    assert broken(f"UPDATE security_events SET detail = detail || '{{\"x\": 1}}' WHERE link = {last} - 1") == ["changed"]
    assert broken(f"DELETE FROM security_events WHERE link = {last} - 1") == ["lines before it are missing"]
    assert broken("DELETE FROM security_events WHERE link = 1") == ["lines before it are missing"]
    assert broken(f"UPDATE security_events e SET detail = '{{}}', kind = 'x', chain = journal_link((e.id, e.at, 'x', e.subject_id, e.actor_id, "
                  f"e.tenant_id, e.client_id, e.session_id, '{{}}'::jsonb, e.link, e.previous, e.chain)::security_events, e.previous) "
                  f"WHERE link = {last} - 1") == ["out of order"], "a link that was computed anew does not fit the next one"


def test_list_preference_versions_with_their_proof(stack, someone):
    browser = Browser(stack)
    me = browser.with_token(browser.tokens(someone)["access_token"])
    versions = lambda **query: me.get("/identity/v1/me/preferences/versions", params=query, expect=200).json()
    [first] = versions()["items"]
    assert first["number"] == 1 and first["preferences"] == me.get("/identity/v1/me/preferences", expect=200).json()
    wanted = {"language": "de", "channels": ["email"], "exceptions": [{"tenant": "c_a944", "topic": "payments", "channels": ["app-io"]}]}
    for body in (wanted, wanted, wanted | {"exceptions": []}):
        me.put("/identity/v1/me/preferences", body, expect=200)
    me.patch("/identity/v1/me", {"contacts": {"mobilePhone": "+393330000009"}}, expect=200)
    items = versions()["items"]
    assert [item["number"] for item in items] == [3, 2, 1], "what says the same again is no version, and contacts are none"
    assert items[1]["preferences"] == wanted and items[2] == first and items[0]["preferences"]["exceptions"] == []
    page = versions(limit=2)
    assert page["items"] + versions(limit=2, after=page["next"])["items"] == items
    sub = me.get("/identity/v1/me", expect=200).json()["id"]
    proofs = stack.sql("identity", "SELECT detail ->> 'version' || ' ' || (detail ->> 'sha256') FROM security_events "
                                   f"WHERE subject_id = '{sub}' AND kind = 'preferences-changed' ORDER BY id").splitlines()
    assert proofs == [f"{item['number']} {item['sha256']}" for item in items[1::-1]]
    with pytest.raises(RuntimeError, match="stays as it was"):
        stack.sql("identity", f"UPDATE preference_versions SET preferences = '{{}}' WHERE person_id = '{sub}'")
