"""Several replicas of a program that tells, collects or posts events: one leads, another takes over when it is killed, and nothing is lost,
twice in effect or out of order."""
import hashlib
import hmac
import json
import subprocess
import threading
import time
import uuid
from contextlib import contextmanager

import pytest
import requests
from support.edge import free_port
from support.receiver import Receiver
from support.waiting import eventually

SUBSCRIPTIONS = "/events/v1/subscriptions"
EVENT = "registration.created"      # of something that has no practice: the dossier hears it and has nothing to do


class Replica:
    """The program of the stack once more, on a port of its own."""

    def __init__(self, stack, name, log, port=None, environment=None, **settings):
        self.stack, self.name, self.port = stack, name, port or free_port()
        environment = (environment or stack.environment(name)) | {"PORTICO_LISTEN": f"127.0.0.1:{self.port}"} | settings
        self.process = subprocess.Popen([stack.binary(name)], env=environment, stdout=log.open("ab"), stderr=subprocess.STDOUT)
        self.url = f"http://127.0.0.1:{self.port}"
        eventually(self.ready)

    def ready(self):
        try:
            return requests.get(self.url + "/readyz", timeout=2).status_code == 200
        except requests.ConnectionError:
            return False

    def get(self, path, caller, **parameters):
        """As the gateway asks: the caller in a signed header."""
        text, now = json.dumps(caller, separators=(",", ":")), int(time.time())
        key = open(self.stack.environment(self.name)["PORTICO_CALLER_KEY_FILE"]).read().strip()
        mac = hmac.new(key.encode(), f"{text}\nGET\n{path}\n{now}".encode(), hashlib.sha256).hexdigest()
        answer = requests.get(self.url + path, params=parameters, timeout=40,
                              headers={"Portico-Caller": text, "Portico-Signature": f"t={now},v={mac}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def close(self):
        self.process.terminate()
        self.process.wait(60)


@contextmanager
def replica(stack, name, log, **settings):
    one = Replica(stack, name, log, **settings)
    try:
        yield one
    finally:
        one.close()


@pytest.fixture
def refezione(partner):
    return partner("refezione")


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.close()


@pytest.fixture
def subscription(refezione, receiver):
    made = refezione.post(SUBSCRIPTIONS, {"url": receiver.url, "types": [f"it.portico.{EVENT}"], "concurrency": 8}, expect=201).json()
    yield made
    refezione.delete(f"{SUBSCRIPTIONS}/{made['id']}", expect=204)


class Emission:
    """Events of forty aggregates, ten of each, one a transaction, while something happens; whatever the database has taken counts."""

    def __init__(self, stack, aggregates=40, each=10):
        self.stack, self.each = stack, each
        self.ids = [str(uuid.uuid4()) for _ in range(aggregates)]
        self.thread = threading.Thread(target=self.run)
        self.told = 0

    def run(self):
        for _ in range(self.each):
            for start in range(0, len(self.ids), 10):
                part = ",".join(self.ids[start:start + 10])
                self.stack.sql("protocol", f"SELECT emit_event('c_a944', '{EVENT}', id::uuid, NULL, jsonb_build_object('registrationId', id, "
                               f"'direction', 'in')) FROM unnest('{{{part}}}'::text[]) id")
                self.told += 10

    def __enter__(self):
        self.thread.start()
        return self

    def half(self):
        eventually(lambda: self.told >= len(self.ids) * self.each // 2, within=60)

    def __exit__(self, *_):
        self.thread.join()

    def in_feed(self):
        """The sequences of each aggregate, in the order of the feed."""
        seen = {id: [] for id in self.ids}
        rows = self.stack.sql("notifications", "SELECT envelope::json ->> 'aggregate', envelope::json ->> 'sequence' FROM feed_events "
                                               f"WHERE type = 'it.portico.{EVENT}' ORDER BY position")
        for row in rows.splitlines():
            aggregate, sequence = row.split("|")
            if aggregate in seen:
                seen[aggregate].append(int(sequence))
        return seen

    def all_in_order(self):
        seen = self.in_feed()
        assert all(sequences == sorted(set(sequences)) for sequences in seen.values()), f"out of order or twice: {seen}"
        return all(sequences == list(range(1, self.each + 1)) for sequences in seen.values())

    def posted(self, receiver):
        return {(event["aggregate"], event["sequence"]) for event in receiver.events(EVENT)} >= \
            {(id, number + 1) for id in self.ids for number in range(self.each)}


def test_another_replica_collects_and_posts_when_the_leader_is_killed(stack, tmp_path, subscription, receiver):
    with replica(stack, "notifications", tmp_path / "log"):
        with Emission(stack) as emission:
            emission.half()
            stack.kill("notifications")
        eventually(emission.all_in_order, within=60)
        eventually(lambda: emission.posted(receiver), within=60)
        stack.up()
    again = len(receiver.got) - len(set(receiver.ids()))
    assert again <= 64, f"{again} events were posted again: more than were on their way when the leader was killed"


def test_another_replica_relays_when_the_leader_is_killed(stack, tmp_path):
    with replica(stack, "protocol", tmp_path / "log"):
        with Emission(stack) as emission:
            emission.half()
            stack.kill("protocol")
        eventually(emission.all_in_order, within=60)
        stack.up()


@pytest.mark.parametrize("victim", ["redis", "postgres"])
def test_the_feed_and_the_webhooks_go_on_after_a_store_was_killed(stack, subscription, receiver, victim):
    emission = Emission(stack)
    emission.run()
    stack.kill(victim)
    stack.up()
    emission.run()
    emission.each = 20
    eventually(emission.all_in_order, within=60)
    eventually(lambda: emission.posted(receiver), within=60)


def test_a_reader_who_waits_at_a_replica_that_does_not_lead_hears_at_once(stack, tmp_path):
    caller = {"kind": "partner", "client": "refezione", "tenant": "c_a944", "scope": "partner:events"}
    with replica(stack, "notifications", tmp_path / "log") as follower:
        cursor = follower.get("/events/v1/events", caller, after="end")["next"]
        while True:                         # what the suite does by itself is over
            page = follower.get("/events/v1/events", caller, after=cursor, wait=1)
            if not page["items"]:
                break
            cursor = page["next"]
        answers = []
        reader = threading.Thread(target=lambda: answers.append(
            follower.get("/events/v1/events", caller, after=cursor, wait=25, types=f"it.portico.{EVENT}")))
        reader.start()
        time.sleep(1)
        assert not answers
        Emission(stack, aggregates=1, each=1).run()
        reader.join(20)
        assert answers and answers[0]["items"][0]["type"] == f"it.portico.{EVENT}"


REBINDING = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>

/* rebind.example has an address that may be called the first time it is asked for, and then one that may not. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
	static int asked;
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");

	if (node && strcmp(node, "rebind.example") == 0)
		node = __atomic_fetch_add(&asked, 1, __ATOMIC_SEQ_CST) == 0 ? "127.0.0.1" : "127.0.0.2";
	return real(node, service, hints, result);
}
"""


def test_a_name_that_changes_its_address_is_not_followed_inside(stack, tmp_path, refezione):
    """The first delivery goes where the name leads. Then the name leads to a network that is not listed, where somebody listens on the same
    port: nothing arrives there, however often it is tried."""
    (tmp_path / "rebinding.c").write_text(REBINDING)
    library = tmp_path / "rebinding.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "rebinding.c"], check=True)
    first = Receiver()
    inside = Receiver(host="127.0.0.2", port=first.port)
    first.answer_headers = {"Connection": "close"}
    made = refezione.post(SUBSCRIPTIONS, {"url": f"http://rebind.example:{first.port}/", "types": ["it.portico.practice.closed"]},
                          expect=201).json()
    environment = stack.environment("notifications")
    stack.kill("notifications")
    one = Replica(stack, "notifications", tmp_path / "log", stack.port("notifications"), environment, LD_PRELOAD=str(library),
                  PORTICO_WEBHOOK_NETWORKS="127.0.0.1/32")
    try:
        def outcome():
            event = refezione.post(f"{SUBSCRIPTIONS}/{made['id']}/test", expect=202).json()["id"]
            told = eventually(lambda: (d := refezione.get(f"{SUBSCRIPTIONS}/{made['id']}/deliveries/{event}", expect=200).json())["attempts"] and d)
            return told["history"][-1]
        eventually(lambda: outcome().get("status") == 204, within=60, every=1)
        refused = eventually(lambda: "error" in (last := outcome()) and last, within=60, every=3)     # once the cached address is too old
        assert refused["error"] == "The address is in a private, local or special network."
        assert first.got and inside.got == []
    finally:
        one.close()
        stack.up()
        refezione.delete(f"{SUBSCRIPTIONS}/{made['id']}", expect=204)
        first.close()
        inside.close()


def test_secrets_are_in_no_log(stack, refezione, receiver, subscription):
    refezione.post(f"{SUBSCRIPTIONS}/{subscription['id']}/test", expect=202)
    eventually(lambda: receiver.got)
    log = (stack.state / "log/notifications.log").read_text(errors="replace")
    assert "whsec" not in log and subscription["secret"].removeprefix("whsec_") not in log
