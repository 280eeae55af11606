"""Delegations of citizens to citizens: by code, for as long and as much as the grantor wants."""
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest

from support import oauth, portico
from support.oauth import Browser, refused, seen_from_inside

ANNA, DAVIDE, LUCA = "BNCNNA85C52A944U", "CNTDVD83P28A944Y", "FRRLCU71L04A662B"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"


@pytest.fixture
def delegate(stack):
    """Davide, logged in for himself in a browser."""
    browser = Browser(stack)
    browser.own = browser.tokens(DAVIDE, scope="openid profile practices offline_access")
    browser.token = browser.own["access_token"]
    return browser


def accept(person, made, code=None):
    return person.post(f"/identity/v1/delegations/{made['id']}/acceptance", {"code": code or made["code"]})


def exchange(browser, made, expect=None, **changed):
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "client_id": "demo-area", "subject_token": made["id"],
            "subject_token_type": "urn:portico:params:oauth:token-type:delegation", "actor_token": browser.own["access_token"],
            "actor_token_type": ACCESS} | changed
    return browser.with_token(None).send("POST", "/identity/v1/token", expect=expect, data=form)


def given(anna, delegate):
    made = portico.delegation(anna, DAVIDE)
    assert accept(delegate, made).status_code == 200
    return made


def revoked(stack, token):
    feed = oauth.sibling(stack)
    return seen_from_inside(token)["sid"] in {item["id"] for item in feed("/identity/v1/revocations").json()["items"]}


def slug(response):
    return response.json()["type"].removeprefix("/problems/")


def test_create_accept_use_and_end_delegation(citizen, delegate, stack):
    anna = citizen("Anna Bianchi")
    made = portico.delegation(anna, DAVIDE)
    assert (made["state"], made["role"]) == ("proposed", "given") and made["code"] not in stack.sql(
        "identity", "SELECT string_agg(row_to_json(d)::text, '') FROM delegations d")
    refused(exchange(delegate, made), "invalid_grant")
    [seen] = [each for each in delegate.get("/identity/v1/delegations?role=received&limit=100", expect=200).json()["items"] if each["id"] == made["id"]]
    assert seen["role"] == "received" and seen["grantor"] == {"fiscalCode": ANNA, "name": "Anna Bianchi"} and "code" not in seen
    active = accept(delegate, made)
    assert active.status_code == 200 and active.json()["state"] == "active"
    assert accept(delegate, made).status_code == 404, "once"
    answer = exchange(delegate, made, expect=200).json()
    claims = seen_from_inside(answer["access_token"])
    assert (claims["sub"], claims["act"]["delegation"], claims["scope"]) == (anna.sub, made["id"], "practices payments")
    assert claims["act"]["sub"] == citizen("Davide Conti").sub and "refresh_token" not in answer
    acting = delegate.with_token(answer["access_token"])
    assert acting.get("/dossier/v1/practices").status_code == 200 and acting.get("/identity/v1/me").status_code == 403
    texts = [item["text"] for item in anna.get("/identity/v1/me/journal", expect=200).json()["items"]]
    assert texts[:2] == ["La persona che hai delegato ha iniziato ad agire per te.", "La persona che hai delegato ha accettato."]
    anna.delete(f"/identity/v1/delegations/{made['id']}", expect=204)
    anna.delete(f"/identity/v1/delegations/{made['id']}", expect=204)
    assert revoked(stack, answer["access_token"])
    refused(exchange(delegate, made), "invalid_grant")


def test_code_is_tried_five_times(citizen, delegate):
    made = portico.delegation(citizen("Anna Bianchi"), DAVIDE)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: accept(delegate, made, f"AAAAAAAAA{'ABCDEFGH'[n]}").status_code, range(8)))
    assert sorted(answers) == 3 * [404] + 5 * [422]
    assert accept(delegate, made).status_code == 404


def test_only_the_delegate_accepts(citizen):
    made = portico.delegation(citizen("Anna Bianchi"), DAVIDE)
    for other in ("Luca Ferrari", "Anna Bianchi"):
        assert accept(citizen(other), made).status_code == 404
    assert citizen("Luca Ferrari").delete(f"/identity/v1/delegations/{made['id']}").status_code == 404


def test_delegate_refuses_and_gives_back(citizen, delegate, stack):
    anna = citizen("Anna Bianchi")
    for made in (portico.delegation(anna, DAVIDE), None):
        made = made or given(anna, delegate)
        delegate.delete(f"/identity/v1/delegations/{made['id']}", expect=204)
        ended = next(each for each in anna.get("/identity/v1/delegations", expect=200).json()["items"] if each["id"] == made["id"])
        assert (ended["state"], ended["endedBy"]) == ("ended", "delegate")
        assert accept(delegate, made).status_code == 404


def test_one_at_a_time_for_a_pair(citizen):
    anna, code = citizen("Anna Bianchi"), portico.fiscal_code()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: anna.post("/identity/v1/delegations", portico.new_delegation(code)), range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert slug(next(answer for answer in answers if answer.status_code == 409)) == "delegation-exists"
    portico.delegation(anna, code)


def test_change_delegation_stops_what_is_taken_away(citizen, delegate, stack):
    anna = citizen("Anna Bianchi")
    made = given(anna, delegate)
    token = exchange(delegate, made, expect=200).json()["access_token"]
    path = f"/identity/v1/delegations/{made['id']}"
    assert delegate.patch(path, {"scopes": ["bookings"]}).status_code == 404, "the delegate cannot widen it"
    later = str(date.today() + timedelta(days=60))
    assert anna.patch(path, {"endsOn": later}, expect=200).json()["endsOn"] == later and not revoked(stack, token)
    assert anna.patch(path, {"scopes": ["payments"]}, expect=200).json()["scopes"] == ["payments"] and revoked(stack, token)
    assert exchange(delegate, made, expect=200).json()["scope"] == "payments"
    refused(exchange(delegate, made, scope="practices"), "invalid_scope")
    assert slug(anna.patch(path, {"endsOn": str(date.today() + timedelta(days=400))}, expect=422)) == "end-out-of-range"


def test_delegation_expires(citizen, delegate, stack):
    anna = citizen("Anna Bianchi")
    made = given(anna, delegate)
    stack.sql("identity", f"UPDATE delegations SET ends_on = ends_on - 60 WHERE id = '{made['id']}'")
    refused(exchange(delegate, made), "invalid_grant")
    again = anna.post("/identity/v1/delegations", portico.new_delegation(DAVIDE), expect=201).json()
    assert again["id"] != made["id"], "what has run out is in nobody's way"


def test_no_chain_of_delegates(citizen, delegate, stack):
    """Who acts for somebody cannot pass it on, nor act twice removed."""
    made = given(citizen("Anna Bianchi"), delegate)
    acting = exchange(delegate, made, expect=200).json()["access_token"]
    refused(exchange(delegate, made, actor_token=acting), "invalid_grant")
    assert delegate.with_token(acting).post("/identity/v1/delegations", portico.new_delegation()).status_code == 403


@pytest.mark.parametrize("changed", [{"actor_token": "{luca}"}, {"actor_token": "{narrow}"}, {"client_id": "demo-desk"}, {"subject_token": "x"},
                                     {"subject_token_type": "urn:portico:params:oauth:token-type:mandate"}], ids=str)
def test_exchange_is_the_delegates(citizen, delegate, stack, changed):
    made = given(citizen("Anna Bianchi"), delegate)
    known = {"luca": Browser(stack).tokens(LUCA)["access_token"], "narrow": Browser(stack).tokens(DAVIDE, scope="openid practices")["access_token"]}
    refused(exchange(delegate, made, **{name: value.format(**known) for name, value in changed.items()}), "invalid_grant")


def test_delegates_logout_ends_it(citizen, delegate, stack):
    made = given(citizen("Anna Bianchi"), delegate)
    token = exchange(delegate, made, expect=200).json()["access_token"]
    delegate.post("/identity/v1/revoke", data={"client_id": "demo-area", "token": delegate.own["refresh_token"]}, expect=200)
    assert revoked(stack, token)


@pytest.mark.parametrize("changed, status", [({"fiscalCode": ANNA}, 422), ({"fiscalCode": "01232710374"}, 422), ({"endsOn": "2020-01-01"}, 422),
                                             ({"scopes": ["profile"]}, 400), ({"scopes": []}, 400), ({"endsOn": "domani"}, 400)], ids=str)
def test_delegation_says_what_for_and_to_whom(citizen, changed, status):
    assert citizen("Anna Bianchi").post("/identity/v1/delegations", portico.new_delegation() | changed).status_code == status
