"""What nobody does by mistake only once: types in capitals, values nested without end, references that are somebody else's, and two
requests that meet where it hurts."""
import base64
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import portico


@pytest.fixture
def anna(citizen):
    return citizen("Anna Bianchi")


def slug(answer):
    return answer.json()["type"].removeprefix("/problems/")


@pytest.mark.parametrize("media_type", ["application/json", "Application/JSON", "APPLICATION/JSON; charset=utf-8"])
def test_a_body_is_held_to_its_schema_however_its_type_is_written(operator, media_type):
    """The type decides which schema the body meets; one that is only spelled otherwise must not meet none."""
    desk = operator("c_a944", "mobilita")
    wrong = '{"direction": "sideways", "object": "Lettera", "documents": [], "number": 1}'
    answer = desk.post("/protocol/v1/registrations", data=wrong, headers={"Content-Type": media_type}, expect=400)
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/direction", "/documents", "/number"}


def test_a_patch_and_a_form_in_capitals(anna, anonymous):
    contacts = '{"contacts": {"email": "anna@posta.example\\r\\nBcc: altri@posta.example"}}'
    answer = anna.patch("/identity/v1/me", data=contacts, headers={"Content-Type": "Application/Merge-Patch+JSON"}, expect=400)
    assert answer.json()["errors"][0]["pointer"] == "/contacts/email"
    answer = anonymous.post("/identity/v1/token", data="grant_type=none&client_id=demo-area",
                            headers={"Content-Type": "APPLICATION/x-www-form-urlencoded"}, expect=400)
    assert answer.json()["error"] == "unsupported_grant_type"


def test_a_document_whose_type_is_in_capitals_is_what_it_is(anna):
    made = portico.draft(anna)
    attached = portico.attach(anna, made, media_type="Application/PDF")
    assert attached["mediaType"] == "application/pdf"


@pytest.mark.parametrize("opened, closed", [('{"a":', "}"), ("[", "]")])
@pytest.mark.parametrize("levels, status", [(29, 200), (40, 400), (1500, 400), (9000, 400)])
def test_nesting_has_an_end(anna, opened, closed, levels, status):
    """Whoever reads the answer has a stack, too: PostgreSQL's gives up at some hundred levels, a browser's may."""
    made = portico.draft(anna)
    body = '{"data": {"titolo": "[[[[\\"[[[[", "x": ' + opened * levels + "1" + closed * levels + "}}"
    answer = anna.patch(f"/dossier/v1/practices/{made['id']}", data=body, expect=status)
    assert status == 200 or slug(answer) == "malformed-json"
    anna.delete(f"/dossier/v1/practices/{made['id']}", expect=204)


@pytest.mark.parametrize("number", ["1e300", "-1e19", "9300000000000000000", "9.3e18"])
def test_numbers_have_an_end(anna, number):
    """What PostgreSQL keeps as an integer of 300 digits nobody else reads: the practice could never be sent in."""
    made = portico.draft(anna)
    answer = anna.patch(f"/dossier/v1/practices/{made['id']}", data='{"data": {"n": [{"a": ' + number + "}]}}", expect=400)
    assert slug(answer) == "malformed-json"
    anna.patch(f"/dossier/v1/practices/{made['id']}", data='{"data": {"n": [{"a": 8.9e18}]}}', expect=200)
    assert slug(anna.post(f"/dossier/v1/practices/{made['id']}/submission", expect=422)) == "form-invalid"


@pytest.mark.parametrize("query", ["tenant%00=c_a662", "tenant=c_a944%00", "office=mobilita%00x"])
def test_a_query_has_no_nul(operator, query):
    """The gateway, which reads bytes, and a service, which reads strings, would take it for two different things."""
    answer = operator("c_a944", "mobilita").get(f"/dossier/v1/practices?{query}", expect=400)
    assert slug(answer) == "malformed-request"


@pytest.mark.parametrize("purpose", ["submission", "decision"])
def test_nobody_registers_a_practice_in_the_suites_stead(anna, partner, operator, purpose):
    """The number of a submission or a decision moves the practice on; a stranger's would stop it for good."""
    made = portico.draft(anna)
    reference = {"kind": "practice", "id": made["id"], "purpose": purpose}
    for stranger in (partner("refezione"), operator("c_a944", "anagrafe")):
        answer = stranger.post("/protocol/v1/registrations", portico.new_registration(reference=reference), expect=422)
        assert slug(answer) == "reserved-reference"
    letter = portico.registration(partner("refezione"), reference=reference | {"purpose": "other"})
    assert letter["reference"]["purpose"] == "other"
    portico.act(anna, made, "submission")
    assert portico.await_state(anna, made, "payment-due", "in-review")["registration"]["id"] != letter["id"]


def test_nobody_makes_the_due_of_a_practice_in_the_suites_stead(anna, partner, operator):
    """One cent paid for a stranger's position must not pay the fee."""
    made = portico.draft(anna)
    wanted = portico.new_position(anna, amount=1, reference={"kind": "practice", "id": made["id"]})
    for stranger in (partner("refezione"), operator("c_a944", "tributi")):
        assert slug(stranger.post("/payments/v1/positions", wanted, expect=422)) == "reserved-reference"
    portico.act(anna, made, "submission")
    assert portico.due_of(anna, made)["amount"]["amount"] == 4550


def test_a_bill_reaches_whom_its_fiscal_code_names(anna, partner):
    """Who makes a bill does not choose in whose dues it is shown."""
    wanted = portico.new_position(anna)
    wanted["debtor"] = {"fiscalCode": portico.fiscal_code(), "name": "Nessuno", "personId": anna.sub}
    answer = partner("acquedotto").post("/payments/v1/positions", wanted, expect=400)
    assert answer.json()["errors"][0]["pointer"] == "/debtor/personId"


def test_a_submission_that_waited_sees_what_happened_meanwhile(anna, stack, eventually):
    """The required attachment goes while the submission waits for the practice: it must be missed."""
    made = portico.draft(anna)
    deletion = f"select 1 from practices where id = '{made['id']}' for update; " \
               f"delete from documents where practice_id = '{made['id']}'; select pg_sleep(1)"
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(stack.sql, "dossier", deletion)
        eventually(lambda: int(stack.sql("dossier", "select count(*) from pg_stat_activity where wait_event = 'PgSleep'")) > 0)
        answer = anna.post(f"/dossier/v1/practices/{made['id']}/submission")
        other.result()
    assert (answer.status_code, slug(answer)) == (422, "attachment-missing")


def test_uploads_at_once_do_not_overfill_a_practice(anna):
    made = portico.draft(anna)
    for _ in range(50 - len(portico.show(anna, made)["documents"]) - 1):
        portico.attach(anna, made)
    token = anna.authorization()

    def upload(_):
        return anna.with_token(token["Authorization"].split()[1]).post(
            f"/dossier/v1/practices/{made['id']}/documents", data=portico.PDF, params={"name": "a.pdf", "kind": "other"},
            headers={"Content-Type": "application/pdf"}).status_code
    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(upload, range(8))) == [201] + [409] * 7


def test_what_the_database_refuses_is_said_in_words(anna, operator):
    """A front end has the detail only: it must say more than the status does."""
    made = portico.draft(anna)
    large = '{"data": {"note": [' + ",".join(["1e-16000"] * 100) + "]}}"
    answer = anna.patch(f"/dossier/v1/practices/{made['id']}", data=large, expect=422)
    assert slug(answer) == "draft-too-large" and "draft-too-large" in answer.json()["detail"]
    answer = operator("c_a944", "mobilita").get("/dossier/v1/practices", params={"after": "abc"}, expect=422)
    assert slug(answer) == "invalid-value" and "cursor" in answer.json()["detail"]


@pytest.mark.parametrize("credentials", [b"", b"acquedotto", b"acquedotto:", b"a%zz:b", b"a%00:b", b"a\x00b:c", b"\xff:\xfe", b"a:%ff"])
def test_credentials_of_any_bytes_are_just_wrong(anonymous, credentials):
    answer = anonymous.post("/identity/v1/token", data={"grant_type": "client_credentials"}, expect=401,
                            headers={"Authorization": "Basic " + base64.b64encode(credentials).decode()})
    assert answer.json()["error"] == "invalid_client"


def test_any_version_is_a_version(anna):
    """If-Match: * asks for there being one (RFC 9110, section 13.1.1); identity takes it, and so does the dossier."""
    made = portico.draft(anna)
    for header, status in (("*", 200), ('"99"', 412)):
        anna.patch(f"/dossier/v1/practices/{made['id']}", {"data": {"note": "x"}}, headers={"If-Match": header}, expect=status)
