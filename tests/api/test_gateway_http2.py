"""HTTP/2 at the gateway: conformance by h2spec, which nobody here wrote; what must not become another request behind it
(tests/corpus/http2.yaml); floods, and clients that never read."""
import hashlib
import json
import os
import random
import re
import select
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest
import yaml
from hyperframe.frame import (ContinuationFrame, DataFrame, HeadersFrame, PingFrame, PriorityFrame, RstStreamFrame, SettingsFrame,
                              WindowUpdateFrame)

from support.certificates import write_certificate
from support.contracts import ROOT
from support.corpus import CORPUS, Outcome, bytes_of, check_fields
from support.edge import free_port
from support.http2 import ENHANCE_YOUR_CALM, GET, POST, PROTOCOL_ERROR, Http2
from support.mirror import Made, Mirror, check_understood
from support.waiting import eventually

SIZE = 3_000_000


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    write_certificate(folder, "1", "area.example")
    return folder


@pytest.fixture(scope="module")
def settings(bench, certificates):
    shutil.copy(CORPUS / "mirror.yaml", bench.folder)
    return {"PORTICO_TLS_CERTIFICATES": str(certificates), "PORTICO_UPSTREAMS": f"mirror=127.0.0.1:{bench.upstream.port}",
            "PORTICO_WORKERS": "1"}


@pytest.fixture(scope="module")
def running(bench, settings):
    port = free_port()
    with bench.gateway(PORTICO_TLS_LISTEN=f"127.0.0.1:{port}", **settings) as gateway:
        gateway.tls_port = port
        yield gateway


@pytest.fixture
def gateway(bench, running):
    bench.upstream.script = None
    bench.upstream.seen.clear()
    yield running
    bench.upstream.script = None


@pytest.fixture
def upstream(bench):
    return bench.upstream


# ---- h2spec

@pytest.fixture(scope="module")
def h2spec():
    """Built by Go with the versions and checksums of tests/peers/h2spec."""
    peer = ROOT / "tests/peers/h2spec"
    version = hashlib.sha256((peer / "go.sum").read_bytes()).hexdigest()[:12]
    program = ROOT / f".cache/peers/h2spec/h2spec-{version}"
    if not program.exists():
        if not shutil.which("go"):
            pytest.skip("SKIPPED, LOUDLY: there is no Go to build h2spec with; the conformance of HTTP/2 is NOT checked")
        program.parent.mkdir(parents=True, exist_ok=True)
        built = subprocess.run(["go", "build", "-mod=readonly", "-o", program, "github.com/summerwind/h2spec/cmd/h2spec"], cwd=peer,
                               capture_output=True, text=True, timeout=150)
        if built.returncode:
            pytest.skip(f"SKIPPED, LOUDLY: h2spec cannot be built; the conformance of HTTP/2 is NOT checked: {built.stderr[-300:]}")
    return program


def conformance(h2spec, port, *options):
    """How many cases there were, passed, were skipped and failed; and all that was said."""
    said = subprocess.run([h2spec, "--tls", "--insecure", "--strict", "--host", "127.0.0.1", "--port", str(port), "--path", "/m/v1/open",
                           *options], capture_output=True, text=True, errors="replace", timeout=150).stdout
    counts = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", said)
    return [int(count) for count in counts.groups()], said


def test_h2spec(h2spec, gateway):
    (count, passed, skipped, failed), said = conformance(h2spec, gateway.tls_port)
    assert (skipped, failed) == (0, 0), said[-3000:]
    assert passed == count >= 146


class Careless(threading.Thread):
    """Speaks so much of HTTP/2 that h2spec begins, and minds nothing that it is sent."""

    def __init__(self, certificate):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.context.set_alpn_protocols(["h2"])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            with self.context.wrap_socket(connection, server_side=True) as secure:
                secure.sendall(SettingsFrame(0).serialize() + SettingsFrame(0, flags=["ACK"]).serialize())
                while secure.recv(65536):
                    pass
        except OSError:
            pass


def test_h2spec_notices_a_careless_server(h2spec, certificates):
    careless = Careless(certificates / "1.pem")
    (count, _, _, failed), said = conformance(h2spec, careless.port, "--timeout", "1", "http2/6.7")
    careless.listener.close()
    assert failed == count > 0, said


# ---- The corpus

class Case:
    def __init__(self, section, given):
        assert set(given) <= {"name", "fields", "data", "trailers", "ends", "expect"}, given
        self.name, self.outcome = f"{section}: {given['name']}", Outcome(given["expect"], None)
        fields = given["fields"]
        if isinstance(fields, dict):
            fields = fields["after"] + [fields["of"]] * fields["times"]
        self.fields = self.pairs(fields)
        self.data = bytes_of(given["data"]) if "data" in given else None
        self.trailers = self.pairs(given["trailers"]) if "trailers" in given else None
        self.ends = given.get("ends", True)

    @staticmethod
    def pairs(fields):
        return [(bytes_of(name), bytes_of(value)) for name, value in fields]


SECTIONS = yaml.safe_load((CORPUS / "http2.yaml").read_text(encoding="ascii"))
CASES = [Case(section, given) for section, cases in SECTIONS.items() if section != "beginnings" for given in cases]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(gateway, upstream, case):
    with Http2(gateway.tls_port) as http2:
        stream = http2.ask(case.fields, case.data, end=case.trailers is None)
        if case.trailers is not None:
            http2.send(*http2.head(stream, case.trailers, case.ends))
        exchange = http2.answer(stream)
        if case.outcome.kind == "refused":
            if case.outcome.status or exchange.status:
                assert exchange.status == (case.outcome.status or 400) and b'"/problems/' in exchange.body
            else:
                assert PROTOCOL_ERROR in (exchange.reset, http2.goaway)
        else:
            assert exchange.status == case.outcome.status, (exchange.status, exchange.body, exchange.reset, http2.goaway)
        assert http2.goaway is not None or http2.answer(http2.ask(GET)).status == 200
    seen = upstream.seen[:-1] if http2.goaway is None else upstream.seen
    forwarded = [case.outcome] if case.outcome.kind == "forwarded" else []
    assert [(request["method"], request["path"], request["body"]) for request in seen] == [
        (outcome.method, outcome.target, outcome.body) for outcome in forwarded]
    for outcome, request in zip(forwarded, seen):
        check_fields(outcome, request["headers"])


# ---- In pairs with libmicrohttpd

@pytest.fixture(scope="module")
def mirror(bench, certificates):
    port = free_port()
    mirror = Mirror(bench, PORTICO_TLS_LISTEN=f"127.0.0.1:{port}", PORTICO_TLS_CERTIFICATES=str(certificates))
    mirror.gateway.tls_port = port
    yield mirror
    mirror.close()


def test_pairs(mirror):
    """All of the corpus on one connection after the other, over the same few connections to libmicrohttpd."""
    for case in CASES:
        complete = mirror.understood()[1]
        with Http2(mirror.gateway.tls_port) as http2:
            stream = http2.ask(case.fields, case.data, end=case.trailers is None)
            if case.trailers is not None:
                http2.send(*http2.head(stream, case.trailers, case.ends))
            exchange = http2.answer(stream)
        expected = case.outcome.kind == "forwarded"
        assert (case.name, mirror.understood()[1] - complete) == (case.name, expected)
        if expected and not case.outcome.head:
            check_understood(json.loads(exchange.body), case.outcome.method, case.outcome.target, case.outcome.body)


def send_mixed(http2, bodies, chance):
    """The bodies of several streams, in frames of any size, in any order."""
    left = {stream: body for stream, body in bodies.items() if body}
    for stream in left:
        http2.windows.setdefault(stream, http2.settings.get(SettingsFrame.INITIAL_WINDOW_SIZE, 65535))
    while left:
        stream = chance.choice(list(left))
        room = min(http2.windows[0], http2.windows[stream], len(left[stream]), chance.choice([1, 100, 16384]))
        if room <= 0:
            assert http2.take_frame()
            continue
        piece, left[stream] = left[stream][:room], left[stream][room:]
        http2.windows[0] -= room
        http2.windows[stream] -= room
        http2.send(DataFrame(stream, piece, flags=[] if left[stream] else ["END_STREAM"]))
        if not left[stream]:
            del left[stream]


@pytest.mark.parametrize("seed", range(20))
def test_pair_at_random(mirror, seed):
    """Requests side by side on one connection: libmicrohttpd is told each of them as itself."""
    chance = random.Random(seed)
    requests = [Made(chance) for _ in range(chance.randrange(1, 20))]
    begun, complete = mirror.understood()
    with Http2(mirror.gateway.tls_port) as http2:
        assert http2.in_step()
        streams, bodies = {}, {}
        for request in requests:
            fields = [(name.lower(), value) for name, value in request.fields if name.lower() != "host"]
            if request.body and chance.random() < 0.5:
                fields.append(("content-length", str(len(request.body))))
            stream = http2.ask([(":method", request.method), *GET[1:3], (":path", request.target)] +
                               [(name.encode(), value.encode("latin-1")) for name, value in fields], end=not request.body)
            streams[stream], bodies[stream] = request, request.body
        send_mixed(http2, bodies, chance)
        for stream, request in streams.items():
            exchange = http2.answer(stream)
            assert exchange.status == 200, exchange.body
            request.check(json.loads(exchange.body), [("Host", "x")] + [
                (name.lower(), value) for name, value in request.fields if name.lower() != "host"])
    assert mirror.understood() == (begun + len(requests), complete + len(requests))


# ---- Bodies and windows

def test_large_bodies_both_ways(gateway, upstream):
    body = os.urandom(SIZE)
    upstream.script = lambda connection, request: connection.send(200, request["body"][::-1])
    fields = [(":method", "PUT"), *GET[1:3], (":path", "/m/v1/files/large"), ("content-type", "application/octet-stream")]
    with Http2(gateway.tls_port) as http2:
        stream = http2.ask(fields, end=False)
        http2.upload(stream, body[:90000])      # as much as the operation takes
        exchange = http2.answer(stream)
        assert (exchange.status, exchange.body) == (200, body[:90000][::-1])
        upstream.script = lambda connection, request: connection.send(200, body)
        exchange = http2.answer(http2.ask(GET))
        assert hashlib.sha256(exchange.body).digest() == hashlib.sha256(body).digest()
        assert exchange["content-length"] == str(SIZE)


def test_a_body_that_grows_too_large_is_refused(gateway, upstream):
    with Http2(gateway.tls_port) as http2:
        exchange = http2.answer(http2.ask(POST, b" " * 1001))
        assert exchange.status == 413
        assert http2.answer(http2.ask(GET)).status == 200
    assert [request["method"] for request in upstream.seen] == ["GET"]


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"], ids=["length", "chunks", "broken chunks"])
def test_half_an_answer_never_looks_whole(gateway, upstream, answer):
    def script(connection, request):
        connection.raw(answer)
        connection.hang_up()
    upstream.script = script
    with Http2(gateway.tls_port) as http2:
        exchange = http2.answer(http2.ask(GET))
        assert (exchange.ended, exchange.reset) == (False, 2) or exchange.status == 502     # 2: INTERNAL_ERROR
        upstream.script = None
        assert http2.answer(http2.ask(GET)).status == 200


def test_clients_that_never_read_cost_little(gateway, upstream):
    """Windows of zero, on a hundred streams with large answers: what waits is bounded, for the other side, too."""
    upstream.script = lambda connection, request: connection.send(200, bytes(SIZE))
    before = gateway.resident_kb()
    with Http2(gateway.tls_port, {SettingsFrame.INITIAL_WINDOW_SIZE: 0}) as stalled, Http2(gateway.tls_port) as other:
        stalled.reading = False
        streams = [stalled.ask(GET) for _ in range(50)]
        assert stalled.until(lambda: all(stalled.exchanges[stream].status for stream in streams))
        assert stalled.in_step()
        assert gateway.resident_kb() - before < 50 * 64 + 4000
        upstream.script = None
        assert other.answer(other.ask(GET)).status == 200       # nobody waits for them
        assert not any(stalled.exchanges[stream].body for stream in streams)
    assert eventually(lambda: gateway.metric("portico_gateway_clients") <= 3)


def test_one_stream_that_is_not_read_holds_up_no_other(gateway, upstream):
    upstream.script = lambda connection, request: connection.send(200, bytes(200_000 if "large" in request["path"] else 10))
    with Http2(gateway.tls_port) as http2:
        http2.reading = False
        large = http2.ask([*GET[:3], (":path", "/m/v1/files/large")])
        assert http2.until(lambda: len(http2.exchanges[large].body) == 65535)
        http2.send(WindowUpdateFrame(0, 1_000_000))        # the connection's window, not the stream's
        small = http2.ask(GET)
        assert http2.answer(small).body == bytes(10)
        http2.send(WindowUpdateFrame(large, 1_000_000))
        assert len(http2.answer(large).body) == 200_000


def test_a_client_that_takes_nothing_is_let_go(bench, settings):
    port = free_port()
    with bench.gateway(PORTICO_TLS_LISTEN=f"127.0.0.1:{port}", PORTICO_WRITE_TIMEOUT="1", **settings) as gateway:
        bench.upstream.script = lambda connection, request: connection.send(200, bytes(SIZE))
        with Http2(port) as http2:
            http2.reading = False
            stream = http2.ask(GET)
            assert http2.until(lambda: len(http2.exchanges[stream].body) == 65535)
            http2.answer(stream)
            assert http2.exchanges[stream].reset is not None or http2.closed
        bench.upstream.script = None
        with Http2(port) as http2:
            assert http2.answer(http2.ask(GET)).status == 200


@pytest.fixture
def crowd(bench, settings):
    """A hundred streams that wait for their answers, on a gateway of their own; .go() lets the answers come."""
    go, port, before = threading.Event(), free_port(), len(bench.upstream.seen)

    def wait(connection, request):
        go.wait(20)
        connection.send(200, request["path"].encode())
    with bench.gateway(PORTICO_TLS_LISTEN=f"127.0.0.1:{port}", PORTICO_UPSTREAM_CONNECTIONS="200", **settings), Http2(port) as http2:
        assert http2.in_step()
        assert http2.settings[SettingsFrame.MAX_CONCURRENT_STREAMS] == 100
        bench.upstream.script, http2.go = wait, go.set
        http2.crowd = [http2.ask([*GET[:3], (":path", f"/m/v1/files/{n}")]) for n in range(100)]
        assert eventually(lambda: len(bench.upstream.seen) == before + 100)
        yield http2
        bench.upstream.script = None
        go.set()


def test_many_streams(crowd, upstream):
    crowd.go()
    assert [crowd.answer(stream).body for stream in crowd.crowd] == [f"/m/v1/files/{n}".encode() for n in range(100)]
    assert crowd.answer(crowd.ask(GET)).status == 200


def test_a_stream_too_many(crowd, upstream):
    """Who has been told how many, and opens one more, is sent away."""
    asked = len(upstream.seen)
    crowd.ask(GET)
    crowd.wait_for_end()
    assert crowd.goaway == PROTOCOL_ERROR
    assert len(upstream.seen) == asked


def test_the_end_of_the_gateway_is_told(bench, settings):
    """SIGTERM: what is under way is answered, GOAWAY says what was taken, and the connection ends."""
    port = free_port()
    with bench.gateway(PORTICO_TLS_LISTEN=f"127.0.0.1:{port}", **settings) as gateway:
        def slowly(connection, request):
            time.sleep(1)
            connection.send(200, b"{}")
        bench.upstream.script, before = slowly, len(bench.upstream.seen)
        with Http2(port) as http2:
            stream = http2.ask(GET)
            assert eventually(lambda: len(bench.upstream.seen) > before)
            gateway.terminate()
            assert http2.answer(stream).status == 200
            http2.wait_for_end()
            assert (http2.goaway, http2.last_stream) == (0, stream)
        bench.upstream.script = None
        assert gateway.process.wait(10) == 0


# ---- Clients that begin something and never end it: each is let go, whatever else it sends

def says_nothing(http2):
    pass


def leaves_a_head_unfinished(http2):
    http2.send(HeadersFrame(1, http2.encoded(GET)))


def leaves_a_longer_head_unfinished(http2):
    http2.send(HeadersFrame(1, http2.encoded([*GET, ("cookie", "a=b"), ("x-one", "1")])))


def leaves_a_frame_unfinished(http2):
    http2.raw(b"\0\x40\0\x01\x05\0\0\0\x01abc")


def leaves_a_body_unfinished(http2):
    http2.ask(POST, b"{", end=False)


def never_ends_a_body_that_nobody_wants(http2):
    http2.ask([*POST[:3], (":path", "/nowhere")], b"{", end=False)


def opens_no_window(http2):
    http2.send(SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: 0}))
    http2.ask(GET)


def ping(http2):
    http2.send(PingFrame(0, b"12345678"))


def open_a_little(http2):
    http2.send(WindowUpdateFrame(1, 1))


def say_a_little(http2):
    http2.send(DataFrame(1, b" "))


def nothing(http2):
    pass


@pytest.fixture(scope="module")
def impatient(bench, settings):
    port = free_port()
    with bench.gateway(PORTICO_TLS_LISTEN=f"127.0.0.1:{port}", PORTICO_HEADER_TIMEOUT="1", PORTICO_BODY_TIMEOUT="1",
                       PORTICO_IDLE_TIMEOUT="1", PORTICO_WRITE_TIMEOUT="1", **settings) as gateway:
        gateway.tls_port = port
        yield gateway


@pytest.mark.parametrize("begin, go_on", [
    (says_nothing, nothing), (says_nothing, ping), (leaves_a_head_unfinished, nothing), (leaves_a_longer_head_unfinished, nothing),
    (leaves_a_frame_unfinished, nothing),
    (leaves_a_body_unfinished, nothing), (leaves_a_body_unfinished, say_a_little), (leaves_a_body_unfinished, ping),
    (never_ends_a_body_that_nobody_wants, ping), (opens_no_window, nothing), (opens_no_window, ping), (opens_no_window, open_a_little),
], ids=lambda step: step.__name__)
def test_a_slow_client_is_let_go(bench, impatient, begin, go_on):
    bench.upstream.script = None
    with Http2(impatient.tls_port, timeout=0.3) as http2:
        http2.reading = begin not in (leaves_a_head_unfinished, leaves_a_longer_head_unfinished, leaves_a_frame_unfinished)   # it sends no other frame
        begin(http2)
        end = time.monotonic() + 60
        while not http2.closed and time.monotonic() < end:
            try:
                http2.take_frame()
            except TimeoutError:
                go_on(http2)
        assert http2.closed


def test_a_head_that_is_whole_too_late_is_not_served(bench, impatient):
    before = len(bench.upstream.seen)
    with Http2(impatient.tls_port) as http2:
        assert http2.in_step()
        late = http2.new_stream()
        http2.send(HeadersFrame(late, http2.encoded([*GET, ("x-one", "1")]), flags=["END_STREAM"]))
        assert http2.until(lambda: http2.exchanges[late].status or http2.exchanges[late].reset is not None)
        http2.send(ContinuationFrame(late, http2.encoded([("x-two", "2")]), flags=["END_HEADERS"]))
        assert http2.answer(http2.ask(GET)).status == 200
    assert ["x-one" in dict(request["headers"]) for request in bench.upstream.seen[before:]] == [False]


def test_an_answer_whose_end_is_not_let_out_is_given_up(bench, impatient):
    """The window has room for all of a body, and none for the empty frame that ends it."""
    size = 65535
    bench.upstream.script = lambda connection, request: connection.raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (size, bytes(size)))
    with Http2(impatient.tls_port) as http2:
        assert http2.in_step()
        http2.reading = False
        exchange = http2.exchanges[http2.ask(GET)]
        assert http2.until(lambda: len(exchange.body) == size)
        assert not exchange.ended
        http2.until(lambda: exchange.ended or exchange.reset is not None)
        assert exchange.ended or exchange.reset is not None
    bench.upstream.script = None


# ---- Floods: each ends the connection before it has cost much, and nobody else is the worse for it

def headers_of(http2, stream):
    return http2.head(stream, GET)


def rapid_reset(http2, n):
    return [*headers_of(http2, 2 * n + 1), RstStreamFrame(2 * n + 1, 8)]


def reset_at_once_by_the_server(http2, n):
    """Each stream is one that the server itself has to reset ("made you reset")."""
    return [*headers_of(http2, 2 * n + 1), WindowUpdateFrame(2 * n + 1, 2**31 - 1), WindowUpdateFrame(2 * n + 1, 2**31 - 1)]


def depends_on_itself(http2, n):
    return [*http2.head(2 * n + 1, POST, end=False), PriorityFrame(2 * n + 1, depends_on=2 * n + 1)]


def pings(http2, n):
    return [PingFrame(0, b"12345678")]


def empty_settings(http2, n):
    return [SettingsFrame(0)]


def settings_of_all_sizes(http2, n):
    return [SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: n % 60000, SettingsFrame.HEADER_TABLE_SIZE: n % 4096})]


def priorities(http2, n):
    return [PriorityFrame(2 * n + 1, stream_weight=n % 256)]


def tiny_windows(http2, n):
    return [WindowUpdateFrame(0, 1)]


def empty_data(http2, n):
    return [*(http2.head(1, POST, end=False) if n == 0 else []), DataFrame(1, b"")]


def resets_of_nothing(http2, n):
    return [*(headers_of(http2, 1) if n == 0 else []), RstStreamFrame(1, 8)]


FLOODS = [rapid_reset, reset_at_once_by_the_server, depends_on_itself, pings, empty_settings, settings_of_all_sizes, priorities,
          tiny_windows, empty_data, resets_of_nothing]


def take_what_is_there(http2):
    while http2.goaway is None and not http2.closed and (
            http2.socket.pending() or select.select([http2.socket], [], [], 0)[0]):
        http2.take_frame()


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.__name__)
@pytest.mark.parametrize("reads", [True, False], ids=["reading", "not reading"])
def test_flood(gateway, upstream, flood, reads):
    before, frames = gateway.resident_kb(), 0
    with Http2(gateway.tls_port) as http2, Http2(gateway.tls_port) as other:
        while frames < 20_000 and http2.goaway is None and not http2.closed:
            http2.send(*[frame for n in range(frames, frames + 50) for frame in flood(http2, n)])
            frames += 50
            if reads:
                take_what_is_there(http2)
        http2.wait_for_end()
        assert http2.goaway in (ENHANCE_YOUR_CALM, PROTOCOL_ERROR) if reads else http2.closed
        assert other.answer(other.ask(GET)).status == 200
    assert gateway.resident_kb() - before < 10_000
    assert len(upstream.seen) < 2500


@pytest.mark.parametrize("piece", [b"", b"\0\x01a\x01b", b"\0\x01a\x7f\x81\x7f" + b"b" * 16384], ids=["empty", "small", "large"])
def test_continuations_without_end(gateway, upstream, piece):
    before = gateway.resident_kb()
    with Http2(gateway.tls_port) as http2, Http2(gateway.tls_port) as other:
        http2.send(HeadersFrame(1, http2.encoded(GET)))
        for _ in range(200):
            http2.send(*[ContinuationFrame(1, piece[:16384]) for _ in range(10)])
        http2.wait_for_end()
        assert other.answer(other.ask(GET)).status == 200
    assert gateway.resident_kb() - before < 4000
    assert [request["path"] for request in upstream.seen] == ["/m/v1/open"]


def test_a_small_block_that_means_a_large_head(gateway, upstream):
    """One value of 4000 bytes that later ones refer to with one byte each."""
    before = gateway.resident_kb()
    with Http2(gateway.tls_port) as http2:
        for _ in range(20):
            block = http2.encoded(GET) + http2.encoder.encode([("a", "b" * 4000)], huffman=False) + b"\xbe" * 12000
            stream = http2.new_stream()
            http2.send(HeadersFrame(stream, block, flags=["END_HEADERS", "END_STREAM"]))
            exchange = http2.answer(stream)
            assert exchange.status == 431 or exchange.reset is not None or http2.goaway is not None
            if http2.goaway is not None:
                break
    assert gateway.resident_kb() - before < 4000
    assert upstream.seen == []
