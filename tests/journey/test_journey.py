"""One citizen all the way through: from the search in the catalogue to the permit, on the real parts, through the gateway."""
import subprocess

import pytest
from support import portico
from support.portico import eventually


@pytest.fixture(scope="module")
def journey():
    """What the steps hand on to each other. They run in the order of this file; each needs those before it."""
    return {}


@pytest.fixture(scope="module")
def anna(citizen):
    return citizen("Anna Bianchi")


@pytest.fixture(scope="module")
def chiara(operator):
    return operator("c_a944", "mobilita")


def test_she_finds_the_service_by_a_few_letters(anna, journey):
    for words in ("passo carraio", "pass carr", "passi carrabili"):
        found = anna.get("/dossier/v1/services", params={"q": words, "tenant": "c_a944"}, expect=200).json()["items"]
        assert found and found[0]["code"] == "passo-carraio", f"{words!r} finds {[item['code'] for item in found]}"
    journey["service"] = found[0]


def test_the_form_knows_her_already(anna, journey):
    """Within a moment of her first login: dossier hears of her from identity by an event."""
    def form():
        shown = anna.get(f"/dossier/v1/services/{journey['service']['id']}/form", expect=200).json()
        return anna.person["fiscal code"] in shown["prefill"].values() and shown
    journey["form"] = eventually(form)


def test_she_begins_a_draft_and_comes_back_to_it(anna, journey):
    made = anna.post("/dossier/v1/practices", {"serviceId": journey["service"]["id"], "data": journey["form"]["prefill"]},
                     headers={"Idempotency-Key": "journey-" + portico.unique()}, expect=201).json()
    assert made["state"] == "draft"
    anna.patch(f"/dossier/v1/practices/{made['id']}", {"data": portico.answers(journey["form"])}, expect=200)
    journey["practice"] = made


def test_nobody_else_sees_the_draft(journey, citizen, chiara):
    for other in (citizen("Paolo Greco"), chiara):
        other.get(f"/dossier/v1/practices/{journey['practice']['id']}", expect=404)


def test_it_is_not_taken_without_its_attachment(anna, journey):
    answer = anna.post(f"/dossier/v1/practices/{journey['practice']['id']}/submission", expect=422).json()
    assert answer["type"] == "/problems/attachment-missing"


def test_she_attaches_a_pdf(anna, journey):
    for attachment in journey["form"]["attachments"]:
        if attachment["required"]:
            document = portico.attach(anna, journey["practice"], kind=attachment["kind"], name="planimetria.pdf")
            assert document["size"] == len(portico.PDF)


def test_she_sends_it_in_and_it_gets_its_registration_number(anna, journey):
    sent = portico.act(anna, journey["practice"], "submission")
    assert sent["state"] == "submitted"
    practice = portico.await_state(anna, sent, "payment-due")
    assert practice["registration"]["number"] > 0
    journey["practice"] = practice


def test_the_register_of_the_city_has_it_with_the_digest_of_each_document(chiara, journey):
    entry = chiara.get(f"/protocol/v1/registrations/{journey['practice']['registration']['id']}", expect=200).json()
    assert entry["direction"] == "in" and entry["number"] == journey["practice"]["registration"]["number"]
    digests = {document["sha256"] for document in entry["documents"]}
    assert {document["sha256"] for document in journey["practice"]["documents"]} <= digests


def test_a_fee_notice_appears_and_she_pays_it_at_pagopa(anna, pagopa, journey):
    due = portico.due_of(anna, journey["practice"])
    assert due["amount"] == journey["service"]["fee"] and due["state"] == "open"
    assert len(due["noticeNumber"]) == 18
    pagopa.pay(anna, due)
    paid = eventually(lambda: anna.get(f"/payments/v1/positions/{due['id']}").json()["state"] == "paid"
                      and anna.get(f"/payments/v1/positions/{due['id']}", expect=200).json())
    assert paid["outstanding"]["amount"] == 0
    receipt = anna.get(f"/payments/v1/positions/{due['id']}/receipt", expect=200).json()["receipts"][0]
    assert receipt["amount"] == due["amount"]
    journey["due"] = due


def test_then_the_practice_moves_on_by_itself(anna, journey):
    journey["practice"] = portico.await_state(anna, journey["practice"], "in-review")


def test_she_is_told_of_each_step_by_e_mail_and_on_app_io(anna, mailbox, appio, journey):
    """Her notices of the practice so far, and each is in her mailbox and on her phone."""
    told_of = lambda: {notice["template"]: notice for notice in anna.get(
        "/notifications/v1/notices", params={"limit": 100}, expect=200).json()["items"]
        if notice.get("reference", {}).get("id") in (journey["practice"]["id"], journey["due"]["id"]) and "template" in notice}
    wanted = {"practice.submitted", "practice.registered", "practice.in-review"}
    notices = eventually(lambda: wanted <= told_of().keys() and told_of())
    for name in wanted:
        subject = notices[name]["subject"]
        eventually(lambda: any(message["subject"] == subject for message in mailbox.to(portico.email_of(anna))))
        eventually(lambda: any(message["subject"] == subject for message in appio.to(anna.person["fiscal code"])))


def test_she_books_an_appointment_at_the_office(anna, journey):
    held = portico.hold(anna, reference={"kind": "practice", "id": journey["practice"]["id"]})
    confirmed = anna.post(f"/booking/v1/appointments/{held['id']}/confirmation", expect=200).json()
    assert confirmed["state"] == "confirmed" and confirmed["office"]["code"] == "mobilita"
    journey["appointment"] = confirmed


def test_the_operator_sees_it_in_her_queue(chiara, journey):
    def queue():
        found, after = [], None
        while True:
            page = chiara.get("/dossier/v1/practices", params={"office": "mobilita", "state": "in-review", "limit": 100} |
                              ({"after": after} if after else {}), expect=200).json()
            found += [item["id"] for item in page["items"]]
            after = page.get("next")
            if not after:
                return found
    assert journey["practice"]["id"] in queue()
    assigned = portico.act(chiara, journey["practice"], "assignment", {})
    assert assigned["assignee"] == chiara.sub


def test_she_asks_for_something_more_and_gets_it(anna, chiara, journey):
    practice = journey["practice"]
    portico.act(chiara, practice, "integration-requests", {"text": "Manca la firma del tecnico.", "termDays": 15}, expect=201)
    asked = portico.await_state(anna, practice, "integration-requested")
    assert "firma" in asked["integration"]["text"] and asked["terms"]["suspendedOn"]
    document = portico.attach(anna, practice, name="planimetria-firmata.pdf", content=portico.PDF + b"% firmata\n")
    portico.act(anna, practice, "integrations", {"text": "Allego la planimetria firmata.", "documents": [document["id"]]}, expect=201)
    portico.await_state(chiara, practice, "in-review")


def test_they_write_to_each_other(anna, chiara, journey):
    portico.act(anna, journey["practice"], "messages", {"text": "Quando verrà il sopralluogo?"}, expect=201)
    portico.act(chiara, journey["practice"], "messages", {"text": "Non serve più."}, expect=201)
    conversation = anna.get(f"/dossier/v1/practices/{journey['practice']['id']}/messages", expect=200).json()["items"]
    assert [message["from"] for message in conversation] == ["citizen", "office"]


def test_she_approves_and_the_permit_is_issued_as_a_registered_document(anna, chiara, journey):
    portico.act(chiara, journey["practice"], "approval", {"note": "Si autorizza l'apertura del passo carraio."})
    practice = portico.await_state(anna, journey["practice"], "closed")
    permit = practice["decision"]["document"]
    assert practice["decision"]["outcome"] == "approved" and permit["issuedAt"]
    entry = chiara.get(f"/protocol/v1/registrations/{permit['registration']['id']}", expect=200).json()
    assert entry["direction"] == "out" and permit["sha256"] in {document["sha256"] for document in entry["documents"]}
    journey["practice"] = practice


def test_she_downloads_it(anna, journey):
    permit = journey["practice"]["decision"]["document"]
    answer = anna.get(f"/dossier/v1/documents/{permit['id']}/content", expect=200)
    assert answer.headers["Content-Type"] == "application/pdf" and len(answer.content) == permit["size"]
    text = subprocess.run(["pdftotext", "-", "-"], input=answer.content, capture_output=True, check=True).stdout.decode()
    assert "Anna Bianchi" in text and "Si autorizza" in text


FULL = 50      # dues in one call, the open ones first: on a stack where other tests went before, theirs


def test_one_call_shows_all_of_it(anna, journey):
    practice = journey["practice"]

    def everything():
        dossier = anna.get("/dossier/v1/me", expect=200).json()
        assert practice["id"] in [item["id"] for item in dossier["practices"]]
        assert journey["due"]["id"] in [item["id"] for item in dossier["dues"]] or len(dossier["dues"]) == FULL
        assert journey["appointment"]["id"] in [item["id"] for item in dossier["appointments"]]
        assert practice["decision"]["document"]["id"] in [item["id"] for item in dossier["documents"]]
        assert any(message["practiceId"] == practice["id"] for message in dossier["messages"])
        assert any(notice.get("practiceId") == practice["id"] for notice in dossier["notices"])
        return dossier
    dossier = eventually(everything)
    if len(dossier["dues"]) < FULL:
        due = next(item for item in dossier["dues"] if item["id"] == journey["due"]["id"])
        assert due["state"] == "paid"


def test_the_other_city_sees_nothing_of_it(operator, partner, journey):
    practice, due, appointment = journey["practice"], journey["due"], journey["appointment"]
    for stranger in (operator("c_a662", "mobilita"), operator("c_a662")):
        for path in (f"/dossier/v1/practices/{practice['id']}", f"/payments/v1/positions/{due['id']}",
                     f"/booking/v1/appointments/{appointment['id']}", f"/protocol/v1/registrations/{practice['registration']['id']}",
                     f"/dossier/v1/documents/{practice['decision']['document']['id']}/content"):
            stranger.get(path, expect=404)
        for path in ("/dossier/v1/practices", "/payments/v1/positions", "/booking/v1/appointments",
                     "/protocol/v1/registrations", "/notifications/v1/notices"):
            page = stranger.get(path, params={"limit": 100}, expect=200)
            assert not any(known in page.text for known in (practice["id"], due["id"], appointment["id"])), f"{path} shows it"


def test_who_owns_in_both_cities_sees_both(citizen):
    luca = citizen("Luca Ferrari")
    made = {tenant: portico.draft(luca, "passo-carraio", tenant)["id"] for tenant in ("c_a944", "c_a662")}
    dossier = luca.get("/dossier/v1/me", expect=200).json()
    assert set(made.values()) <= {practice["id"] for practice in dossier["practices"]}
    tenants = {position["tenant"] for position in luca.get("/payments/v1/positions", params={"limit": 100}, expect=200).json()["items"]}
    assert tenants >= {"c_a944", "c_a662"}
