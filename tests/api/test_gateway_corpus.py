"""The corpus of malformed and ambiguous requests (tests/corpus/http1.yaml): what becomes of each at the gateway; and in pairs, what the
gateway passes on is understood by libmicrohttpd (tests/peers/mirror) as it was meant, one request in as one request out, also for
requests made up at random."""
import json
import random
import shutil
import socket
import time

import pytest
import yaml

from support.corpus import CORPUS, Outcome, bytes_of, check_fields
from support.edge import Wire
from support.mirror import Made, Mirror, check_understood

LAST = "GET /m/v1/files/last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
VARIES = ("x-request-id", "traceparent", "portico-signature", "portico-deadline")


class Case:
    def __init__(self, section, given):
        assert set(given) == {"name", "bytes", "expect"}, given
        self.name, self.bytes = f"{section}: {given['name']}", bytes_of(given["bytes"])
        expected = given["expect"] if isinstance(given["expect"], list) else [given["expect"]]
        self.outcomes = [Outcome(said, self.bytes) for said in expected]
        self.forwarded = [outcome for outcome in self.outcomes if outcome.kind == "forwarded"]
        assert all(outcome.kind != "refused" for outcome in self.outcomes[:-1]), given


SECTIONS = yaml.safe_load((CORPUS / "http1.yaml").read_text(encoding="ascii"))
CASES = [Case(section, given) for section, cases in SECTIONS.items() if section != "beginnings" for given in cases]
EACH_CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture(scope="module")
def gateway(bench):
    shutil.copy(CORPUS / "mirror.yaml", bench.folder)
    with bench.gateway(PORTICO_UPSTREAMS=f"mirror=127.0.0.1:{bench.upstream.port}") as gateway:
        yield gateway


@pytest.fixture(scope="module")
def mirror(bench):
    mirror = Mirror(bench)
    yield mirror
    mirror.close()


@pytest.fixture
def upstream(bench):
    bench.upstream.seen.clear()
    return bench.upstream


# ---- Playing a case

def at_once(wire, data):
    wire.send(data)


def in_pieces(wire, data):
    """Few bytes at a time, until the gateway has had enough."""
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    piece = max(3, len(data) // 100)
    for at in range(0, len(data), piece):
        try:
            wire.send(data[at:at + piece])
        except OSError:
            return
        time.sleep(0.0003)


def next_answer(wire, head):
    answer = wire.answer(head)
    while answer is not None and answer.status == 100:
        answer = wire.answer(head)
    return answer


def play(gateway, case, send):
    """Sends it and takes the answers, which must be those expected; then the connection has ended, or is in step. The answers
    of the service."""
    answers = []
    with gateway.wire() as wire:
        send(wire, case.bytes)
        for outcome in case.outcomes:
            answer = next_answer(wire, outcome.head)
            assert answer is not None, "the connection ended without an answer"
            assert answer.status == outcome.status, answer.body
            if outcome.kind == "forwarded":
                answers.append(answer)
            elif answer.status >= 400 and not outcome.head:
                assert answer.slug
        if case.outcomes[-1].kind == "refused":
            assert answer["Connection"] == "close"
        if answer["Connection"] == "close":
            assert wire.closed()
        else:
            assert wire.send(LAST).answer().status == 200
            assert wire.closed()
    return answers


@EACH_CASE
@pytest.mark.parametrize("send", [at_once, in_pieces], ids=["at once", "in pieces"])
def test_case(gateway, upstream, case, send):
    play(gateway, case, send)
    seen = [request for request in upstream.seen if request["path"] != "/m/v1/files/last"]
    assert [(request["method"], request["path"], request["body"]) for request in seen] == [
        (outcome.method, outcome.target, outcome.body) for outcome in case.forwarded]
    for outcome, request in zip(case.forwarded, seen):
        check_fields(outcome, request["headers"])


def test_the_corpus_is_large_and_its_names_are_unique():
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    assert sum(case.outcomes[-1].kind == "refused" for case in CASES) >= 150


# ---- In pairs: the gateway and libmicrohttpd

def without_varying(fields):
    return [(name, "" if name.lower() in VARIES else value) for name, value in fields]


@EACH_CASE
def test_pair(gateway, upstream, mirror, case):
    """libmicrohttpd is told the same as the other service was."""
    play(gateway, case, at_once)
    seen = list(upstream.seen)
    begun, complete = mirror.understood()
    answers = play(mirror.gateway, case, at_once)
    begun_after, complete_after = mirror.understood()
    assert complete_after - complete == len(seen), "not as many requests as went in"
    # Of a body that turns out to be broken the beginning may have gone on.
    assert begun_after - begun - len(seen) in ((0, 1) if case.outcomes[-1].kind == "refused" else (0,))
    for outcome, answer, request in zip(case.forwarded, answers, seen):
        if not outcome.head:
            told = answer.json()
            check_understood(told, outcome.method, outcome.target, outcome.body)
            assert without_varying(map(tuple, told["fields"])) == without_varying(request["headers"])


def test_without_the_gateway_libmicrohttpd_takes_some_of_it(mirror):
    """The control: were the gateway to pass on what it refuses, this harness would see it."""
    taken = 0
    for case in CASES:
        if case.outcomes[0].kind != "refused":
            continue
        before = mirror.understood()[1]
        with Wire(mirror.port, timeout=0.2) as wire:
            try:
                wire.send(case.bytes).answer()
            except OSError:
                pass
        taken += mirror.understood()[1] > before
    assert taken >= 20


# ---- At random, the same ones in each run

def send_cut(wire, data, chance):
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    at = 0
    while at < len(data):
        piece = chance.choice([1, 20, 700, 5000, 100000])
        wire.send(data[at:at + piece])
        at += piece


@pytest.mark.parametrize("seed", range(60))
def test_pair_at_random(mirror, seed):
    """Requests one after the other on one connection, in any pieces: each is understood as itself."""
    chance = random.Random(seed)
    requests = [Made(chance) for _ in range(chance.randrange(1, 12))]
    broken = chance.choice([b"", b"GARBAGE\r\n\r\n", b"POST /m/v1/open HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\n"])
    begun, complete = mirror.understood()
    with mirror.gateway.wire(20) as wire:
        send_cut(wire, b"".join(request.bytes() for request in requests) + broken, chance)
        for request in requests:
            answer = next_answer(wire, False)
            assert answer.status == 200, (answer.body, request.bytes()[:2000])
            request.check(json.loads(answer.body))
        if broken:
            assert next_answer(wire, False).status == 400 and wire.closed()
    assert mirror.understood() == (begun + len(requests), complete + len(requests))
