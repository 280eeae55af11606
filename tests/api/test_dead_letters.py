"""Events that a service could not take: seen with their cause and delivered again by the administrators of their tenant."""
import json
import uuid

import pytest
from support import portico

CONSUMERS = ("dossier", "payments", "notifications", "protocol")


@pytest.fixture
def elena(operator):
    """The administrator of Bologna."""
    return operator("c_a944")


def letters(client, service):
    found, page = [], {"next": None}
    while "next" in page:
        page = client.get(f"/{service}/v1/dead-letters", params={"limit": 100} | ({"after": page["next"]} if page["next"] else {}),
                          expect=200).json()
        found += page["items"]
    return {letter["id"]: letter for letter in found}


def poison(stack, tenant="c_a944"):
    """A practice that does not exist was sent in, says the dossier."""
    return stack.sql("dossier", f"SELECT emit_event('{tenant}', 'practice.submitted', p.id, NULL, jsonb_build_object('practiceId', p.id)) "
                                f"FROM (SELECT '{uuid.uuid4()}'::uuid AS id) p")


def test_poison_is_a_dead_letter_with_its_cause(elena, stack, eventually):
    event = poison(stack)
    letter = eventually(lambda: letters(elena, "protocol").get(event))
    assert letter["source"] == "dossier" and letter["status"] == 404 and letter["problem"] == "not-found" and letter["detail"]
    assert letter["event"]["type"] == "it.portico.practice.submitted" and letter["attempts"] == 1 and not letter["redriven"]
    assert f'portico_dead_letters {letters_there(stack)}' in elena.http.get(stack.url("protocol") + "/metrics", timeout=10).text


def letters_there(stack):
    return stack.sql("protocol", "SELECT count(*) FROM dead_letters")


def test_what_is_still_poison_stays_with_one_more_attempt(elena, stack, eventually):
    event = poison(stack)
    eventually(lambda: letters(elena, "protocol").get(event))
    assert elena.post(f"/protocol/v1/dead-letters/{event}/redrive", expect=202).json() == {"redriven": 1}
    eventually(lambda: letters(elena, "protocol")[event]["attempts"] == 2 and not letters(elena, "protocol")[event]["redriven"])


def envelope_of(stack, source, event):
    return stack.sql(source, "SELECT envelope FROM event_log l, outbox o, LATERAL event_batch(o.position - 1, l.position, 1) "
                             f"WHERE o.id = '{event}'")


def bury(stack, service, source, event, tenant="c_a944", envelope=None):
    """As if the event had failed twenty times."""
    stack.sql(service, "INSERT INTO dead_letters (tenant_id, source, event_id, position, envelope, status, cause, attempts) VALUES "
                       f"('{tenant}', '{source}', '{event}', 1, $e${envelope or envelope_of(stack, source, event)}$e$, 503, '{{}}', 20)")


def test_what_is_mended_has_its_effect(elena, operator, citizen, stack, eventually):
    """The notice of a payment that notifications gave up is written once it is delivered again."""
    anna = citizen("Anna Bianchi")
    position = portico.position(operator("c_a944", "tributi"), anna)
    event = stack.sql("payments", f"SELECT id FROM outbox WHERE type = 'position.created' AND aggregate_id = '{position['id']}'")
    notices = f"FROM notices WHERE event_id = '{event}'"
    eventually(lambda: stack.sql("notifications", f"SELECT count(*) {notices}") == "1")
    stack.sql("notifications", f"DELETE FROM deliveries WHERE notice_id IN (SELECT id {notices}); DELETE {notices}; "
                               f"DELETE FROM inbox WHERE event_id = '{event}'")
    bury(stack, "notifications", "payments", event)
    elena.post(f"/notifications/v1/dead-letters/{event}/redrive", expect=202)
    eventually(lambda: stack.sql("notifications", f"SELECT count(*) {notices}") == "1")
    eventually(lambda: event not in letters(elena, "notifications"))


@pytest.fixture(scope="module")
def a_practice(citizen):
    """Sent in, registered, its fee asked for: every consumer has heard of something."""
    davide = citizen("Davide Conti")
    practice = portico.draft(davide)
    portico.act(davide, practice, "submission")
    return portico.due_of(davide, practice)


@pytest.mark.parametrize("service", CONSUMERS)
def test_all_of_a_tenant_are_delivered_again_and_nobody_elses(elena, operator, stack, eventually, a_practice, service):
    """An event that was taken long ago: delivered again it is a duplicate, and its letter is gone."""
    grazia, other = operator("c_a662"), str(uuid.uuid4())
    known = eventually(lambda: stack.sql(service, "SELECT source, event_id FROM inbox WHERE tenant_id = 'c_a944' "
                                                  "ORDER BY received_at DESC LIMIT 1"))
    source, event = known.split("|")
    bury(stack, service, source, event)
    bury(stack, service, source, other, tenant="c_a662", envelope=json.dumps({"id": other, "specversion": "1.0"}))
    try:
        grazia.post(f"/{service}/v1/dead-letters/{event}/redrive", expect=404)
        assert event in letters(elena, service) and other not in letters(elena, service)
        assert elena.post(f"/{service}/v1/dead-letters/redrive", expect=202).json()["redriven"] >= 1
        eventually(lambda: event not in letters(elena, service))
        assert stack.sql(service, f"SELECT redrive, attempts FROM dead_letters WHERE event_id = '{other}'") == "f|20"
    finally:
        stack.sql(service, f"DELETE FROM dead_letters WHERE event_id IN ('{event}', '{other}')")
