"""The feed: what partners read with a cursor, and the AsyncAPI document that every event is held against."""
import threading
import time
import uuid

import pytest
from support import contracts, portico
from support.events import is_a_cloudevent, messages, violations

FEED = "/events/v1/events"


@pytest.fixture
def refezione(partner):
    """A partner of Bologna."""
    return partner("refezione")


@pytest.fixture
def acquedotto(partner):
    """A partner of Bari."""
    return partner("acquedotto")


@pytest.fixture
def roberto(operator):
    return operator("c_a944", "tributi")


@pytest.fixture
def anna(citizen):
    return citizen("Anna Bianchi")


def end(client):
    return client.get(FEED, params={"after": "end"}, expect=200).json()["next"]


def read_on(client, cursor, **filters):
    """All that there is after the cursor now, and the next cursor."""
    items = []
    while True:
        page = client.get(FEED, params={"after": cursor, "limit": 100, **filters}, expect=200).json()
        items += page["items"]
        if page["next"] == cursor:
            return items, cursor
        cursor = page["next"]


def read_all(client):
    """All that is kept."""
    page = client.get(FEED, params={"limit": 100}, expect=200).json()
    return page["items"] + read_on(client, page["next"])[0]


def of(position, items):
    return [item for item in items if item["aggregate"] == position["id"]]


def test_an_event_is_in_the_feed(refezione, roberto, anna, eventually):
    cursor = end(refezione)
    position = portico.position(roberto, anna)
    event, = eventually(lambda: of(position, read_on(refezione, cursor)[0]))
    assert event["type"] == "it.portico.position.created" and event["source"] == "/payments"
    assert event["tenant"] == "c_a944" and event["subject"] == anna.sub
    assert event["data"]["positionId"] == position["id"] and event["sequence"] == 1


def test_another_tenants_partner_sees_nothing_of_it(refezione, acquedotto, roberto, anna, eventually):
    here, there = end(refezione), end(acquedotto)
    position = portico.position(roberto, anna)
    eventually(lambda: of(position, read_on(refezione, here)[0]))
    assert of(position, read_on(acquedotto, there)[0]) == []
    assert {item["tenant"] for item in read_all(acquedotto)} <= {"c_a662"}


def test_types_and_subject_filter(refezione, roberto, anna, citizen, eventually):
    davide, cursor = citizen("Davide Conti"), end(refezione)
    mine, his = portico.position(roberto, anna), portico.position(roberto, davide)
    roberto.post(f"/payments/v1/positions/{his['id']}/cancellation", {"reason": "emessa per errore"}, expect=200)
    eventually(lambda: len(of(his, read_on(refezione, cursor)[0])) == 2)

    cancelled, _ = read_on(refezione, cursor, types="it.portico.position.cancelled")
    assert {item["type"] for item in cancelled} == {"it.portico.position.cancelled"} and of(his, cancelled)
    about_anna, _ = read_on(refezione, cursor, subject=anna.sub)
    assert of(mine, about_anna) and {item["subject"] for item in about_anna} == {anna.sub}
    refezione.get(FEED, params={"types": "it.portico.practice.submited"}, expect=400)


def test_the_order_of_an_aggregate_holds(refezione, roberto, anna, eventually):
    cursor = end(refezione)
    position = portico.position(roberto, anna)
    roberto.post(f"/payments/v1/positions/{position['id']}/cancellation", {"reason": "emessa per errore"}, expect=200)
    events = eventually(lambda: len(of(position, read_on(refezione, cursor)[0])) == 2 and of(position, read_on(refezione, cursor)[0]))
    assert [event["sequence"] for event in events] == [1, 2]
    assert [event["type"].removeprefix("it.portico.") for event in events] == ["position.created", "position.cancelled"]


def test_a_long_poll_answers_when_something_happens(refezione, roberto, anna):
    cursor = eventually_quiet(refezione)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(refezione.get(
        FEED, params={"after": cursor, "wait": 25, "types": "it.portico.position.created"}, expect=200).json()))
    began = time.monotonic()
    waiting.start()
    waiting.join(1)
    assert not answers, "it did not wait"
    position = portico.position(roberto, anna)
    waiting.join(24)
    assert of(position, answers[0]["items"]) and time.monotonic() - began < 25


def eventually_quiet(client):
    cursor = end(client)
    while True:
        page = client.get(FEED, params={"after": cursor, "wait": 1}, expect=200).json()
        if not page["items"]:
            return page["next"]
        cursor = page["next"]


def test_a_long_poll_that_ends_is_an_empty_page(refezione):
    cursor = eventually_quiet(refezione)
    page = refezione.get(FEED, params={"after": cursor, "wait": 2, "subject": str(uuid.uuid4())}, expect=200).json()
    assert page["items"] == [] and int(page["next"]) >= int(cursor)


def test_those_who_wait_hold_no_connection_to_the_database(stack, refezione):
    """More of them than the pool has connections, and everybody else is served."""
    cursor = eventually_quiet(refezione)
    absent = str(uuid.uuid4())
    waiting = [threading.Thread(target=lambda: refezione.get(FEED, params={"after": cursor, "wait": 6, "subject": absent}, expect=200))
               for _ in range(24)]
    for one in waiting:
        one.start()
    time.sleep(1)
    gauges = dict(line.rsplit(" ", 1) for line in refezione.http.get(stack.url("notifications") + "/metrics", timeout=10).text.splitlines()
                  if line and not line.startswith("#"))
    assert float(gauges['portico_db_connections{state="in_use"}']) < 10
    refezione.get(FEED, params={"after": "end"}, expect=200)
    for one in waiting:
        one.join()


def test_whoever_was_away_catches_up_to_the_same_state(refezione, roberto, anna, eventually):
    """One follows all the time, the other is away for as long as it all happens, an hour or a day: the cursor does not age."""
    start = end(refezione)
    states, cursor = {}, start
    positions = []
    for number in range(6):
        positions.append(portico.position(roberto, anna))
        if number % 2:
            roberto.post(f"/payments/v1/positions/{positions[-1]['id']}/cancellation", {"reason": "emessa per errore"}, expect=200)
        items, cursor = read_on(refezione, cursor)
        apply(states, items)
    wanted = {position["id"]: (2, "position.cancelled") if number % 2 else (1, "position.created")
              for number, position in enumerate(positions)}

    def follow():
        nonlocal cursor
        items, cursor = read_on(refezione, cursor)
        apply(states, items)
        return wanted.items() <= states.items()
    eventually(follow)

    def same():
        """Other events of the tenant go on meanwhile, so both are asked until nothing happened between the two."""
        follow()
        items, end_of_back = read_on(refezione, start)
        assert len({item["id"] for item in items}) == len(items), "an event twice in the feed"
        back = {}
        apply(back, items)
        assert end_of_back != cursor or back == states, "who came back has another state than who never left"
        return end_of_back == cursor
    eventually(same)


def apply(states, items):
    """What a partner does with an event: the newest one of each thing counts."""
    for item in items:
        known = states.get(item["aggregate"], (0, None))
        assert item["sequence"] > known[0], "out of order"
        states[item["aggregate"]] = (item["sequence"], item["type"].removeprefix("it.portico."))


def test_an_old_cursor_is_refused_and_the_rest_is_kept(stack, refezione, roberto, anna, operator, eventually):
    """The tenant keeps a day; what is older is swept, and who stands before it learns that something is missing."""
    elena = operator("c_a944")
    assert elena.get("/events/v1/settings", expect=200).json()["retentionDays"] == 30
    try:
        elena.put("/events/v1/settings", {"retentionDays": 1}, expect=200)
        cursor = end(refezione)
        old, young = portico.position(roberto, anna), portico.position(roberto, anna)
        eventually(lambda: of(young, read_on(refezione, cursor)[0]))
        stack.sql("notifications", "UPDATE feed_events SET collected_at = now() - interval '2 days' WHERE tenant_id = 'c_a944' AND position <= "
                                   f"(SELECT position FROM feed_events WHERE envelope LIKE '%{old['id']}%')")
        stack.sql("notifications", "NOTIFY tasks, 'sweep-feed'")
        eventually(lambda: refezione.get(FEED, params={"after": cursor}).status_code == 410)
        assert refezione.get(FEED, params={"after": cursor}).json()["type"] == "/problems/cursor-expired"
        assert of(young, refezione.get(FEED, params={"limit": 100}, expect=200).json()["items"]), "what is young enough is gone"
        assert end(refezione)
    finally:
        elena.put("/events/v1/settings", {"retentionDays": 30}, expect=200)


def test_a_cursor_of_the_future_is_refused(refezione):
    answer = refezione.get(FEED, params={"after": "999999999999999999"}, expect=410)
    assert answer.json()["type"] == "/problems/cursor-expired"


# ---- the AsyncAPI document; every event of a whole run is held against it in test_whole_run.py

@pytest.mark.parametrize("name", sorted(messages()))
def test_the_example_of_each_event_is_one(name):
    for example in messages()[name]["examples"]:
        assert violations(example["payload"]) == []
        assert is_a_cloudevent(example["payload"])


def test_what_is_no_event_is_noticed():
    """The control of the check above and of that of the whole run."""
    good = messages()["it.portico.position.paid"]["examples"][0]["payload"]
    assert violations(good) == []
    for wrong in ({"type": "it.portico.position.forgotten"}, {"sequence": 0}, {"fiscalCode": "BNCNNA85C52A944U"}, {"data": {}},
                  {"id": str(uuid.uuid4())}, {"source": "/dossier"}):
        assert violations(good | wrong), wrong
    with pytest.raises(Exception):
        is_a_cloudevent({key: value for key, value in good.items() if key != "source"})


def test_every_type_that_partners_can_ask_for_is_one_that_they_can_get():
    document = contracts.document("events.yaml")
    told = set(messages()) - {"it.portico.person.updated", "it.portico.webhook.test"}
    assert set(document["components"]["schemas"]["Type"]["enum"]) == told
    on_channels = {contracts.resolve("events.yaml", message)[1]["name"] for channel in document["channels"].values()
                   for message in channel["messages"].values()}
    assert on_channels == set(messages())


def test_what_is_in_the_feed_is_as_documented(refezione, roberto, anna, eventually):
    position = portico.position(roberto, anna)
    eventually(lambda: of(position, read_all(refezione)))
    for event in read_all(refezione)[-200:]:
        assert violations(event) == [] and is_a_cloudevent(event)
