"""Webhooks: what is posted and how it is signed, what happens to an endpoint that fails, is slow or answers again, and where webhooks
may not go."""
import ipaddress
import socket
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from support import portico
from support.receiver import Receiver

BASE = "/events/v1/subscriptions"


@pytest.fixture
def refezione(partner):
    """A partner of Bologna."""
    return partner("refezione")


@pytest.fixture
def roberto(operator):
    return operator("c_a944", "tributi")


@pytest.fixture
def elena(operator):
    """The administrator of Bologna."""
    return operator("c_a944")


@pytest.fixture
def anna(citizen):
    return citizen("Anna Bianchi")


@pytest.fixture
def receiver():
    receivers = []

    def receiver(answer=204, **options):
        receivers.append(Receiver(answer, **options))
        return receivers[-1]
    yield receiver
    for one in receivers:
        one.close()


@pytest.fixture
def subscribe(refezione):
    made = []

    def subscribe(receiver, types=("it.portico.position.created",), client=refezione, **more):
        made.append((client, client.post(BASE, {"url": receiver.url, "types": list(types)} | more, expect=201).json()))
        return made[-1][1]
    yield subscribe
    for client, subscription in made:
        client.delete(f"{BASE}/{subscription['id']}")


def show(client, subscription):
    return client.get(f"{BASE}/{subscription['id']}", expect=200).json()


def delivery(client, subscription, event):
    return client.get(f"{BASE}/{subscription['id']}/deliveries/{event}", expect=200).json()


def about(position, events):
    return [event for event in events if event["aggregate"] == position["id"]]


def hurry(stack, subscription):
    """The next attempts of what waits are made now instead of after their pauses."""
    stack.sql("notifications", "UPDATE webhook_deliveries SET next_attempt_at = now() "
                               f"WHERE subscription_id = '{subscription['id']}' AND state = 'waiting'")
    stack.sql("notifications", "NOTIFY tasks, 'keep-webhooks'")


# ---- what arrives

def test_an_event_is_posted_and_signed(subscribe, receiver, refezione, roberto, anna, eventually):
    endpoint = receiver()
    subscription = subscribe(endpoint)
    position = portico.position(roberto, anna)
    eventually(lambda: about(position, endpoint.events()))
    got = next(got for got in endpoint.got if got.event["aggregate"] == position["id"])
    assert got.headers["Content-Type"] == "application/cloudevents+json"
    assert got.headers["webhook-id"] == got.event["id"]
    assert Webhook(subscription["secret"]).verify(got.body, got.headers) == got.event
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 43 + "=").verify(got.body, got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(subscription["secret"]).verify(got.body + b" ", got.headers)
    told = eventually(lambda: (d := delivery(refezione, subscription, got.event["id"]))["state"] == "delivered" and d)
    assert told["attempts"] == 1 and told["history"][0]["status"] == 204 and told["history"][0]["latencyMs"] >= 0


def test_the_webhook_and_the_feed_say_the_same(subscribe, receiver, refezione, roberto, anna, eventually):
    endpoint = receiver()
    subscribe(endpoint)
    position = portico.position(roberto, anna)
    event, = eventually(lambda: about(position, endpoint.events()))
    in_feed = refezione.get("/events/v1/events", params={"limit": 100, "subject": anna.sub}, expect=200).json()
    while not about(position, in_feed["items"]):
        in_feed = refezione.get("/events/v1/events", params={"limit": 100, "subject": anna.sub, "after": in_feed["next"]}, expect=200).json()
    assert about(position, in_feed["items"])[0] == event


def test_only_the_types_that_were_asked_for(subscribe, receiver, roberto, anna, eventually):
    some, all_of_them = receiver(), receiver()
    subscribe(some, types=["it.portico.position.cancelled"])
    subscribe(all_of_them, types=[])
    position = portico.position(roberto, anna)
    roberto.post(f"/payments/v1/positions/{position['id']}/cancellation", {"reason": "emessa per errore"}, expect=200)
    eventually(lambda: len(about(position, all_of_them.events())) == 2 and about(position, some.events()))
    assert {event["type"] for event in some.events()} == {"it.portico.position.cancelled"}


def test_another_tenant_hears_nothing(subscribe, receiver, partner, roberto, anna, eventually):
    here, there = receiver(), receiver()
    subscribe(here)
    subscribe(there, client=partner("acquedotto"))
    position = portico.position(roberto, anna)
    eventually(lambda: about(position, here.events()))
    assert there.got == []


def test_a_test_event(subscribe, receiver, refezione, eventually):
    endpoint, other = receiver(), receiver()
    subscription = subscribe(endpoint)
    subscribe(other, types=[])
    told = refezione.post(f"{BASE}/{subscription['id']}/test", expect=202).json()
    got = eventually(lambda: endpoint.got and endpoint.got[0])
    assert got.event["type"] == "it.portico.webhook.test" and got.event["id"] == told["id"]
    assert Webhook(subscription["secret"]).verify(got.body, got.headers)["data"] == {"subscriptionId": subscription["id"]}
    eventually(lambda: delivery(refezione, subscription, told["id"])["state"] == "delivered")
    assert "it.portico.webhook.test" not in {event["type"] for event in other.events()}


# ---- keys

def test_both_keys_sign_after_a_rotation_and_the_old_one_ends(subscribe, receiver, stack, refezione, eventually):
    endpoint = receiver()
    subscription = subscribe(endpoint)
    first = subscription["secret"]
    second = refezione.post(f"{BASE}/{subscription['id']}/secret-rotation", {"keepHours": 24}, expect=200).json()
    assert second["secret"] != first and "secondaryUntil" in second and "secret" not in show(refezione, subscription)

    def signed_with(*secrets):
        endpoint.got.clear()
        refezione.post(f"{BASE}/{subscription['id']}/test", expect=202)
        got = eventually(lambda: endpoint.got and endpoint.got[0])
        for secret in secrets:
            Webhook(secret).verify(got.body, got.headers)
        return len(got.headers["webhook-signature"].split()) == len(secrets)
    eventually(lambda: signed_with(second["secret"], first))
    third = refezione.post(f"{BASE}/{subscription['id']}/secret-rotation", {"keepHours": 0}, expect=200).json()
    eventually(lambda: signed_with_one(endpoint, refezione, subscription, third["secret"], eventually))


def signed_with_one(endpoint, client, subscription, secret, eventually):
    endpoint.got.clear()
    client.post(f"{BASE}/{subscription['id']}/test", expect=202)
    got = eventually(lambda: endpoint.got and endpoint.got[0])
    try:
        Webhook(secret).verify(got.body, got.headers)
    except WebhookVerificationError:
        return False
    return len(got.headers["webhook-signature"].split()) == 1


def test_secrets_are_sealed_in_the_database(subscribe, receiver, stack):
    subscription = subscribe(receiver())
    row = stack.sql("notifications", f"SELECT s FROM webhook_subscriptions s WHERE id = '{subscription['id']}'")
    assert subscription["secret"] not in row and subscription["secret"].removeprefix("whsec_") not in row and "whsec" not in row


# ---- endpoints that fail

def test_a_failed_attempt_is_made_again(subscribe, receiver, stack, refezione, eventually):
    endpoint = receiver(503)
    subscription = subscribe(endpoint)
    event = refezione.post(f"{BASE}/{subscription['id']}/test", expect=202).json()["id"]
    told = eventually(lambda: (d := delivery(refezione, subscription, event))["attempts"] == 1 and d)
    assert told["state"] == "waiting" and told["history"][0]["status"] == 503 and "nextAttemptAt" in told
    health = eventually(lambda: (h := show(refezione, subscription)["health"])["failures"] == 1 and h)
    assert health["state"] == "failing" and health["lastError"] == "It answered 503."
    endpoint.answer = 200
    hurry(stack, subscription)
    told = eventually(lambda: (d := delivery(refezione, subscription, event))["state"] == "delivered" and d)
    assert [attempt["status"] for attempt in told["history"]] == [503, 200]
    assert endpoint.ids() == [event, event], "the same event must have the same id each time"
    eventually(lambda: show(refezione, subscription)["health"]["state"] == "up")


def test_a_redirect_is_not_followed(subscribe, receiver, refezione, eventually):
    elsewhere, endpoint = receiver(), receiver(307)
    endpoint.answer_headers = {"Location": elsewhere.url}
    subscription = subscribe(endpoint)
    event = refezione.post(f"{BASE}/{subscription['id']}/test", expect=202).json()["id"]
    told = eventually(lambda: (d := delivery(refezione, subscription, event))["attempts"] == 1 and d)
    assert told["state"] == "waiting" and told["history"][0]["status"] == 307 and elsewhere.got == []


def test_pauses_grow(subscribe, receiver, stack, refezione, eventually):
    endpoint = receiver(500)
    subscription = subscribe(endpoint)
    event = refezione.post(f"{BASE}/{subscription['id']}/test", expect=202).json()["id"]
    pauses = []
    for attempt in range(1, 5):
        eventually(lambda: delivery(refezione, subscription, event)["attempts"] == attempt)
        pauses.append(float(stack.sql("notifications", "SELECT extract(epoch FROM next_attempt_at - (history -> -1 ->> 'at')::timestamptz) "
                                                       f"FROM webhook_deliveries WHERE id = '{event}'")))
        hurry(stack, subscription)
    assert 3.5 < pauses[0] < 9 and pauses[0] < pauses[2] < pauses[3], pauses
    steps = stack.sql("notifications", "SELECT round(extract(epoch FROM webhook_pause(n))) FROM generate_series(1, 40) n").split()
    assert all(abs(float(step) - wanted) <= wanted / 5 + 1 for step, wanted in
               zip(steps, [min(5 * 2 ** n, 14400) for n in range(40)])), steps


def test_after_three_days_it_is_parked_and_made_again_by_hand(subscribe, receiver, stack, refezione, eventually):
    endpoint = receiver(500)
    subscription = subscribe(endpoint)
    event = refezione.post(f"{BASE}/{subscription['id']}/test", expect=202).json()["id"]
    eventually(lambda: delivery(refezione, subscription, event)["attempts"] == 1)
    stack.sql("notifications", f"UPDATE webhook_deliveries SET expires_at = now() + interval '1 second' WHERE id = '{event}'")
    hurry(stack, subscription)
    told = eventually(lambda: (d := delivery(refezione, subscription, event))["state"] == "parked" and d)
    assert "settledAt" in told and "nextAttemptAt" not in told
    assert show(refezione, subscription)["health"]["parked"] == 1
    listed = refezione.get(f"{BASE}/{subscription['id']}/deliveries", params={"state": "parked"}, expect=200).json()["items"]
    assert [item["id"] for item in listed] == [event]
    endpoint.answer = 200
    assert refezione.post(f"{BASE}/{subscription['id']}/redrive", expect=202).json() == {"redriven": 1}
    eventually(lambda: delivery(refezione, subscription, event)["state"] == "delivered")
    again = refezione.post(f"{BASE}/{subscription['id']}/deliveries/{event}/redrive", expect=202).json()
    assert again["state"] == "waiting"
    eventually(lambda: delivery(refezione, subscription, event)["state"] == "delivered")


def test_what_was_parked_comes_by_itself_when_the_endpoint_answers_again(subscribe, receiver, stack, refezione, eventually):
    endpoint = receiver(500)
    subscription = subscribe(endpoint)
    events = [refezione.post(f"{BASE}/{subscription['id']}/test", expect=202).json()["id"] for _ in range(6)]
    eventually(lambda: show(refezione, subscription)["health"]["state"] == "down")
    stack.sql("notifications", f"UPDATE webhook_deliveries SET expires_at = now() - interval '1 second', next_attempt_at = now() + interval '1 hour' "
                               f"WHERE subscription_id = '{subscription['id']}'")
    stack.sql("notifications", "NOTIFY tasks, 'tend-webhooks'")
    eventually(lambda: show(refezione, subscription)["health"]["parked"] >= 5)
    endpoint.answer = 200
    refezione.post(f"{BASE}/{subscription['id']}/test", expect=202)    # something new happens, and is tried with the breaker's pauses
    for event in events:
        eventually(lambda: delivery(refezione, subscription, event)["state"] == "delivered", within=60)
    assert show(refezione, subscription)["health"] | {"lastSuccessAt": ""} == \
        {"state": "up", "failures": 0, "waiting": 0, "parked": 0, "lastSuccessAt": ""}


def test_silence_is_broken_by_one_parked_delivery(subscribe, receiver, stack, refezione, eventually):
    """Nothing new happens: then one of those that are parked is tried, an hour after the last."""
    endpoint = receiver(500)
    subscription = subscribe(endpoint)
    event = refezione.post(f"{BASE}/{subscription['id']}/test", expect=202).json()["id"]
    eventually(lambda: delivery(refezione, subscription, event)["attempts"] == 1)
    endpoint.answer = 200
    stack.sql("notifications", f"UPDATE webhook_deliveries SET state = 'parked' WHERE id = '{event}'")
    stack.sql("notifications", "NOTIFY tasks, 'tend-webhooks'")
    eventually(lambda: delivery(refezione, subscription, event)["state"] == "delivered")


def test_a_dead_endpoint_is_tried_with_one_at_a_time(subscribe, receiver, refezione, eventually):
    endpoint = receiver(500)
    subscription = subscribe(endpoint, concurrency=1)
    for _ in range(12):
        refezione.post(f"{BASE}/{subscription['id']}/test", expect=202)
    eventually(lambda: show(refezione, subscription)["health"]["state"] == "down")
    tried = len(endpoint.got)
    assert 5 <= tried <= 6, f"{tried} attempts: the breaker did not open"
    assert show(refezione, subscription)["health"]["waiting"] == 12


def test_a_slow_endpoint_hurts_only_itself(subscribe, receiver, refezione, roberto, anna, eventually):
    slow, quick = receiver(lambda _: time.sleep(4) or 204), receiver()
    mine = subscribe(slow, concurrency=2)
    subscribe(quick)
    positions = [portico.position(roberto, anna) for _ in range(6)]
    eventually(lambda: all(about(position, quick.events()) for position in positions), within=20)
    assert len(slow.got) < 6, "more than two were on their way to it at once"
    eventually(lambda: all(about(position, slow.events()) for position in positions), within=30)
    assert len({event["id"] for event in slow.events()}) == len(slow.got), "an event was posted twice"
    eventually(lambda: show(refezione, mine)["health"]["waiting"] == 0, within=30)


# ---- subscriptions

def test_pausing_and_going_on(subscribe, receiver, refezione, eventually):
    endpoint = receiver()
    subscription = subscribe(endpoint)
    answer = refezione.patch(f"{BASE}/{subscription['id']}", {"state": "paused"}, expect=200)
    assert answer.json()["state"] == "paused"
    time.sleep(0.5)                    # the other program hears of it by notification
    event = refezione.post(f"{BASE}/{subscription['id']}/test", expect=202).json()["id"]
    time.sleep(1.5)
    assert endpoint.got == [] and delivery(refezione, subscription, event)["state"] == "waiting"
    refezione.patch(f"{BASE}/{subscription['id']}", {"state": "active"}, headers={"If-Match": answer.headers["ETag"]}, expect=200)
    eventually(lambda: endpoint.ids() == [event])
    stale = refezione.patch(f"{BASE}/{subscription['id']}", {"description": "x"}, headers={"If-Match": answer.headers["ETag"]}, expect=412)
    assert stale.json()["type"] == "/problems/version-conflict"


def test_deleting(subscribe, receiver, stack, refezione, roberto, anna, eventually):
    endpoint, other = receiver(), receiver()
    subscription = subscribe(endpoint)
    subscribe(other)
    refezione.delete(f"{BASE}/{subscription['id']}", expect=204)
    refezione.get(f"{BASE}/{subscription['id']}", expect=404)
    position = portico.position(roberto, anna)
    eventually(lambda: about(position, other.events()))
    assert endpoint.got == []
    stack.sql("notifications", "NOTIFY tasks, 'sweep-subscriptions'")
    eventually(lambda: stack.sql("notifications", f"SELECT count(*) FROM webhook_subscriptions WHERE id = '{subscription['id']}'") == "0")


def test_the_same_address_twice_is_refused(subscribe, receiver, refezione):
    endpoint = receiver()
    subscribe(endpoint)
    answer = refezione.post(BASE, {"url": endpoint.url}, expect=409)
    assert answer.json()["type"] == "/problems/already-subscribed"


def test_a_client_has_at_most_twenty(subscribe, receiver, refezione):
    endpoint = receiver()
    have = len(refezione.get(BASE, params={"limit": 100}, expect=200).json()["items"])
    made = [refezione.post(BASE, {"url": f"{endpoint.url}/{n}", "types": ["it.portico.practice.closed"]}, expect=201).json()
            for n in range(20 - have)]
    answer = refezione.post(BASE, {"url": f"{endpoint.url}/one-more"}, expect=409)
    assert answer.json()["type"] == "/problems/too-many-subscriptions"
    page = refezione.get(BASE, params={"limit": 7}, expect=200).json()
    assert len(page["items"]) == 7 and "next" in page
    for subscription in made:
        refezione.delete(f"{BASE}/{subscription['id']}", expect=204)


def test_a_client_sees_its_own_and_an_administrator_all(subscribe, receiver, stack, refezione, elena):
    mine = subscribe(receiver())
    other = stack.sql("notifications", "INSERT INTO webhook_subscriptions (tenant_id, client_id, url, secret, state) "
                                       "VALUES ('c_a944', 'another', 'https://another.example/', 'x', 'paused') RETURNING id")
    try:
        seen = {item["id"] for item in refezione.get(BASE, params={"limit": 100}, expect=200).json()["items"]}
        assert mine["id"] in seen and other not in seen
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/redrive"), ("GET", "/deliveries")):
            refezione.send(method, f"{BASE}/{other}{path}", expect=404)
        refezione.patch(f"{BASE}/{other}", {"state": "active"}, expect=404)
        listed = elena.get(BASE, params={"limit": 100}, expect=200).json()["items"]
        assert {mine["id"], other} <= {item["id"] for item in listed} and not any("secret" in item for item in listed)
    finally:
        stack.sql("notifications", f"DELETE FROM webhook_subscriptions WHERE id = '{other}'")


# ---- where webhooks may not go

REFUSED = [
    "https://10.0.0.1/", "https://192.168.1.1/", "https://172.16.0.1/", "https://100.64.0.1/", "https://169.254.169.254/latest/meta-data",
    "https://0.0.0.0/", "https://0/", "https://[::1]/", "https://[::]/", "https://[fe80::1]/", "https://[fc00::1]/",
    "https://[::ffff:10.0.0.1]/", "https://[::ffff:a00:1]/", "https://[64:ff9b::a00:1]/", "https://[2002:a00:1::]/", "https://[2001:db8::1]/",
    "https://167772161/", "https://0xa000001/", "https://012.0.0.1/", "https://10.1/", "https://0xa.0.0.1/", "https://%31%30.0.0.1/",
    "https://224.0.0.1/", "https://255.255.255.255/", "https://198.18.0.1/", "https://192.0.2.1/",
    "https://user@hooks.example/", "https://user:word@hooks.example/", "https://hooks.example/#part", "https://10.0.0.1:443@hooks.example/",
    "ftp://hooks.example/", "file:///etc/passwd", "gopher://hooks.example/", "https://hooks.example\\@10.0.0.1/",
]


@pytest.mark.parametrize("url", REFUSED)
def test_an_address_that_must_not_be_called_is_refused(refezione, url):
    answer = refezione.post(BASE, {"url": url, "types": ["it.portico.practice.closed"]})
    assert answer.status_code in (400, 422), f"{url} was taken: {answer.text}"
    assert answer.json()["type"] in ("/problems/destination-refused", "/problems/invalid-request")


@pytest.mark.parametrize("url", ["https://10.0.0.1/", "https://[::1]/", "https://user@hooks.example/"])
def test_a_change_of_address_is_judged_as_well(subscribe, receiver, refezione, url):
    subscription = subscribe(receiver())
    answer = refezione.patch(f"{BASE}/{subscription['id']}", {"url": url}, expect=422)
    assert answer.json()["type"] == "/problems/destination-refused"


@pytest.mark.parametrize("url", ["http://10.0.0.1:9/", "https://10.0.0.1:9/", "https://169.254.169.254/", "http://[::1]:9/",
                                 "https://[::ffff:192.168.0.1]/"])
def test_the_address_is_judged_when_it_is_connected_to(subscribe, receiver, stack, refezione, eventually, url):
    """Whatever is in the database, or whatever a name means by then: no connection is opened."""
    subscription = subscribe(receiver())
    stack.sql("notifications", f"UPDATE webhook_subscriptions SET url = '{url}' WHERE id = '{subscription['id']}'")
    stack.sql("notifications", "NOTIFY tasks, 'load-subscriptions'")
    refused_when_connecting(stack, refezione, subscription, eventually)


def test_a_name_is_judged_by_the_address_it_has_when_it_is_connected_to(subscribe, receiver, stack, refezione, eventually):
    """The name of this machine leads to its own private address, where somebody listens. When the subscription was made it could have
    led anywhere."""
    name = socket.gethostname()
    address = socket.gethostbyname(name)
    if address.startswith("127.") or not ipaddress.ip_address(address).is_private:
        pytest.skip(f"{name} has no private address here but {address}")
    listener = receiver(host=address)
    subscription = refezione.post(BASE, {"url": f"http://{name}:{listener.port}/", "types": ["it.portico.practice.closed"]}, expect=201).json()
    try:
        refused_when_connecting(stack, refezione, subscription, eventually)
        assert listener.got == []
    finally:
        refezione.delete(f"{BASE}/{subscription['id']}", expect=204)


def refused_when_connecting(stack, client, subscription, eventually):
    """Until the program has heard of the change in the database, deliveries still go where they went before."""
    def refused():
        event = client.post(f"{BASE}/{subscription['id']}/test", expect=202).json()["id"]
        told = eventually(lambda: (d := delivery(client, subscription, event))["attempts"] >= 1 and d)
        return "status" not in told["history"][-1] and told["history"][-1]["error"]
    assert eventually(refused) == "The address is in a private, local or special network."
