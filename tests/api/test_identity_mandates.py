"""Assisted mandates and the exchange of one for a token: an operator acts for a person as long as the person wants, and not longer."""
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import oauth, portico
from support.oauth import Browser, refused, seen_from_inside

ACCESS = "urn:ietf:params:oauth:token-type:access_token"
CHIARA, MARCO, NICOLA = (f"0192f000-0000-7000-8000-000000000{number}" for number in (101, 102, 201))
PAOLO = "GRCPLA58R30A944T"


class Desk(Browser):
    """An operator at her desk, logged in."""

    def __init__(self, stack, person=CHIARA):
        super().__init__(stack, "demo-desk", "/demo/desk")
        self.own = self.tokens(person, scope="openid desk:persons desk:practices offline_access")
        self.token = self.own["access_token"]

    def exchange(self, mandate, expect=None, **changed):
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "client_id": "demo-desk", "subject_token": mandate["id"],
                "subject_token_type": "urn:portico:params:oauth:token-type:mandate", "actor_token": self.own["access_token"],
                "actor_token_type": ACCESS} | changed
        return self.with_token(None).send("POST", "/identity/v1/token", expect=expect, data={name: value for name, value in form.items() if value is not None})

    def acting(self, mandate):
        return self.with_token(self.exchange(mandate, expect=200).json()["access_token"])


@pytest.fixture
def desk(stack):
    return Desk(stack)


@pytest.fixture
def revoked(stack):
    """Whether the feed names that session."""
    feed = oauth.sibling(stack)

    def look(token):
        sid = seen_from_inside(token)["sid"]
        return any(item["id"] == sid for item in feed("/identity/v1/revocations").json()["items"])
    return look


def test_mandate_from_proposal_to_end(desk, citizen):
    made = desk.post("/identity/v1/mandates", portico.new_mandate(PAOLO), expect=201)
    location, made = made.headers["Location"], made.json()
    assert made["state"] == "proposed" and "paper" not in made and made["createdBy"] == CHIARA
    refused(desk.exchange(made), "invalid_grant")
    paper = {"data": portico.PDF, "headers": {"Content-Type": "application/pdf"}}
    assert desk.put(location + "/paper", data=b"GIF89a", headers=paper["headers"], expect=422).json()["type"] == "/problems/not-a-pdf"
    active = desk.put(location + "/paper", **paper, expect=200).json()
    assert active["state"] == "active" and active["paper"]["takenBy"] == CHIARA
    assert desk.put(location + "/paper", **paper, expect=409).json()["type"] == "/problems/wrong-state"
    paolo = citizen("Paolo Greco")
    assert paolo.get(location + "/paper", expect=200).content == portico.PDF == desk.get(location + "/paper", expect=200).content
    assert paolo.get("/identity/v1/mandates", expect=200).json()["items"][0]["id"] == made["id"]
    acting = desk.acting(active)
    assert acting.get("/dossier/v1/practices").status_code == 200
    paolo.delete(location, expect=204)
    paolo.delete(location, expect=204)
    ended = desk.get(location, expect=200).json()
    assert (ended["state"], ended["endedBy"]) == ("ended", "person")
    refused(desk.exchange(active), "invalid_grant")


def test_token_of_a_mandate_names_both(desk, stack, citizen):
    made = portico.mandate(desk, PAOLO, scopes=["practices", "payments"])
    answer = desk.exchange(made, expect=200).json()
    claims = seen_from_inside(answer["access_token"])
    assert (claims["kind"], claims["sub"]) == ("citizen", citizen("Paolo Greco").sub)
    assert claims["act"] == {"sub": CHIARA, "tenant": "c_a944", "mandate": made["id"]}
    assert claims["scope"] == "practices payments" == answer["scope"] and "tenant" not in claims and "roles" not in claims
    assert answer["issued_token_type"] == ACCESS and "refresh_token" not in answer and "id_token" not in answer
    narrow = seen_from_inside(desk.exchange(made, scope="payments openid desk:persons", expect=200).json()["access_token"])
    assert narrow["scope"] == "payments" and narrow["sid"] == claims["sid"]
    refused(desk.exchange(made, scope="bookings"), "invalid_scope")
    acting = desk.with_token(answer["access_token"])
    assert acting.get("/identity/v1/me").status_code == 403 and acting.get("/notifications/v1/notices").status_code in (403, 404)
    # she acts as the person, not as her office
    assert acting.get("/identity/v1/mandates").status_code == 403


def test_person_sees_the_session_and_ends_it(desk, citizen, revoked):
    paolo = citizen("Paolo Greco")
    made = portico.mandate(desk, PAOLO)
    token = desk.exchange(made, expect=200).json()["access_token"]
    sid = seen_from_inside(token)["sid"]
    [seen] = [each for each in paolo.get("/identity/v1/sessions?limit=100", expect=200).json()["items"] if each["id"] == sid]
    assert seen["provider"] == "mandate"
    paolo.delete(f"/identity/v1/sessions/{sid}", expect=204)
    assert revoked(token)


@pytest.mark.parametrize("end", ["the person", "the office", "the helper's logout"])
def test_end_stops_what_was_being_done(desk, citizen, revoked, end):
    made = portico.mandate(desk, PAOLO)
    token = desk.exchange(made, expect=200).json()["access_token"]
    assert not revoked(token)
    if end == "the person":
        citizen("Paolo Greco").delete(f"/identity/v1/mandates/{made['id']}", expect=204)
    elif end == "the office":
        desk.delete(f"/identity/v1/mandates/{made['id']}", expect=204)
    else:
        desk.post("/identity/v1/revoke", data={"client_id": "demo-desk", "token": desk.own["refresh_token"]}, expect=200)
    assert revoked(token)
    refused(desk.exchange(made), "invalid_grant")


@pytest.mark.parametrize("changed, error", [
    ({"actor_token": None}, "invalid_request"), ({"subject_token": None}, "invalid_request"), ({"subject_token_type": ACCESS}, "invalid_request"),
    ({"actor_token_type": "urn:ietf:params:oauth:token-type:jwt"}, "invalid_request"), ({"requested_token_type": "saml2"}, "invalid_request"),
    ({"actor_token": "x.y.z"}, "invalid_grant"), ({"actor_token": "{id_token}"}, "invalid_grant"), ({"actor_token": "{citizen}"}, "invalid_grant"),
    ({"actor_token": "{narrow}"}, "invalid_grant"), ({"actor_token": "{acting}"}, "invalid_grant"), ({"subject_token": "x"}, "invalid_grant"),
    ({"subject_token": "0192f000-0000-7000-8000-000000000001"}, "invalid_grant"), ({"subject_token": "-" * 36}, "invalid_grant"),
    ({"client_id": "demo-area"}, "invalid_grant")], ids=str)
def test_exchange_needs_a_helper_and_a_mandate(stack, desk, changed, error):
    made = portico.mandate(desk, PAOLO)
    narrow = Browser(stack, "demo-desk", "/demo/desk").tokens(CHIARA, scope="openid desk:practices")["access_token"]
    known = {"id_token": desk.own["id_token"], "citizen": Browser(stack).tokens()["access_token"], "narrow": narrow,
             "acting": desk.exchange(made, expect=200).json()["access_token"]}
    refused(desk.exchange(made, **{name: value and value.format(**known) for name, value in changed.items()}), error)


def test_mandate_is_of_one_office(stack, desk):
    made = portico.mandate(desk, PAOLO)
    assert Desk(stack, MARCO).exchange(made).status_code == 200, "any operator of the office that has it"
    bari = Desk(stack, NICOLA)
    refused(bari.exchange(made), "invalid_grant")
    for path in ("", "/paper"):
        assert bari.get(f"/identity/v1/mandates/{made['id']}{path}").status_code == 404
    assert bari.delete(f"/identity/v1/mandates/{made['id']}").status_code == 404


def test_single_use_is_one_operators(stack, desk):
    made = portico.mandate(desk, PAOLO, duration="single-use")
    others = [Desk(stack, MARCO), Desk(stack), desk]
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda each: each.exchange(made), others))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400]
    winner = others[[answer.status_code for answer in answers].index(200)]
    assert winner.exchange(made).status_code == 200, "hers for an hour"
    left = float(stack.sql("identity", f"SELECT extract(epoch FROM ends_at - now()) FROM mandates WHERE id = '{made['id']}'"))
    assert 3000 < left <= 3600


def test_token_does_not_outlive_its_mandate(stack, desk):
    made = portico.mandate(desk, PAOLO, duration="1-day")
    stack.sql("identity", f"UPDATE mandates SET ends_at = now() + interval '2 minutes' WHERE id = '{made['id']}'")
    answer = desk.exchange(made, expect=200).json()
    claims = seen_from_inside(answer["access_token"])
    assert claims["exp"] - claims["iat"] == answer["expires_in"] <= 120
    stack.sql("identity", f"UPDATE mandates SET ends_at = now() WHERE id = '{made['id']}'")
    refused(desk.exchange(made), "invalid_grant")
    assert desk.get(f"/identity/v1/mandates/{made['id']}").json()["state"] == "expired"


def test_renew_mandate(desk):
    made = portico.mandate(desk, PAOLO, duration="31-days")
    renewed = desk.post(f"/identity/v1/mandates/{made['id']}/renewals", {"duration": "365-days"}, expect=201).json()
    assert (renewed["state"], renewed["renews"], renewed["scopes"]) == ("proposed", made["id"], made["scopes"])
    assert desk.exchange(made).status_code == 200, "the old one holds until the new one is signed"
    desk.put(f"/identity/v1/mandates/{renewed['id']}/paper", data=portico.PDF, headers={"Content-Type": "application/pdf"}, expect=200)
    refused(desk.exchange(made), "invalid_grant")
    assert desk.exchange(renewed).status_code == 200
    proposed = portico.mandate(desk, PAOLO, signed=False)
    assert desk.post(f"/identity/v1/mandates/{proposed['id']}/renewals", {"duration": "1-day"}).status_code == 404


def test_person_who_was_never_here(desk, stack):
    code = portico.fiscal_code()
    made = portico.mandate(desk, code)
    sub = seen_from_inside(desk.exchange(made, expect=200).json()["access_token"])["sub"]
    assert sub == stack.sql("identity", f"SELECT id FROM persons WHERE fiscal_code = '{code}'")
    assert portico.mandate(desk, code)["id"] != made["id"], "a second mandate is another one of the same person"
    assert stack.sql("identity", f"SELECT count(*) FROM persons WHERE fiscal_code = '{code}'") == "1"


def test_blocked_person_cannot_be_acted_for(desk, stack):
    code = portico.fiscal_code()
    made = portico.mandate(desk, code)
    stack.sql("identity", f"SELECT block_person('{code}', 'prova')")
    refused(desk.exchange(made), "invalid_grant")


@pytest.mark.parametrize("changed", [{"scopes": ["profile"]}, {"scopes": []}, {"scopes": ["service"]}, {"duration": "for ever"},
                                     {"fiscalCode": "X"}, {"purpose": ""}, {"more": 1}], ids=str)
def test_mandate_says_what_it_is_for(desk, changed):
    assert desk.post("/identity/v1/mandates", portico.new_mandate() | changed).status_code == 400


def test_proposals_are_forgotten(desk, stack, eventually):
    made = portico.mandate(desk, PAOLO, signed=False)
    stack.sql("identity", f"UPDATE mandates SET created_at = now() - interval '32 days' WHERE id = '{made['id']}'; NOTIFY tasks, 'sweep-mandates'")
    eventually(lambda: desk.get(f"/identity/v1/mandates/{made['id']}").status_code == 404)
