"""The catalogue, the way of a practice from draft to decision, its documents and messages, and the one-call view."""
import hashlib
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from support import portico
from support.contracts import ROOT
from support.portico import PDF, act, attach, await_state, draft, show

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
NOBODY = "0192f000-0000-7000-8000-00000000ffff"


def problem(response):
    return response.json()["type"].removeprefix("/problems/")


def pointers(response):
    return {error["pointer"] for error in response.json()["errors"]}


def at_once(*calls):
    """The statuses of calls that are made at the same moment, sorted."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return sorted(done.result().status_code for done in [pool.submit(call) for call in calls])


def empty_draft(citizen, code="passo-carraio", tenant="c_a944", data=None):
    wanted = portico.service(citizen, code, tenant)
    return citizen.post("/dossier/v1/practices", {"serviceId": wanted["id"], "data": data or {}}, expect=201).json()


def upload(citizen, practice, content=PDF, media_type="application/pdf", expect=None, **params):
    return citizen.post(f"/dossier/v1/practices/{practice['id']}/documents", data=content, expect=expect,
                        params={"name": "allegato.pdf"} | params, headers={"Content-Type": media_type})


def text_of(pdf):
    """The text that a decision's pages show: its strings, octal escapes and Western European letters undone."""
    strings = re.findall(rb"\((.*?)(?<!\\)\) ?Tj", pdf, re.S)
    undone = re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), b" ".join(strings))
    return re.sub(rb"\\(.)", rb"\1", undone).decode("cp1252")


@pytest.fixture
def anna(citizen):
    return citizen("Anna Bianchi")


@pytest.fixture
def luca(citizen):
    return citizen("Luca Ferrari")


@pytest.fixture
def desk(operator):
    return operator("c_a944", "mobilita")


@pytest.fixture
def bari(operator):
    return operator("c_a662", "mobilita")


# ---- catalogue

@pytest.mark.parametrize("words", ["passo carraio", "passi carrai", "pass carr", "paso carraio", "GARAGE"])
def test_list_services(anonymous, words):
    found = anonymous.get("/dossier/v1/services", params={"q": words, "tenant": "c_a944"}, expect=200).json()["items"]
    assert found[0]["code"] == "passo-carraio" and {service["tenant"] for service in found} == {"c_a944"}


def test_list_services_by_category(anonymous):
    found = anonymous.get("/dossier/v1/services", params={"category": "scuola"}, expect=200).json()["items"]
    assert {(service["code"], service["tenant"]) for service in found} == {("mensa-scolastica", "c_a944"), ("mensa-scolastica", "c_a662")}
    assert anonymous.get("/dossier/v1/services", params={"q": "astronave"}, expect=200).json() == {"items": []}


@pytest.mark.parametrize("words", [None, "diritti"])
def test_list_services_page_by_page(anonymous, words):
    seen, after = [], None
    while True:
        page = anonymous.get("/dossier/v1/services", params={"q": words, "limit": 3, "after": after}, expect=200).json()
        seen += [service["id"] for service in page["items"]]
        after = page.get("next")
        if not after:
            break
    whole = anonymous.get("/dossier/v1/services", params={"q": words, "limit": 100}, expect=200).json()["items"]
    assert seen == [service["id"] for service in whole] and len(seen) == len(set(seen))


def test_list_services_refuses_an_undeclared_parameter(anonymous):
    answer = anonymous.get("/dossier/v1/services", params={"search": "passo"}, expect=400)
    assert answer.json()["errors"][0]["parameter"] == "search"


def test_show_service(anonymous):
    wanted = portico.service(anonymous, "passo-carraio")
    service = anonymous.get(f"/dossier/v1/services/{wanted['id']}", expect=200).json()
    assert service["fee"] == {"amount": 4550, "currency": "EUR"} and service["office"]["code"] == "mobilita"
    assert service["tenantName"] == "Comune di Bologna" and "285/1992" in service["legalBasis"]
    anonymous.get(f"/dossier/v1/services/{NOBODY}", expect=404)


def test_show_service_form(anna, eventually):
    wanted = portico.service(anna, "passo-carraio")

    def known():
        prefill = anna.get(f"/dossier/v1/services/{wanted['id']}/form", expect=200).json()["prefill"]
        assert prefill.get("codiceFiscale") == "BNCNNA85C52A944U" and prefill["nome"] == "Anna", prefill
        return prefill
    eventually(known)


def test_form_remembers_what_fits(luca):
    """An earlier answer is offered again to a field of the same name, unless that field would refuse it."""
    before = draft(luca, "tari-riduzione")
    luca.patch(f"/dossier/v1/practices/{before['id']}", {"data": {"superficie": 84, "motivo": "compostaggio"}}, expect=200)
    act(luca, before, "submission")
    wanted = portico.service(luca, "occupazione-suolo")
    prefill = luca.get(f"/dossier/v1/services/{wanted['id']}/form", expect=200).json()["prefill"]
    assert prefill["superficie"] == 84 and "motivo" not in prefill


def test_form_tells_an_operator_nothing_about_anyone(desk):
    wanted = portico.service(desk, "passo-carraio")
    assert desk.get(f"/dossier/v1/services/{wanted['id']}/form", expect=200).json()["prefill"] == {}


@pytest.mark.parametrize("tenant", ["c_a944", "c_a662"])
def test_every_form_names_what_is_missing(luca, tenant):
    for service in luca.get("/dossier/v1/services", params={"tenant": tenant, "limit": 100}, expect=200).json()["items"]:
        form = luca.get(f"/dossier/v1/services/{service['id']}/form", expect=200).json()
        assert set(form["ui"]["order"]) == set(form["schema"]["properties"]), service["code"]
        if service["online"]:
            made = empty_draft(luca, service["code"], tenant)
            refused = luca.post(f"/dossier/v1/practices/{made['id']}/submission", expect=422)
            assert problem(refused) == "form-invalid"
            assert pointers(refused) == {f"/data/{name}" for name in form["schema"]["required"]}, service["code"]
            luca.delete(f"/dossier/v1/practices/{made['id']}", expect=204)


# ---- drafts

def test_create_practice(anna, luca, desk):
    wanted = portico.service(anna, "passo-carraio")
    answer = anna.post("/dossier/v1/practices", {"serviceId": wanted["id"], "data": {"indirizzo": "Via Zamboni 1"}}, expect=201)
    made = answer.json()
    assert made["state"] == "draft" and made["tenant"] == "c_a944" and made["applicant"]["personId"] == anna.sub
    assert answer.headers["Location"] == f"/dossier/v1/practices/{made['id']}" and answer.headers["ETag"] == '"1"'
    for other in (luca, desk):
        other.get(answer.headers["Location"], expect=404)


def test_create_practice_once_for_a_key(anna):
    wanted, key = portico.service(anna, "passo-carraio"), {"Idempotency-Key": str(uuid.uuid4())}
    body = {"serviceId": wanted["id"]}
    first = anna.post("/dossier/v1/practices", body, headers=key, expect=201)
    again = anna.post("/dossier/v1/practices", body, headers=key, expect=201)
    assert again.json() == first.json() and again.headers["Idempotent-Replayed"] == "true"
    other = anna.post("/dossier/v1/practices", body | {"data": {"a": 1}}, headers=key, expect=422)
    assert problem(other) == "idempotency-key-reused"


def test_create_practice_for_what_is_not_offered(anna):
    assert problem(anna.post("/dossier/v1/practices", {"serviceId": NOBODY}, expect=422)) == "unknown-service"
    at_the_office = portico.service(anna, "consulenza-anagrafica")
    assert problem(anna.post("/dossier/v1/practices", {"serviceId": at_the_office["id"]}, expect=422)) == "appointment-only"
    refused = anna.post("/dossier/v1/practices", {"serviceId": "passo", "data": [], "fee": 0}, expect=400)
    assert pointers(refused) == {"/serviceId", "/data", "/fee"}


def test_update_practice(anna):
    made = empty_draft(anna, data={"indirizzo": "Via Zamboni 1", "note": "citofonare"})
    path = f"/dossier/v1/practices/{made['id']}"
    answer = anna.patch(path, {"data": {"indirizzo": "Via Zamboni 2", "note": None}}, headers={"If-Match": '"1"'}, expect=200)
    assert answer.json()["data"] == {"indirizzo": "Via Zamboni 2"} and answer.headers["ETag"] == '"2"'
    late = anna.patch(path, {"data": {"indirizzo": "Via Zamboni 3"}}, headers={"If-Match": '"1"'}, expect=412)
    assert problem(late) == "version-conflict"
    assert show(anna, made)["data"] == {"indirizzo": "Via Zamboni 2"}


def test_update_practice_of_one_version_once(anna):
    made = empty_draft(anna)
    calls = [lambda number=number: anna.patch(f"/dossier/v1/practices/{made['id']}", {"data": {"larghezza": number}},
                                              headers={"If-Match": '"1"'}) for number in range(6)]
    assert at_once(*calls) == [200] + [412] * 5


def test_draft_has_an_end(anna):
    made = empty_draft(anna)
    answers = [anna.patch(f"/dossier/v1/practices/{made['id']}", {"data": {f"campo{i}": "x" * 60000}}) for i in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 422]
    assert problem(answers[-1]) == "draft-too-large"


def test_delete_practice(anna, luca):
    made = draft(anna)
    luca.delete(f"/dossier/v1/practices/{made['id']}", expect=404)
    document = show(anna, made)["documents"][0]
    anna.delete(f"/dossier/v1/practices/{made['id']}", expect=204)
    anna.get(f"/dossier/v1/practices/{made['id']}", expect=404)
    anna.get(f"/dossier/v1/documents/{document['id']}", expect=404)


def test_delete_practice_only_as_a_draft(anna):
    made = draft(anna)
    act(anna, made, "submission")
    assert problem(anna.delete(f"/dossier/v1/practices/{made['id']}", expect=409)) == "wrong-state"
    assert problem(anna.patch(f"/dossier/v1/practices/{made['id']}", {"data": {}}, expect=409)) == "wrong-state"


# ---- documents

def test_add_document(anna):
    made = empty_draft(anna)
    answer = upload(anna, made, PNG, "image/png", name="Planimetria è à.png", kind="planimetria", expect=201)
    document = answer.json()
    assert document["sha256"] == hashlib.sha256(PNG).hexdigest() and document["size"] == len(PNG)
    assert document["name"] == "Planimetria è à.png" and document["mediaType"] == "image/png"
    assert answer.headers["Location"] == f"/dossier/v1/documents/{document['id']}"


def test_add_document_once_for_a_key(anna):
    made, key = empty_draft(anna), str(uuid.uuid4())

    def send(content, expect):
        return anna.post(f"/dossier/v1/practices/{made['id']}/documents", data=content, params={"name": "a.pdf"}, expect=expect,
                         headers={"Content-Type": "application/pdf", "Idempotency-Key": key})
    assert send(PDF, 201).json() == send(PDF, 201).json()
    assert problem(send(PDF + b"other", 422)) == "idempotency-key-reused"
    assert len(show(anna, made)["documents"]) == 1


def test_document_must_be_what_it_says(anna):
    made = empty_draft(anna)
    assert problem(upload(anna, made, b"MZ\x90\x00 program", expect=422)) == "document-type-mismatch"
    assert problem(upload(anna, made, PNG, "image/jpeg", expect=422)) == "document-type-mismatch"
    assert problem(upload(anna, made, b"hello", "text/plain", expect=415)) == "unsupported-media-type"
    assert problem(upload(anna, made, kind="certificato-dieta", expect=422)) == "unknown-document-kind"
    assert problem(upload(anna, made, kind="decision", expect=422)) == "unknown-document-kind"
    assert show(anna, made)["documents"] == []


def test_document_has_an_exact_limit(anna):
    made, limit = empty_draft(anna), 20 * 1024 * 1024
    largest = upload(anna, made, PDF.ljust(limit, b" "), expect=201).json()
    assert largest["size"] == limit
    assert problem(upload(anna, made, PDF.ljust(limit + 1, b" "), expect=413)) == "content-too-large"
    anna.delete(f"/dossier/v1/documents/{largest['id']}", expect=204)


@pytest.mark.parametrize("name, label", [("../../../etc/passwd", "passwd"), ("C:\\Users\\anna\\casa.pdf", "casa.pdf"),
                                         ("..", ".."), ("/", "documento"), ("a\nb\".pdf", "ab\".pdf")])
def test_document_name_is_only_a_label(anna, stack, name, label):
    content = PDF + uuid.uuid4().bytes
    document = upload(anna, empty_draft(anna), content, name=name, expect=201).json()
    assert document["name"] == label
    stored = stack.state / "documents" / document["sha256"][:2] / document["sha256"][2:4] / document["sha256"]
    assert stored.read_bytes() == content
    downloaded = anna.get(f"/dossier/v1/documents/{document['id']}/content", expect=200)
    assert downloaded.content == content and "\n" not in downloaded.headers["Content-Disposition"]


def test_documents_are_fifty_at_most(anna):
    made = empty_draft(anna)
    for _ in range(50):
        upload(anna, made, expect=201)
    assert problem(upload(anna, made, expect=409)) == "too-many-documents"
    anna.delete(f"/dossier/v1/practices/{made['id']}", expect=204)


def test_show_document(anna, luca, desk, bari):
    made = draft(anna)
    document = show(anna, made)["documents"][0]
    path = f"/dossier/v1/documents/{document['id']}"
    assert anna.get(path, expect=200).json() == document
    desk.get(path, expect=404)                    # a draft is the citizen's alone
    act(anna, made, "submission")
    assert desk.get(path, expect=200).json() == document
    for other in (luca, bari):
        other.get(path, expect=404)
        other.get(path + "/content", expect=404)


def test_download_document(anna, desk):
    made = draft(anna)
    document = show(anna, made)["documents"][0]
    act(anna, made, "submission")
    for person in (anna, desk):
        answer = person.get(f"/dossier/v1/documents/{document['id']}/content", expect=200)
        assert hashlib.sha256(answer.content).hexdigest() == document["sha256"]
        assert answer.headers["ETag"] == f'"{document["sha256"]}"' and answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Disposition"].startswith("attachment;")
    head = anna.head(f"/dossier/v1/documents/{document['id']}/content", expect=200)
    assert head.headers["Content-Length"] == str(document["size"]) and head.content == b""


def test_delete_document(anna, luca):
    made = draft(anna)
    path = f"/dossier/v1/documents/{show(anna, made)['documents'][0]['id']}"
    luca.delete(path, expect=404)
    anna.delete(path, expect=204)
    assert show(anna, made)["documents"] == []
    refused = anna.post(f"/dossier/v1/practices/{made['id']}/submission", expect=422)
    assert problem(refused) == "attachment-missing" and "planimetria" in refused.json()["errors"][0]["detail"]


def test_what_was_taken_out_leaves_the_disk(anna, stack, eventually):
    made, alone, shared = empty_draft(anna), PDF + uuid.uuid4().bytes, PDF + uuid.uuid4().bytes
    first, second, third = (upload(anna, made, content, expect=201).json() for content in (alone, shared, shared))
    place = lambda document: stack.state / "documents" / document["sha256"][:2] / document["sha256"][2:4] / document["sha256"]
    for document in (first, second):
        anna.delete(f"/dossier/v1/documents/{document['id']}", expect=204)
    stack.sql("dossier", "update loose_files set since = now() - interval '1 hour'")
    stack.sql("dossier", "notify tasks, 'sweep_documents'")
    eventually(lambda: not place(first).exists())
    mine = f"sha256 in ('{first['sha256']}', '{second['sha256']}')"
    eventually(lambda: stack.sql("dossier", f"select count(*) from loose_files where {mine}") == "0")
    assert place(third).read_bytes() == shared
    upload(anna, made, alone, expect=201)         # the same bytes may come back
    assert place(first).read_bytes() == alone


def test_a_file_that_one_replica_removes_no_other_removes_later(stack):
    """It would remove the same bytes when they have come back."""
    claim = (ROOT / "services/dossier/sql/claim_loose_file.sql").read_text()
    rows = stack.sql("dossier", f"begin; update loose_files set since = now(); insert into loose_files (tenant_id, sha256, since) "
                                f"values ('c_a944', '{uuid.uuid4().hex * 2}', now() - interval '1 hour'); {claim}; {claim}; rollback")
    assert rows.count("sha256") == 1


# ---- submission and what follows by itself

def test_submit_practice(anna, desk):
    made = draft(anna)
    answer = act(anna, made, "submission")
    assert answer["state"] == "submitted" and answer["history"][-1] | {"at": ""} == {"from": "draft", "to": "submitted", "by": "citizen", "at": ""}
    terms = answer["terms"]
    assert date.fromisoformat(terms["dueOn"]) == date.fromisoformat(terms["startedOn"]) + timedelta(days=30)
    now = await_state(anna, made, "payment-due")
    assert now["registration"]["number"] > 0 and now["registration"]["protocol"].startswith("A944BO1/")
    assert now["applicant"]["name"] == "Anna Bianchi"
    assert [entry["to"] for entry in now["history"]] == ["submitted", "registered", "payment-due"]
    assert show(desk, made)["fee"]["amount"] == 4550


def test_submit_practice_names_every_fault(anna):
    made = draft(anna)
    anna.patch(f"/dossier/v1/practices/{made['id']}", {"data": {
        "codiceFiscale": "BNCNNA85C52A944X", "larghezza": 99, "titolo": "inquilino", "particella": None, "colore": "rosso"}}, expect=200)
    refused = anna.post(f"/dossier/v1/practices/{made['id']}/submission", expect=422)
    assert pointers(refused) == {f"/data/{name}" for name in ("codiceFiscale", "larghezza", "titolo", "particella", "colore")}
    assert show(anna, made)["state"] == "draft"


def test_submit_practice_once(anna):
    made = draft(anna)
    assert at_once(*[lambda: anna.post(f"/dossier/v1/practices/{made['id']}/submission")] * 4) == [200, 409, 409, 409]


def test_an_annulled_registration_is_told(luca, desk, eventually):
    made = draft(luca, "tari-riduzione")
    act(luca, made, "submission")
    registration = await_state(luca, made, "in-review")["registration"]
    desk.post(f"/protocol/v1/registrations/{registration['id']}/annulment", {"reason": "Registrata due volte per errore."}, expect=200)
    told = eventually(lambda: "annulledAt" in show(luca, made)["registration"] and show(luca, made))
    assert told["registration"]["number"] == registration["number"] and told["state"] == "in-review"


def annul(operator, registration):
    operator.post(f"/protocol/v1/registrations/{registration['id']}/annulment", {"reason": "Oggetto sbagliato."}, expect=200)


def test_an_annulled_submission_is_registered_again(luca, desk, bari, partner, stack, eventually):
    made = draft(luca, "tari-riduzione")
    act(luca, made, "submission")
    first = await_state(luca, made, "in-review")["registration"]
    wanted = portico.new_registration(reference={"kind": "practice", "id": made["id"], "purpose": "submission"})

    def refused(who):
        return problem(who.post("/protocol/v1/registrations", wanted, expect=422)) == "reserved-reference"
    assert refused(desk), "a valid one stands"
    annul(desk, first)
    assert refused(partner("refezione")) and refused(bari)
    second = desk.post("/protocol/v1/registrations", wanted, expect=201).json()
    now = eventually(lambda: show(luca, made)["registration"]["id"] == second["id"] and show(luca, made))
    assert now["registration"]["number"] == second["number"] and "annulledAt" not in now["registration"]
    assert now["state"] == "in-review" and len(now["history"]) == 3
    assert refused(desk), "a valid one stands again"
    late = stack.again("protocol", "registration.created", first["id"])
    eventually(lambda: stack.heard("dossier", "protocol", late))
    assert show(luca, made)["registration"]["id"] == second["id"]
    annul(desk, second)
    assert eventually(lambda: show(luca, made)["registration"].get("annulledAt"))


def test_an_annulled_decision_is_registered_again(anna, desk, pagopa, stack, eventually):
    made = portico.closed(anna, desk, pagopa)
    issued = lambda: show(anna, made)["decision"]["document"]
    first = issued()
    annul(desk, first["registration"])
    eventually(lambda: issued()["registration"].get("annulledAt"))
    second = portico.registration(desk, direction="out", reference={"kind": "practice", "id": made["id"], "purpose": "decision"})
    eventually(lambda: issued()["registration"]["id"] == second["id"])
    late = stack.again("protocol", "registration.created", first["registration"]["id"])
    eventually(lambda: stack.heard("dossier", "protocol", late))
    now = issued()
    assert now["registration"]["number"] == second["number"] and "annulledAt" not in now["registration"]
    assert now["issuedAt"] == first["issuedAt"] and show(anna, made)["state"] == "closed"


def test_without_a_fee_the_review_begins_at_once(luca):
    made = draft(luca, "tari-riduzione")
    act(luca, made, "submission")
    now = await_state(luca, made, "in-review")
    assert "fee" not in now and [entry["to"] for entry in now["history"]] == ["submitted", "registered", "in-review"]


def test_the_payment_moves_the_practice_on(anna, pagopa):
    made = portico.in_review(anna, pagopa)
    assert [entry["to"] for entry in show(anna, made)["history"]] == ["submitted", "registered", "payment-due", "in-review"]
    assert show(anna, made)["history"][-1]["by"] == "system"


def test_less_than_the_fee_does_not_move_the_practice_on(anna, pagopa, stack, eventually):
    made = draft(anna)
    act(anna, made, "submission")
    due = portico.due_of(anna, made)
    await_state(anna, made, "payment-due")
    stack.sql("dossier", f"update practices set fee = fee + 1 where id = '{made['id']}'")
    pagopa.pay(anna, due)
    eventually(lambda: stack.sql("dossier", f"select state from dossier_items where id = '{due['id']}'") == "paid")
    assert show(anna, made)["state"] == "payment-due"


def test_withdraw_practice(anna, desk, eventually):
    made = draft(anna)
    assert problem(anna.post(f"/dossier/v1/practices/{made['id']}/withdrawal", {}, expect=409)) == "wrong-state"
    act(anna, made, "submission")
    await_state(anna, made, "payment-due")
    due = portico.due_of(anna, made)
    assert act(anna, made, "withdrawal", {"reason": "Ho venduto l'auto."})["history"][-1]["reason"] == "Ho venduto l'auto."
    eventually(lambda: anna.get(f"/payments/v1/positions/{due['id']}", expect=200).json()["state"] == "cancelled")
    assert problem(anna.post(f"/dossier/v1/practices/{made['id']}/withdrawal", {}, expect=409)) == "wrong-state"
    assert problem(desk.post(f"/dossier/v1/practices/{made['id']}/assignment", {}, expect=409)) == "wrong-state"


# ---- lists

def test_list_practices(anna, luca):
    made = [empty_draft(anna)["id"] for _ in range(3)]
    first = anna.get("/dossier/v1/practices", params={"limit": 2, "state": "draft"}, expect=200).json()
    rest = anna.get("/dossier/v1/practices", params={"limit": 1, "after": first["next"]}, expect=200).json()
    assert [practice["id"] for practice in first["items"] + rest["items"]] == made[::-1]
    theirs = luca.get("/dossier/v1/practices", params={"limit": 100}, expect=200).json()["items"]
    assert all(practice["applicant"]["personId"] == luca.sub for practice in theirs)
    anna.get("/dossier/v1/practices", params={"state": "lost"}, expect=400)


def test_queue_of_the_office(anna, luca, desk, bari):
    ours, theirs = draft(anna), draft(luca, tenant="c_a662")
    for person, made in ((anna, ours), (luca, theirs)):
        act(person, made, "submission")
        await_state(person, made, "payment-due")
    act(desk, ours, "assignment", {})

    def queue(client, **filters):
        found, after = [], None
        while True:
            page = client.get("/dossier/v1/practices", params=filters | {"limit": 50, "after": after}, expect=200).json()
            found += [practice["id"] for practice in page["items"]]
            after = page.get("next")
            if not after:
                return found
    everything = queue(desk)
    assert everything == sorted(everything) and ours["id"] in everything and theirs["id"] not in everything
    assert ours["id"] in queue(desk, state="payment-due,in-review", office="mobilita", serviceId=ours["service"]["id"], assignee=desk.sub)
    for filters in ({"state": "in-review"}, {"office": "anagrafe"}, {"serviceId": NOBODY}, {"assignee": NOBODY}):
        assert ours["id"] not in queue(desk, **filters), filters
    desk.get("/dossier/v1/practices", params={"tenant": "c_a662"}, expect=403)
    assert theirs["id"] in queue(bari) and ours["id"] not in queue(bari)


def test_partner_follows_the_practices_of_its_tenant(anna, partner):
    made = draft(anna)
    act(anna, made, "submission")
    assert show(partner("refezione"), made)["id"] == made["id"]
    partner("acquedotto").get(f"/dossier/v1/practices/{made['id']}", expect=404)


def test_show_practice(anna, luca, desk, bari, anonymous):
    made = draft(anna)
    act(anna, made, "submission")
    assert show(anna, made)["documents"] == show(desk, made)["documents"]
    for other in (luca, bari):
        other.get(f"/dossier/v1/practices/{made['id']}", expect=404)
    anonymous.get(f"/dossier/v1/practices/{made['id']}", expect=401)
    anna.get("/dossier/v1/practices/12", expect=400)


# ---- the office

def test_assign_practice(anna, desk, bari):
    made = draft(anna)
    act(anna, made, "submission")
    assert act(desk, made, "assignment", {})["assignee"] == desk.sub
    assert act(desk, made, "assignment", {"assignee": "0192f000-0000-7000-8000-000000000104"})["assignee"].endswith("104")
    bari.post(f"/dossier/v1/practices/{made['id']}/assignment", {}, expect=404)
    anna.post(f"/dossier/v1/practices/{made['id']}/assignment", {}, expect=403)


def test_request_integration(luca, desk):
    made = draft(luca, "tari-riduzione")
    act(luca, made, "submission")
    await_state(luca, made, "in-review")
    asked = act(desk, made, "integration-requests", {"text": "Manca la planimetria.", "termDays": 10}, expect=201)
    today, terms = date.fromisoformat(asked["terms"]["startedOn"]), asked["terms"]
    assert asked["state"] == "integration-requested" and terms["suspendedOn"] == str(today)
    assert terms["originalDueOn"] == str(today + timedelta(days=60)) and terms["dueOn"] == str(today + timedelta(days=70))
    assert asked["integration"]["answerDueOn"] == str(today + timedelta(days=10))
    refused = desk.post(f"/dossier/v1/practices/{made['id']}/rejection", {"reason": "Tardi."}, expect=409)
    assert problem(refused) == "wrong-state"      # the citizen still has days


def test_answer_integration(luca, desk, stack):
    made = draft(luca, "tari-riduzione")
    act(luca, made, "submission")
    await_state(luca, made, "in-review")
    assert problem(luca.post(f"/dossier/v1/practices/{made['id']}/integrations", {"text": "Ecco."}, expect=409)) == "wrong-state"
    assert problem(upload(luca, made, expect=409)) == "wrong-state"
    act(desk, made, "integration-requests", {"text": "Manca la planimetria.", "termDays": 10}, expect=201)
    document = attach(luca, made)
    stack.sql("dossier", f"update practices set suspended_on = suspended_on - 4 where id = '{made['id']}'")     # four days go by
    refused = luca.post(f"/dossier/v1/practices/{made['id']}/integrations", {"text": "Ecco.", "documents": [NOBODY]}, expect=422)
    assert problem(refused) == "unknown-reference"
    now = act(luca, made, "integrations", {"text": "Ecco.", "documents": [document["id"]]}, expect=201)
    assert now["state"] == "in-review" and now["integration"]["documents"] == [document["id"]]
    assert now["terms"]["suspendedDays"] == 4 and "suspendedOn" not in now["terms"]
    assert date.fromisoformat(now["terms"]["dueOn"]) == date.fromisoformat(now["terms"]["originalDueOn"]) + timedelta(days=4)
    again = desk.post(f"/dossier/v1/practices/{made['id']}/integration-requests", {"text": "Ancora.", "termDays": 5}, expect=409)
    assert problem(again) == "integration-already-requested"


def test_approve_practice(anna, desk, bari, pagopa):
    made = portico.in_review(anna, pagopa)
    bari.post(f"/dossier/v1/practices/{made['id']}/approval", {}, expect=404)
    approved = act(desk, made, "approval", {"note": "Larghezza 3,50 m: è conforme, così com'è."})
    assert approved["decision"]["outcome"] == "approved"
    hidden = approved["decision"]["document"]["id"]
    now = await_state(anna, made, "closed")
    document = now["decision"]["document"]
    assert document["id"] == hidden and document["registration"]["number"] > now["registration"]["number"] and document["issuedAt"]
    pdf = anna.get(f"/dossier/v1/documents/{document['id']}/content", expect=200).content
    assert hashlib.sha256(pdf).hexdigest() == document["sha256"]
    text = text_of(pdf)
    for expected in ("Comune di Bologna", "Sportello unico e mobilità", "Anna Bianchi", "L'istanza è accolta.", "Larghezza 3,50 m: è conforme",
                     f"n. {now['registration']['number']}/{now['registration']['year']}"):
        assert expected in text, (expected, text)
    assert [entry["to"] for entry in now["history"]][-2:] == ["approved", "closed"]


def test_decision_is_hidden_until_it_is_issued(luca, desk, stack):
    made = draft(luca, "tari-riduzione")
    act(luca, made, "submission")
    await_state(luca, made, "in-review")
    act(desk, made, "approval", {})
    document = await_state(luca, made, "closed")["decision"]["document"]
    stack.sql("dossier", f"update documents set issued_at = null where id = '{document['id']}'")
    for path in (f"/dossier/v1/documents/{document['id']}", f"/dossier/v1/documents/{document['id']}/content"):
        luca.get(path, expect=404)
        desk.get(path, expect=200)
    assert "document" not in show(luca, made)["decision"]
    stack.sql("dossier", f"update documents set issued_at = now() where id = '{document['id']}'")


def test_two_who_decide_at_once(luca, desk, operator):
    made = draft(luca, "tari-riduzione")
    act(luca, made, "submission")
    await_state(luca, made, "in-review")
    colleague = operator("c_a944")
    assert at_once(lambda: desk.post(f"/dossier/v1/practices/{made['id']}/approval", {"note": "Sì."}),
                   lambda: colleague.post(f"/dossier/v1/practices/{made['id']}/rejection", {"reason": "No."})) == [200, 409]
    now = await_state(luca, made, "closed")
    assert len([entry for entry in now["history"] if entry["to"] in ("approved", "rejected")]) == 1


def test_reject_practice(luca, desk):
    unpaid = draft(luca)
    act(luca, unpaid, "submission")
    await_state(luca, unpaid, "payment-due")
    assert problem(desk.post(f"/dossier/v1/practices/{unpaid['id']}/rejection", {"reason": "No."}, expect=409)) == "wrong-state"
    made = draft(luca, "tari-riduzione")
    act(luca, made, "submission")
    await_state(luca, made, "in-review")
    assert pointers(desk.post(f"/dossier/v1/practices/{made['id']}/rejection", {}, expect=400)) == {"/reason"}
    act(desk, made, "rejection", {"reason": "Il codice utente è di un'altra persona."})
    now = await_state(luca, made, "closed")
    assert now["decision"]["outcome"] == "rejected"
    text = text_of(luca.get(f"/dossier/v1/documents/{now['decision']['document']['id']}/content", expect=200).content)
    assert "Provvedimento di diniego" in text and "di un'altra persona" in text and "Tribunale amministrativo" in text


def test_reject_practice_when_no_answer_came(luca, desk, stack):
    made = draft(luca, "tari-riduzione")
    act(luca, made, "submission")
    await_state(luca, made, "in-review")
    act(desk, made, "integration-requests", {"text": "Manca la planimetria.", "termDays": 10}, expect=201)
    stack.sql("dossier", f"update integrations set answer_due_on = current_date - 2 where practice_id = '{made['id']}'")
    assert act(desk, made, "rejection", {"reason": "Integrazione non pervenuta."})["state"] == "rejected"


# ---- messages

def test_post_message(anna, luca, desk, bari):
    made = draft(anna)
    path = f"/dossier/v1/practices/{made['id']}/messages"
    assert problem(anna.post(path, {"text": "C'è qualcuno?"}, expect=409)) == "wrong-state"
    act(anna, made, "submission")
    assert anna.post(path, {"text": "Quando verrà il sopralluogo?"}, expect=201).json()["from"] == "citizen"
    assert desk.post(path, {"text": "Martedì mattina."}, expect=201).json()["from"] == "office"
    for other in (luca, bari):
        other.post(path, {"text": "Ciao"}, expect=404)
    assert pointers(anna.post(path, {"text": ""}, expect=400)) == {"/text"}


def test_list_messages(anna, luca, desk):
    made = draft(anna)
    path = f"/dossier/v1/practices/{made['id']}/messages"
    assert anna.get(path, expect=200).json() == {"items": []}
    act(anna, made, "submission")
    for number in range(3):
        anna.post(path, {"text": f"Messaggio {number}"}, expect=201)
    first = desk.get(path, params={"limit": 2}, expect=200).json()
    rest = desk.get(path, params={"limit": 2, "after": first["next"]}, expect=200).json()
    assert [message["text"] for message in first["items"] + rest["items"]] == [f"Messaggio {number}" for number in range(3)]
    assert "next" not in rest
    luca.get(path, expect=404)


# ---- the one-call view

def test_show_dossier(luca, desk, pagopa, eventually):
    """Both cities, with what other services hold, in one call."""
    ours, theirs = draft(luca), draft(luca, tenant="c_a662")
    for made in (ours, theirs):
        act(luca, made, "submission")
        await_state(luca, made, "payment-due")
    desk.post(f"/dossier/v1/practices/{ours['id']}/messages", {"text": "Buongiorno."}, expect=201)

    def look():
        seen = luca.get("/dossier/v1/me", expect=200).json()
        dues = {due.get("practiceId"): due for due in seen["dues"]}
        assert {ours["id"], theirs["id"]} <= set(dues), "the dues are not there yet"
        assert any(notice.get("practiceId") == ours["id"] for notice in seen["notices"]), "no notice yet"
        return seen, dues
    seen, dues = eventually(look, 30)
    assert {ours["id"], theirs["id"]} <= {practice["id"] for practice in seen["practices"]}
    assert dues[ours["id"]]["amount"]["amount"] == 4550 and dues[theirs["id"]]["amount"]["amount"] == 6200
    assert dues[ours["id"]]["section"] == "io-mi-muovo" and seen["messages"][0]["text"] == "Buongiorno."
    assert any(document["practiceId"] == ours["id"] for document in seen["documents"])
    pagopa.pay(luca, portico.due_of(luca, ours))
    await_state(luca, ours, "in-review")
    paid = eventually(lambda: next(due for due in luca.get("/dossier/v1/me", expect=200).json()["dues"]
                                   if due.get("practiceId") == ours["id"] and due["state"] == "paid"))
    assert paid["outstanding"]["amount"] == 0 and paid["paidAt"]


def test_dossier_shows_appointments(anna, eventually):
    held = portico.hold(anna)
    anna.post(f"/booking/v1/appointments/{held['id']}/confirmation", expect=200)
    entry = lambda: next((item for item in anna.get("/dossier/v1/me", expect=200).json()["appointments"] if item["id"] == held["id"]), None)
    assert eventually(entry)["state"] == "confirmed"
    anna.post(f"/booking/v1/appointments/{held['id']}/cancellation", expect=200)
    eventually(lambda: entry()["state"] == "cancelled")


def test_dossier_is_nobody_elses(anna, luca, desk):
    mine = empty_draft(anna)["id"]
    assert mine in {practice["id"] for practice in anna.get("/dossier/v1/me", expect=200).json()["practices"]}
    assert mine not in {practice["id"] for practice in luca.get("/dossier/v1/me", expect=200).json()["practices"]}
    desk.get("/dossier/v1/me", expect=403)


def test_older_news_never_overwrite_newer(stack, anna):
    """What is heard late of an earlier version is let go."""
    item = str(uuid.uuid4())

    def hear(version, state):
        return stack.sql("dossier", f"""
            begin; set local role portico_dossier; set local app.tenant = 'c_a944';
            select keep_item(i) from jsonb_populate_record(null::dossier_items, '{{"tenant_id": "c_a944", "kind": "due", "id": "{item}",
                "subject_id": "{anna.sub}", "version": {version}, "section": "io-pago", "state": "{state}", "title": "Prova",
                "amount": 0, "data": {{"amount": {{"amount": 1, "currency": "EUR"}}, "outstanding": {{"amount": 0, "currency": "EUR"}}}}}}') i;
            commit""")
    assert [hear(1, "open"), hear(3, "paid"), hear(2, "partly-paid"), hear(3, "open")] == ["t", "t", "f", "f"]
    assert stack.sql("dossier", f"select state from dossier_items where id = '{item}'") == "paid"
    stack.sql("dossier", f"delete from dossier_items where id = '{item}'")


def test_no_way_around_the_procedure(stack, anna):
    """The database itself refuses a change of state that the procedure does not have."""
    made = empty_draft(anna)
    with pytest.raises(RuntimeError, match="wrong-state"):
        stack.sql("dossier", f"update practices set state = 'approved', changed_by = 'office' where id = '{made['id']}'")
    with pytest.raises(RuntimeError, match="wrong-state"):
        stack.sql("dossier", f"update practices set state = 'submitted', changed_by = 'office' where id = '{made['id']}'")


def test_show_status(anonymous):
    assert anonymous.get("/dossier/v1/status", expect=200).json()["status"] == 200
