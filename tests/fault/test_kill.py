"""kill -9 of each part, one after the other, in the middle of running journeys. Afterwards every accepted step is there once, every
event had its effect once, and every journey has come to its end.

A person of these journeys does what a good front end does: a call that is not answered, or answered "not now", is made again with
the same Idempotency-Key, for a bounded time. PORTICO_TEST_JOURNEYS says how many journeys at least (40)."""
import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from support import portico
from support.clients import Client
from support.contracts import ROOT
from support.portico import eventually
from support.stack import SERVICES

JOURNEYS = int(os.environ.get("PORTICO_TEST_JOURNEYS", 40))
AT_ONCE = 12
PATIENCE = 120
VICTIMS = [*SERVICES, "gateway", "postgres", "redis"]


class Patient(Client):
    """Somebody who tries again, with the same key, while the answer is missing or says "not now"."""

    def __init__(self, person, lock):
        super().__init__(person.base_url, person.name, person.person)
        self.original, self.lock = person, lock

    def authorization(self):
        with self.lock:
            return self.original.authorization()

    def send(self, method, path, expect=None, headers=None, **options):
        if method == "POST":
            headers = {"Idempotency-Key": portico.unique(), **(headers or {})}
        end, last = time.monotonic() + PATIENCE, None
        while time.monotonic() < end:
            try:
                answer = super().send(method, path, headers=headers, **options)
            except (requests.ConnectionError, requests.Timeout) as failure:
                last = failure
            else:
                last = answer
                if not not_now(answer):
                    break
            time.sleep(0.3)
        assert isinstance(last, requests.Response), f"{self.name}: {method} {path} was never answered: {last}"
        assert expect in (None, last.status_code), \
            f"{self.name}: {method} {path} gave {last.status_code}, not {expect}: {last.text[:800]}"
        return last


def not_now(answer):
    return answer.status_code in (429, 502, 503, 504) or \
        answer.status_code == 409 and answer.json()["type"] == "/problems/idempotency-in-flight"


class Journeys:
    """Many journeys at once; counts those begun and ended, and keeps what was accepted."""

    def __init__(self, citizen, operator, pagopa):
        self.lock, self.pagopa, self.mark = threading.Lock(), pagopa, portico.unique()
        self.people = [citizen(name) for name in ("Anna Bianchi", "Davide Conti", "Paolo Greco")]
        self.operator = operator("c_a944", "mobilita")
        self.enough, self.ended, self.begun = threading.Event(), [], 0

    def one(self, number):
        citizen = Patient(self.people[number % len(self.people)], self.lock)
        chiara = Patient(self.operator, self.lock)
        practice = portico.draft(citizen)
        citizen.patch(f"/dossier/v1/practices/{practice['id']}", {"data": {"note": self.mark}}, expect=200)
        portico.act(citizen, practice, "submission")
        portico.await_state(citizen, practice, "payment-due", within=PATIENCE)
        self.pay(citizen, practice)
        portico.await_state(citizen, practice, "in-review", within=PATIENCE)
        portico.act(chiara, practice, "approval", {"note": "Si autorizza."})
        self.ended.append(portico.await_state(citizen, practice, "closed", within=PATIENCE))

    def pay(self, citizen, practice):
        """Pays again while pagoPA's page says that the payment failed, as the page itself proposes."""
        due = portico.due_of(citizen, practice, within=PATIENCE)

        def try_once():
            if citizen.get(f"/payments/v1/positions/{due['id']}", expect=200).json()["state"] == "paid":
                return True
            try:
                return self.pagopa.pay(citizen, due)
            except AssertionError:
                return False
        assert eventually(try_once, within=PATIENCE, every=1)

    def run(self):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            waiting = []
            while not (self.enough.is_set() and self.begun >= JOURNEYS):
                waiting = [journey for journey in waiting if not journey.done() or journey.result()]
                if len(waiting) < AT_ONCE:
                    waiting.append(pool.submit(self.one, self.begun))
                    self.begun += 1
                else:
                    time.sleep(0.05)
            for journey in waiting:
                journey.result()


@pytest.fixture(scope="module")
def survived(stack, citizen, operator, pagopa):
    """Runs the journeys and the murders; the tests below look at what is left."""
    journeys = Journeys(citizen, operator, pagopa)
    with ThreadPoolExecutor(1) as runner:
        running = runner.submit(journeys.run)
        try:
            for place, victim in enumerate(VICTIMS):
                eventually(lambda: running.done() or len(journeys.ended) > JOURNEYS * place // (len(VICTIMS) + 1), within=600)
                assert not running.done(), f"the journeys stopped before {victim} was killed: {running.exception()}"
                stack.kill(victim)
                stack.up()
        finally:
            journeys.enough.set()
        running.result()
    eventually(stack.events_at_rest, within=60)
    return journeys


def ids(journeys):
    return ",".join(f"'{practice['id']}'" for practice in journeys.ended)


@pytest.mark.timeout(3600)
def test_every_journey_ends(survived):
    assert len(survived.ended) == survived.begun >= JOURNEYS


def test_every_accepted_step_is_there_once(survived, stack):
    made = stack.sql("dossier", f"SELECT count(*) FROM practices WHERE data ->> 'note' = '{survived.mark}'")
    assert int(made) == survived.begun, "a practice that was accepted twice, or lost"
    steps = [("draft", "submitted"), ("submitted", "registered"), ("registered", "payment-due"), ("payment-due", "in-review"),
             ("in-review", "approved"), ("approved", "closed")]
    for practice in survived.ended:
        assert [(step["from"], step["to"]) for step in practice["history"]] == steps
        assert len(practice["documents"]) == 1


def test_each_is_registered_once_in_and_once_out_without_a_gap(survived, stack):
    wrong = stack.sql("protocol", f"SELECT reference_id, count(*) FILTER (WHERE direction = 'in'), count(*) FILTER (WHERE direction = "
                                  f"'out') FROM registrations WHERE reference_id IN ({ids(survived)}) GROUP BY 1 "
                                  f"HAVING array_agg(direction ORDER BY direction) <> '{{in,out}}'")
    assert wrong == ""
    assert stack.sql("protocol", "SELECT count(*) FROM (SELECT number - lag(number) OVER (PARTITION BY tenant_id, aoo, register_code, "
                                 "year ORDER BY number) AS step FROM registrations) s WHERE step <> 1") == "0"


def test_each_fee_is_asked_once_and_paid_once(survived, stack):
    wrong = stack.sql("payments", f"SELECT reference_id, count(*) FROM positions WHERE reference_id IN ({ids(survived)}) "
                                  "GROUP BY 1 HAVING count(*) <> 1")
    assert wrong == ""
    # Whoever pays while a receipt is on its way may pay twice at pagoPA; what must not happen is a receipt counted twice.
    assert stack.sql("payments", "SELECT count(*) FROM (SELECT receipt_id FROM receipts GROUP BY 1 HAVING count(*) > 1) r") == "0"


def consumers():
    """(consumer, source, type) of every event that a service of ours consumes, as its table in C says."""
    for service in SERVICES:
        for file in sorted((ROOT / "services" / service).glob("*.c")):
            for source, kind in re.findall(r'\{ "([a-z]+)", "([a-z]+\.[a-z-]+)", \w+ \}', file.read_text()):
                yield service, source, kind


def test_each_event_had_its_effect_once(survived, stack):
    """Every event about these practices is in the inbox of each of its consumers, where it can stand only once, and none was given up."""
    about = f"(data ->> 'practiceId' IN ({ids(survived)}) OR data #>> '{{reference,id}}' IN ({ids(survived)}))"
    seen = 0
    for service in SERVICES:
        letters = stack.sql(service, f"SELECT source, cause FROM (SELECT *, envelope::jsonb -> 'data' AS data FROM dead_letters) l WHERE {about}")
        assert letters == "", f"{service} has dead letters about them"
    for consumer, source, kind in consumers():
        emitted = set(stack.sql(source, f"SELECT id FROM outbox WHERE type = '{kind}' AND {about}").split())

        def all_arrived():
            missing = emitted - set(stack.sql(consumer, f"SELECT event_id FROM inbox WHERE source = '{source}'").split())
            assert not missing, f"{consumer} never had {len(missing)} of {len(emitted)} {kind}, for example {missing.pop()}"
            return True
        eventually(all_arrived)
        seen += len(emitted)
    assert seen >= 12 * len(survived.ended), "too few events: this test looks at the wrong ones"


def test_nobody_is_told_twice(survived, stack):
    told = stack.sql("notifications", f"SELECT template_id, count(*), count(DISTINCT reference ->> 'id') FROM notices "
                                      f"WHERE reference ->> 'id' IN ({ids(survived)}) GROUP BY 1").splitlines()
    counts = {line.split("|")[0]: line.split("|")[1:] for line in told}
    assert counts["practice.closed"] == [str(len(survived.ended))] * 2
    assert all(count == distinct for count, distinct in counts.values()), f"somebody was told twice: {counts}"
