"""What the gateway makes of services that fail, hang, leave or have too much to do: two replicas that do what the test tells them."""
import json
import socket
import struct
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest

from support.edge import Bench, Upstream
from support.waiting import eventually

GET = "GET /echo/v1/open HTTP/1.1\r\nHost: gateway.example\r\n\r\n"


@pytest.fixture(scope="module")
def bench():
    bench = Bench()
    bench.running.wait()
    yield bench
    bench.close()


@pytest.fixture
def replicas(bench):
    replicas = [Upstream(bench.keys), Upstream(bench.keys)]
    yield replicas
    for replica in replicas:
        replica.close()


def identity(bench):
    """Who has the keys, however the replicas fare."""
    return {"PORTICO_JWKS_URL": f"http://127.0.0.1:{bench.upstream.port}/jwks.json",
            "PORTICO_REVOCATIONS_URL": f"http://127.0.0.1:{bench.upstream.port}/revocations"}


@contextmanager
def town(bench, replicas, **settings):
    """A gateway of one worker, so that what is remembered of a replica is remembered once."""
    with bench.gateway([replica.port for replica in replicas], **identity(bench), PORTICO_WORKERS="1", **settings) as gateway:
        for replica in replicas:
            eventually(lambda: is_ready(gateway, replica))
        yield gateway


def address(replica):
    return f"127.0.0.1:{replica.port}"


def is_ready(gateway, replica):
    return gateway.metric("portico_upstream_ready", replica=address(replica)) == 1


def breakers(gateway):
    return gateway.metric("portico_upstream_breakers_open")


def breaks_off(connection, request):
    connection.hang_up()


def garbage(connection, request):
    connection.raw(b"SSH-2.0-OpenSSH\r\n\r\n")
    connection.hang_up()


def get(gateway, **options):
    return gateway.ask("GET", "/echo/v1/open", **options)


def post(gateway, headers=None):
    return gateway.ask("POST", "/echo/v1/open", {"Content-Type": "application/json", **(headers or {})}, b"{}")


# ---- Which replica is asked

def test_both_replicas_are_asked(bench, replicas):
    one, other = replicas
    with town(bench, replicas) as gateway:
        one.script = lambda connection, request: other.asked.wait(5) and connection.send(200, b"{}")
        other.script = lambda connection, request: (other.asked.set(), connection.send(200, b"{}"))
        other.asked = threading.Event()
        wires = [gateway.wire().send(GET) for _ in range(2)]    # while one is busy the other has nothing to do
        assert [wire.answer().status for wire in wires] == [200, 200]
        assert len(one.seen) == len(other.seen) == 1


def test_a_replica_that_fails_in_a_row_is_left_alone_and_tried_again(bench, replicas):
    bad, good = replicas
    with town(bench, replicas) as gateway:
        bad.script = breaks_off
        eventually(lambda: get(gateway).status == 200 and breakers(gateway) == 1, every=0)
        assert gateway.metric("portico_upstream_failures_total", replica=address(bad), kind="broken") == 3
        asked = len(bad.seen)
        assert [get(gateway).status for _ in range(10)] == [200] * 10
        assert len(bad.seen) == asked, "a replica that fails was asked again at once"
        eventually(lambda: get(gateway).status == 200 and len(bad.seen) > asked)    # the one that tries: it is sent again elsewhere
        assert breakers(gateway) == 1 and len(bad.seen) == asked + 1
        bad.script = None
        eventually(lambda: get(gateway).status == 200 and breakers(gateway) == 0)


def test_garbage_counts_and_an_error_of_the_service_does_not(bench, replicas):
    with town(bench, replicas[:1]) as gateway:
        for status in (500, 502, 503, 504, 429):
            replicas[0].script = lambda connection, request: connection.send(status, b"{}")
            assert [get(gateway).status for _ in range(5)] == [status] * 5
        assert breakers(gateway) == 0
        replicas[0].script = garbage
        assert [get(gateway).status for _ in range(4)] == [502, 502, 502, 503]
        assert gateway.metric("portico_upstream_failures_total", kind="garbage") == 3


def test_when_no_replica_is_left_the_answer_comes_at_once(bench, replicas):
    for replica in replicas:
        replica.script = garbage
    with town(bench, replicas) as gateway:
        statuses = [get(gateway).status for _ in range(6)]
        assert statuses == [502] * 6 and breakers(gateway) == 2
        asked = sum(len(replica.seen) for replica in replicas)
        answer = get(gateway)
        assert (answer.status, answer.slug, answer["Retry-After"]) == (503, "unavailable", "1")
        assert sum(len(replica.seen) for replica in replicas) == asked == 6
        pauses = set()
        eventually(lambda: pauses.add(get(gateway)["Retry-After"]) or {"2", "3"} & pauses)       # it grows with each trial that fails
        for replica in replicas:
            replica.script = None
        eventually(lambda: get(gateway).status == 200)


# ---- Health

def test_a_replica_that_drains_gets_no_new_request(bench, replicas):
    leaving, staying = replicas
    with town(bench, replicas) as gateway:
        held = threading.Event()
        leaving.script = staying.script = lambda connection, request: held.wait(10) and connection.send(200, b"{}")
        wires = [gateway.wire().send(GET) for _ in range(2)]
        eventually(lambda: len(leaving.seen) == len(staying.seen) == 1)
        leaving.ready = 503
        eventually(lambda: not is_ready(gateway, leaving))
        held.set()
        assert [wire.answer().status for wire in wires] == [200, 200], "what it had begun was cut off"
        assert [get(gateway).status for _ in range(20)] == [200] * 20
        assert len(leaving.seen) == 1
        assert gateway.metric("portico_upstream_connections", replica=address(leaving)) == 0
        staying.ready = 503                    # nobody is left who is ready: better them than nobody
        eventually(lambda: not is_ready(gateway, staying))
        assert gateway.ask("GET", "/readyz").json()["upstreams"] == {"echo": False}
        assert get(gateway).status == 200
        leaving.ready = 200
        eventually(lambda: is_ready(gateway, leaving))
        before = len(leaving.seen)
        assert get(gateway).status == 200 and len(leaving.seen) == before + 1


def test_a_back_end_without_the_page_is_ready(bench, replicas):
    replicas[0].ready = 404
    with town(bench, replicas[:1]) as gateway:
        assert get(gateway).status == 200


def test_a_replica_that_hangs_is_found_out_before_a_client_waits_for_it(bench, replicas):
    with town(bench, replicas[:1]) as gateway:
        assert gateway.ask("GET", "/status").status == 200
        replicas[0].hang()
        eventually(lambda: not is_ready(gateway, replicas[0]))
        answer = get(gateway, timeout=5)         # at once, and not after the ten seconds that the operation has
        assert (answer.status, answer.slug, answer["Retry-After"]) == (503, "unavailable", "1")
        status = gateway.ask("GET", "/status")
        assert (status.slug, status.json()["detail"], status["Retry-After"]) == ("unavailable", "Not ready: echo", "5")
        replicas[0].go_on()
        eventually(lambda: is_ready(gateway, replicas[0]))
        assert get(gateway).status == 200


# ---- Once more, elsewhere

def test_what_breaks_off_goes_to_another_replica(bench, replicas):
    bad, good = replicas
    with town(bench, replicas) as gateway:
        bad.script = breaks_off
        assert [get(gateway).status for _ in range(2)] == [200, 200]
        assert len(bad.seen) == len(good.seen) == 2
        assert gateway.metric("portico_upstream_retries_total", replica=address(bad)) == 2
        assert post(gateway).status == 502       # it may have had its effect
        assert len(bad.seen) == 3 and len(good.seen) == 2


def test_any_request_goes_elsewhere_when_no_connection_could_be_made(bench, replicas):
    gone, there = replicas
    with town(bench, replicas) as gateway:
        gone.close()
        answers = [post(gateway) for _ in range(10)]     # the gateway cannot have noticed yet when the first one comes
        assert [answer.status for answer in answers] == [200] * 10 and len(there.seen) == 10
        eventually(lambda: not is_ready(gateway, gone))


def test_a_reading_request_leaves_a_replica_that_hangs(bench, replicas):
    hanging, good = replicas

    def hang(connection, request):
        hanging.hang()
        hanging.going.wait()
    with town(bench, replicas) as gateway:
        hanging.script = hang
        assert get(gateway).status == 200        # and not 504 when its time is over
        assert len(hanging.seen) == len(good.seen) == 1
        assert gateway.metric("portico_upstream_failures_total", replica=address(hanging), kind="timeout") == 1


def test_retries_have_a_budget(bench, replicas):
    """Every second request on a connection breaks off, which says nothing about the replica and so opens no breaker."""
    served = set()

    def every_second(connection, request):
        if connection in served:
            return connection.hang_up()
        served.add(connection)
        return connection.send(200, b"{}")
    replicas[0].script, asked = every_second, 200
    with town(bench, replicas[:1], PORTICO_UPSTREAM_CONNECTIONS="2") as gateway, gateway.wire() as wire:
        statuses = [wire.send(GET).answer().status for _ in range(asked)]
        withheld = gateway.metric("portico_upstream_withheld_total")
        assert set(statuses) == {200, 502} and statuses.count(502) == withheld
        assert asked + 10 < len(replicas[0].seen) <= asked + 2 + asked / 5
        assert breakers(gateway) == 0


def test_kept_connections_that_end_are_not_held_against_the_replica(bench, replicas):
    """All at once, as when the service has had enough of idle ones: more in a row than open a breaker."""
    served, together = set(), threading.Barrier(4)

    def once(connection, request):
        first = connection not in served
        served.add(connection)
        together.wait(10)
        connection.send(200, b"{}") if first else connection.hang_up()
    replicas[0].script = once
    with town(bench, replicas[:1]) as gateway:
        wires = [gateway.wire() for _ in range(4)]
        for _ in range(2):
            assert [wire.answer().status for wire in [wire.send(GET) for wire in wires]] == [200] * 4
        assert gateway.metric("portico_upstream_failures_total", kind="broken") == 4
        assert breakers(gateway) == 0


# ---- One deadline for all of it

def test_the_service_is_told_what_is_left_of_the_time(bench, replicas):
    upstream, holding, slow = replicas[0], threading.Event(), threading.Event()
    with town(bench, [upstream], PORTICO_UPSTREAM_CONNECTIONS="1", PORTICO_QUEUE_WAIT_MS="5000") as gateway:
        upstream.script = lambda connection, request: (
            (slow if "slow" in request["path"] else holding).wait(10), connection.send(200, b"{}"))
        with gateway.wire() as holder, gateway.wire() as waiter:
            holder.send(GET)
            eventually(lambda: upstream.seen)
            waiter.send(GET.replace("/open", "/slow"))          # it has a second for everything
            eventually(lambda: gateway.metric("portico_upstream_waiting") == 1)
            time.sleep(0.4)                                     # and a good part of it goes by in the queue
            holding.set()
            assert holder.answer().status == 200
            answer = waiter.answer()
        slow.set()
        assert (answer.status, answer.slug) == (504, "gateway-timeout")
        left = [int(dict(seen["headers"])["Portico-Deadline"]) for seen in upstream.seen]
        assert left[0] > 9000 and 0 < left[1] <= 600


# ---- The queue

def thing(token):
    return f"GET /echo/v1/things/7 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"


def caller_of(seen):
    return json.loads(dict(seen["headers"])["Portico-Caller"]).get("sub")


def test_who_fills_the_queue_does_not_starve_the_others(bench, replicas):
    upstream, go = replicas[0], threading.Event()
    hog, other = bench.keys.token(sub="hog"), bench.keys.token(sub="other")
    with town(bench, [upstream], PORTICO_UPSTREAM_CONNECTIONS="1", PORTICO_UPSTREAM_QUEUE="20", PORTICO_QUEUE_WAIT_MS="20000") as gateway:
        upstream.script = lambda connection, request: (go.wait(20), connection.send(200, b"{}"))
        holder = gateway.wire().send(GET)
        eventually(lambda: upstream.seen)
        wires = [gateway.wire().send(thing(hog)) for _ in range(30)]
        eventually(lambda: gateway.metric("portico_upstream_refused_total") == 30 - 11)      # half of the places, and one
        late = [gateway.wire().send(thing(other)) for _ in range(2)]
        eventually(lambda: gateway.metric("portico_upstream_waiting") == 11 + 2)
        go.set()
        assert [wire.answer().status for wire in [holder, *late]] == [200, 200, 200]
        answers = [wire.answer() for wire in wires]
        assert [answer.status for answer in answers].count(200) == 11
        assert {answer["Retry-After"] for answer in answers if answer.status == 503} == {"1"}
        assert [caller_of(seen) for seen in upstream.seen[1:]][:5] == ["hog", "other", "hog", "other", "hog"]
        assert gateway.metric("portico_upstream_waiting") == 0


def reset(wire):
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.file.close()
    wire.socket.close()


def test_nothing_is_asked_for_a_client_that_is_gone(bench, replicas):
    upstream, go = replicas[0], threading.Event()
    with town(bench, [upstream], PORTICO_UPSTREAM_CONNECTIONS="1", PORTICO_QUEUE_WAIT_MS="20000") as gateway:
        upstream.script = lambda connection, request: (go.wait(20), connection.send(200, b"{}"))
        holder, leaving = gateway.wire().send(GET), gateway.wire()
        eventually(lambda: upstream.seen)
        leaving.send(thing(bench.keys.token()))
        half_closed = gateway.wire().send(GET)                  # has said all it has to say, and waits
        half_closed.socket.shutdown(socket.SHUT_WR)
        eventually(lambda: gateway.metric("portico_upstream_waiting") == 2)
        reset(leaving)
        eventually(lambda: gateway.metric("portico_upstream_waiting") == 1)
        go.set()
        assert holder.answer().status == half_closed.answer().status == 200
        assert [seen["path"] for seen in upstream.seen] == ["/echo/v1/open"] * 2


def test_an_answer_that_nobody_waits_for_is_given_up(bench, replicas):
    """What reads is given up and not sent again; what may have an effect is left to have it."""
    asked, other = replicas
    given_up, had_its_effect = threading.Event(), threading.Event()

    def watch(connection, request):
        connection.connection.settimeout(1)
        try:
            assert connection.rfile.read(1) == b""
            given_up.set()
        except TimeoutError:
            had_its_effect.set()
            connection.send(200, b"{}")
    asked.script = watch
    with town(bench, replicas) as gateway:
        leaving = gateway.wire().send(GET)
        eventually(lambda: asked.seen)
        reset(leaving)
        assert given_up.wait(5) and not had_its_effect.is_set()
        given_up.clear()
        leaving = gateway.wire().send("POST /echo/v1/open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                                      "Content-Length: 2\r\n\r\n{}")
        eventually(lambda: len(asked.seen) == 2)
        reset(leaving)
        assert had_its_effect.wait(5) and not given_up.is_set()
        assert other.seen == []


# ---- Names

def test_each_address_of_a_name_is_a_replica(bench, replicas, tmp_path):
    """As docker-compose --scale makes them: one name, several addresses, and they change."""
    hosts, port = tmp_path / "hosts", replicas[0].port
    second = Upstream(bench.keys, port, "127.0.0.2")
    hosts.write_text("127.0.0.1 town\n")
    enter = ["unshare", "--mount", "--map-root-user", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$0" "$@"']
    if subprocess.run([*enter, "true"], capture_output=True).returncode != 0:
        pytest.skip("no mount namespace can be made here: that names are followed is NOT tested")
    try:
        with bench.gateway([f"town:{port}"], enter=enter, **identity(bench)) as gateway:
            ready = lambda host: gateway.metric("portico_upstream_ready", replica=f"{host}:{port}")
            assert (ready("127.0.0.1"), ready("127.0.0.2")) == (1, 0)
            with gateway.wire() as wire:
                assert wire.send(GET).answer().status == 200
                connections = replicas[0].connections
                hosts.write_text("127.0.0.1 town\n127.0.0.2 town\n")
                eventually(lambda: ready("127.0.0.2"), within=30)
                assert wire.send(GET).answer().status == 200
                assert replicas[0].connections == connections, "a connection was dropped for another address"
            hosts.write_text("127.0.0.2 town\n")
            eventually(lambda: "127.0.0.1" not in gateway.ask("GET", "/metrics").body.decode(), within=30)
            before = len(replicas[0].seen)
            assert [get(gateway).status for _ in range(10)] == [200] * 10
            assert len(replicas[0].seen) == before and len(second.seen) >= 10
    finally:
        second.close()


def test_what_was_sent_before_a_replica_came_back_is_not_held_against_it(bench, replicas):
    """Three requests that it took before it went away fail when it is back and well: that is no news of it."""
    replica, end = replicas[0], threading.Event()

    def hang(connection, request):
        end.wait(20)
        connection.hang_up()
    with town(bench, [replica]) as gateway:
        replica.script = hang
        wires = [gateway.wire(30).send("POST /echo/v1/open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                                       "Content-Length: 2\r\n\r\n{}") for _ in range(3)]
        eventually(lambda: len(replica.seen) == 3)
        replica.script = None
        replica.going.clear()
        eventually(lambda: not is_ready(gateway, replica))
        replica.going.set()
        eventually(lambda: is_ready(gateway, replica))
        assert get(gateway).status == 200
        end.set()
        assert [wire.answer().status for wire in wires] == [502] * 3
        assert breakers(gateway) == 0
        assert [get(gateway).status for _ in range(3)] == [200] * 3


def test_a_service_that_takes_no_body_is_late_and_not_its_client(bench, replicas):
    replica, end = replicas[0], threading.Event()

    def takes_nothing(connection, request):
        end.wait(20)
        connection.hang_up()
    takes_nothing.unread = True
    with town(bench, [replica], PORTICO_BODY_TIMEOUT="1") as gateway, gateway.wire(30) as wire:
        replica.script = takes_nothing
        wire.send("PUT /echo/v1/files/7 HTTP/1.1\r\nHost: x\r\nContent-Type: application/pdf\r\nContent-Length: 20000000\r\n\r\n")

        def upload():
            try:
                wire.send(bytes(20_000_000))
            except OSError:
                pass                            # it ends with the answer
        threading.Thread(target=upload, daemon=True).start()
        answer = wire.answer()
        end.set()
        assert (answer.status, answer.slug) == (504, "gateway-timeout")
        assert gateway.metric("portico_upstream_failures_total", kind="timeout") == 1


# ---- What is seen of it

def test_the_log_says_who_answered(bench, replicas):
    bad, good = replicas
    with town(bench, replicas) as gateway:
        get(gateway, headers={"X-Request-Id": "one"})
        bad.script = breaks_off
        get(gateway, headers={"X-Request-Id": "two"})
        post(gateway, headers={"X-Request-Id": "three"})
        gateway.ask("GET", "/nowhere", {"X-Request-Id": "four"})
        lines = {line["requestId"]: line for line in gateway.requests_logged()}
        assert lines["one"]["upstream"] == address(bad) and "retries" not in lines["one"]
        assert 0 < lines["one"]["upstreamMicroseconds"] <= lines["one"]["microseconds"]
        assert (lines["two"]["upstream"], lines["two"]["retries"]) == (address(good), 1)
        assert lines["three"]["status"] == 502 and "upstreamMicroseconds" not in lines["three"]
        assert "upstream" not in lines["four"]


def test_the_log_can_be_sampled(bench, replicas):
    with town(bench, replicas[:1], PORTICO_ACCESS_LOG_SAMPLE="10") as gateway:
        already = len(gateway.requests_logged())
        for _ in range(100):
            get(gateway)
        for _ in range(5):
            gateway.ask("GET", "/nowhere")
        replicas[0].script = lambda connection, request: (time.sleep(1.1), connection.send(200, b"{}"))
        get(gateway, headers={"X-Request-Id": "slow"})
        lines = gateway.requests_logged()[already:]
        statuses = [line["status"] for line in lines]
        assert statuses.count(404) == 5
        assert "slow" in [line["requestId"] for line in lines]
        assert 9 <= statuses.count(200) - 1 <= 11, "one in ten of those that went well"


def test_metrics_of_upstreams(bench, replicas):
    with town(bench, replicas) as gateway:
        for _ in range(5):
            get(gateway)
        page = gateway.ask("GET", "/metrics").body.decode()
        answers = [gateway.metric("portico_upstream_seconds_count", service="echo", replica=address(each)) for each in replicas]
        assert answers == [len(each.seen) for each in replicas] and sum(answers) == 5
        assert gateway.metric("portico_upstream_seconds_bucket", le="+Inf") == 5
        assert gateway.metric("portico_upstream_seconds_sum") > 0
        assert page.count("# TYPE portico_upstream_seconds histogram") == 1
        assert page.count("# TYPE portico_upstream_failures_total counter") == 1
