"""Limits shared by two gateways over a Redis that is there, gone, hung, wiped or full of something else. The bound is that of
gateway/limit_share.h: what one gateway lets through in an interval is what another may not know of."""
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from support.edge import Bench, free_port
from support.waiting import eventually

THING = "/echo/v1/things/7"
INTERVAL = 0.15


class Redis:
    def __init__(self, port):
        self.port, self.folder = port, tempfile.mkdtemp(prefix="portico-redis-")
        self.start()

    def start(self):
        self.process = subprocess.Popen(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                                         "--dir", self.folder], stdout=subprocess.DEVNULL)
        eventually(lambda: self.do("PING") == "PONG")

    def do(self, *command):
        run = subprocess.run(["redis-cli", "-p", str(self.port), *command], capture_output=True, text=True)
        return run.stdout.strip()

    def stop(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        if how == signal.SIGKILL:
            self.process.wait()

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)


@pytest.fixture(scope="module")
def bench():
    bench = Bench()
    bench.running.wait()
    yield bench
    bench.close()


@pytest.fixture
def redis():
    redis = Redis(free_port())
    yield redis
    redis.close()


@pytest.fixture
def pair(bench, redis):
    """Two gateways that share a limit of 60 requests a minute of one caller: one comes back each second."""
    settings = {"PORTICO_REDIS": f"127.0.0.1:{redis.port}", "PORTICO_LIMIT_CALLER": "60"}
    with bench.gateway(**settings) as one, bench.gateway(**settings) as other:
        eventually(lambda: is_shared(one) and is_shared(other))
        yield one, other


@pytest.fixture
def caller(bench):
    """A token of somebody new."""
    return lambda: bench.keys.token(sub=f"caller-{time.time_ns()}")


def is_shared(gateway):
    return gateway.metric("portico_gateway_limits_shared") == 1


class Flow:
    """Requests of one caller over kept connections, counted as they are let through."""

    def __init__(self, gateways, token):
        self.request = f"GET {THING} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
        self.wires, self.passed, self.started = [gateway.wire() for gateway in gateways], 0, time.monotonic()

    def ask(self, which, times=1):
        answers = []
        for _ in range(times):
            answers.append(self.wires[which].send(self.request).answer())
            self.passed += answers[-1].status == 200
        return answers

    def most(self, limit, unknown):
        """What may have passed by now."""
        return limit + unknown + (time.monotonic() - self.started) * limit / 60 + 1


def test_two_gateways_keep_to_one_limit(pair, caller):
    flow, burst = Flow(pair, caller()), 5
    for _ in range(15):
        for which in (0, 1):
            flow.ask(which, burst)
            time.sleep(3 * INTERVAL)            # not to be on time, but for the exchange to be over as a rule
    assert flow.passed >= 60
    # each interval may hide one burst of the other; that is a debt, so it does not add up
    assert flow.passed <= flow.most(60, burst)
    print(f"passed {flow.passed}, of which the bound allows {flow.most(60, burst):.0f}")


def test_a_burst_on_both_at_once_is_let_through_once(pair, caller):
    flow = Flow(pair, caller())
    wires, count = flow.wires, 80
    for wire in wires:
        wire.send(flow.request * count)         # pipelined: over before anything is exchanged
    answers = [wire.answer() for wire in wires for _ in range(count)]
    passed = sum(answer.status == 200 for answer in answers)
    flow.passed += passed
    assert 60 <= passed <= flow.most(60, 60)
    # a gateway learns of what the other took when it has taken something itself: at the latest with the next that it lets through
    debt = lambda: [int(flow.ask(which)[0]["X-RateLimit-Reset"]) for which in (0, 1)]
    if passed > 70:             # both let a good part through: it is not forgotten
        eventually(lambda: min(debt()) > 60)
        assert flow.ask(0)[0].status == flow.ask(1)[0].status == 429
    print(f"passed {passed} at once, then paid back in {debt()} s")


def test_others_are_not_touched(pair, caller):
    greedy, modest = Flow(pair, caller()), Flow(pair, caller())
    greedy.ask(0, 70)
    time.sleep(3 * INTERVAL)
    assert [answer.status for answer in modest.ask(1, 10)] == [200] * 10


def local_limits_hold(gateways, token):
    """Each on its own, at once, and no request waits for Redis."""
    for gateway in gateways:
        flow, slowest = Flow([gateway], token), 0
        for _ in range(65):
            begun = time.monotonic()
            flow.ask(0)
            slowest = max(slowest, time.monotonic() - begun)
        assert 60 <= flow.passed <= flow.most(60, 0)
        assert slowest < 0.9, "a request waited"


@pytest.mark.parametrize("how", ["killed", "hung"])
def test_without_redis_each_keeps_to_the_limit(pair, redis, caller, how):
    redis.stop(signal.SIGKILL if how == "killed" else signal.SIGSTOP)
    for gateway in pair:
        Flow([gateway], caller()).ask(0)                # something to tell: only then it is noticed
    local_limits_hold(pair, caller())
    eventually(lambda: not is_shared(pair[0]) and not is_shared(pair[1]))
    local_limits_hold(pair, caller())
    if how == "killed":
        redis.start()
    else:
        redis.process.send_signal(signal.SIGCONT)
    eventually(lambda: is_shared(pair[0]) and is_shared(pair[1]))
    flow = Flow(pair, caller())
    flow.ask(0, 55)
    flow.ask(1)
    eventually(lambda: int(flow.ask(1)[0]["X-RateLimit-Remaining"]) < 10)
    for gateway in pair:
        assert gateway.log.read_text().count("limits are not shared") == 1


def test_what_redis_lost_is_still_known(pair, redis, caller):
    flow = Flow(pair, caller())
    flow.ask(0, 65)
    time.sleep(3 * INTERVAL)
    assert redis.do("FLUSHALL") == "OK"
    flow.ask(0, 5)
    time.sleep(3 * INTERVAL)
    assert flow.ask(0, 5)[-1].status == 429
    assert flow.passed <= flow.most(60, 0)


def test_keys_are_no_names_and_expire(pair, redis, caller):
    flow = Flow(pair, caller())
    flow.ask(0, 5)
    keys = eventually(lambda: redis.do("KEYS", "*").split())
    assert all(key.startswith("portico:limit:") and len(key) == len("portico:limit:") + 16 for key in keys)
    assert 0 < max(int(redis.do("PTTL", key)) for key in keys) <= 5000
    eventually(lambda: redis.do("DBSIZE") == "0")


def test_something_else_under_the_key(pair, redis, caller):
    flow = Flow(pair, caller())
    flow.ask(0)
    [key] = eventually(lambda: redis.do("KEYS", "*").split())
    redis.do("EVAL", f"redis.call('DEL', '{key}') redis.call('RPUSH', '{key}', 'x')", "0")
    flow.ask(0)
    eventually(lambda: not is_shared(pair[0]))
    flow.ask(0, 60)
    assert flow.passed <= flow.most(60, 0) and flow.ask(0)[0].status == 429
    redis.do("DEL", key)
    eventually(lambda: is_shared(pair[0]))


def test_a_clock_that_was_set_back_locks_nobody_out(pair, redis, caller):
    """What is left of a bucket may come from the time before: no more than four windows of it count."""
    flow = Flow(pair, caller())
    flow.ask(0, 3)
    [key] = eventually(lambda: redis.do("KEYS", "*").split())
    redis.do("SET", key, str((int(time.time()) + 10 * 86400) * 1000000))
    reset = lambda: int(flow.ask(0)[0]["X-RateLimit-Reset"])
    assert 200 < eventually(lambda: reset() > 60 and reset()) <= 241


def test_the_last_takings_are_told_at_the_end(bench, redis, caller):
    """A replica that is replaced does not take its callers' debts with it."""
    settings, token = {"PORTICO_REDIS": f"127.0.0.1:{redis.port}", "PORTICO_LIMIT_CALLER": "60"}, caller()
    with bench.gateway(**settings) as old:
        eventually(lambda: is_shared(old))
        Flow([old], token).ask(0, 50)
    with bench.gateway(**settings) as new:
        flow = Flow([new], token)
        flow.ask(0)
        eventually(lambda: int(flow.ask(0)[0]["X-RateLimit-Remaining"]) < 15)
