"""The gateway on its own: every decision it takes, on requests written byte by byte, with an upstream that misbehaves on demand."""
import hashlib
import hmac
import json
import os
import resource
import socket
import threading
import time

import pytest

from support.edge import Wire, free_port
from support.waiting import eventually

GET = "GET /echo/v1/open HTTP/1.1\r\nHost: gateway.example\r\n"
POST = "POST /echo/v1/open HTTP/1.1\r\nHost: gateway.example\r\nContent-Type: application/json\r\n"


# ---- What is passed on, and how

def test_what_the_service_receives(gateway, upstream, bench, token):
    answer = gateway.ask("GET", "/echo/v1/things/a%20b?q=1", token=token(), headers={
        "Portico-Caller": '{"kind":"service"}', "portico-signature": "x", "Connection": "X-Drop, close", "X-Drop": "1",
        "Keep-Alive": "timeout=5", "TE": "trailers", "Upgrade": "h2c", "Proxy-Authorization": "Basic x", "X-Forwarded-For": "8.8.8.8",
        "Forwarded": "for=8.8.8.8", "X-Forwarded-Proto": "https", "Accept-Language": "it", "X-Request-Id": "abc-1",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=b"})
    assert answer.status == 200
    seen = upstream.seen[0]
    fields = {name.lower(): value for name, value in seen["headers"]}
    assert len(fields) == len(seen["headers"]), "a field stands twice"
    caller, signature = fields.pop("portico-caller"), fields.pop("portico-signature")
    assert 9000 < int(fields.pop("portico-deadline")) <= 10000
    assert fields == {"host": "gateway.example", "accept-language": "it", "x-request-id": "abc-1", "x-forwarded-for": "127.0.0.1",
                      "x-forwarded-proto": "http", "tracestate": "a=b",
                      "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    assert seen["path"] == "/echo/v1/things/a%20b?q=1"
    assert json.loads(caller) == {"kind": "citizen", "sub": "0192f0a1-7c3e-7d9a-8b1e-0242ac120002", "client": "demo-area",
                                  "scope": "practices"}
    stamp = signature.split(",")[0].removeprefix("t=")
    mac = hmac.new(bench.caller_key.encode(), f"{caller}\nGET\n/echo/v1/things/a b\n{stamp}".encode(), hashlib.sha256).hexdigest()
    assert signature == f"t={stamp},v={mac}"
    assert abs(int(stamp) - time.time()) < 5
    assert answer["X-Request-Id"] == "abc-1"
    assert answer["traceparent"] == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("request_id", ["", "a b", "a" * 129, "<script>", "a\"b"])
def test_a_malformed_request_id_is_replaced(gateway, request_id):
    answer = gateway.ask("GET", "/echo/v1/open", headers={"X-Request-Id": request_id, "traceparent": "00-0-0-0"})
    assert answer["X-Request-Id"] not in (None, request_id)
    assert len(answer["traceparent"]) == 55


def test_what_the_client_receives(gateway, upstream):
    def script(connection, request):
        connection.raw(b"HTTP/1.1 201 Made\r\nContent-Length: 2\r\nETag: \"1\"\r\nServer: secret/1\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
                       b"Portico-Caller: {}\r\nX-RateLimit-Limit: 1\r\nAccess-Control-Allow-Origin: *\r\nX-Request-Id: other\r\n"
                       b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n{}")
    upstream.script = script
    answer = gateway.ask("GET", "/echo/v1/open")
    names = [name.lower() for name, _ in answer.headers]
    assert (answer.status, answer.body, answer["ETag"]) == (201, b"{}", '"1"')
    assert sorted(names) == ["content-length", "etag", "set-cookie", "set-cookie", "traceparent", "x-request-id"]
    assert answer["X-Request-Id"] != "other"


def test_head(gateway, upstream, token):
    with gateway.wire() as wire:
        wire.send("HEAD /echo/v1/open HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = wire.answer(head=True)
        assert answer.status == 200 and int(answer["Content-Length"]) > 0
        wire.send("HEAD /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.answer(head=True).status == 404
        assert wire.send(GET + "\r\n").answer().json()["path"] == "/echo/v1/open"     # no byte of a body stood between
    assert [seen["method"] for seen in upstream.seen] == ["HEAD", "GET"]


def test_keep_alive_and_pipelining(gateway, upstream):
    with gateway.wire() as wire:
        wire.send("".join(f"GET /echo/v1/open?n={n} HTTP/1.1\r\nHost: x\r\n\r\n" for n in range(50)))
        assert [wire.answer().json()["path"] for _ in range(50)] == [f"/echo/v1/open?n={n}" for n in range(50)]
        wire.send(POST + "Content-Length: 2\r\n\r\n{}" + GET + "Connection: close\r\n\r\n")
        assert wire.answer().json()["length"] == 2
        assert wire.answer()["Connection"] == "close"
        assert wire.closed()


def test_heads_that_end_where_a_buffer_does(gateway):
    """64 bytes each, so that every buffer of the gateway is filled to the last byte of a head: more has come, and nothing tells of it."""
    request = b"GET /livez HTTP/1.1\r\nHost: x\r\nX: ".ljust(60, b"x") + b"\r\n\r\n"
    with gateway.wire() as wire:
        threading.Thread(target=wire.send, args=(request * 4096,), daemon=True).start()
        assert [wire.answer().status for _ in range(4096)] == [200] * 4096


def test_requests_byte_by_byte(gateway):
    with gateway.wire() as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in (POST + "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nA: b\r\n\r\n").encode():
            wire.send(bytes([byte]))
            time.sleep(0.001)
        assert wire.answer().json()["length"] == 2


def test_http_1_0(gateway, upstream):
    with gateway.wire() as wire:
        answer = wire.send("GET /echo/v1/open HTTP/1.0\r\n\r\n").answer()
        assert answer.status == 200 and answer["Connection"] == "close" and wire.closed()
    upstream.script = lambda connection, request: connection.raw(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    with gateway.wire() as wire:
        answer = wire.send("GET /echo/v1/open HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").answer()
        assert answer["Transfer-Encoding"] is None and answer.body == b"abc" and wire.closed()


def test_absolute_form_for_this_host(gateway, upstream):
    with gateway.wire() as wire:
        assert wire.send("GET http://x:80/echo/v1/open HTTP/1.1\r\nHost: x:80\r\n\r\n").answer().status == 200
    assert upstream.seen[0]["path"] == "/echo/v1/open"


def test_expect_100_continue(gateway, upstream):
    with gateway.wire() as wire:
        wire.send(POST + "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert wire.answer().status == 100
        assert wire.send("{}").answer().json()["length"] == 2
    assert "expect" not in {name.lower() for name, _ in upstream.seen[0]["headers"]}
    with gateway.wire() as wire:        # refused before a byte of the body was sent
        wire.send(POST + "Content-Length: 2000\r\nExpect: 100-continue\r\n\r\n")
        assert wire.answer().status == 413
        assert wire.closed()
    assert gateway.ask("POST", "/echo/v1/open", {"Content-Type": "application/json", "Expect": "200-ok"}, b"{}").status == 417


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_large_bodies_are_streamed_with_bounded_memory(gateway, upstream, framing):
    piece, pieces = os.urandom(65536), 200
    digests = []

    def receive(connection, request):
        digests.append(hashlib.sha256(request["body"]).hexdigest())
        connection.send(204, b"")
    upstream.script = receive
    before = gateway.resident_kb()
    with gateway.wire(30) as wire:
        wire.send("PUT /echo/v1/files/7 HTTP/1.1\r\nHost: x\r\nContent-Type: application/pdf\r\n")
        wire.send(f"Content-Length: {len(piece) * pieces}\r\n\r\n" if framing == "length" else "Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(pieces):
            wire.send(piece if framing == "length" else b"%x\r\n%s\r\n" % (len(piece), piece))
        if framing == "chunked":
            wire.send("0\r\n\r\n")
        assert wire.answer().status == 204
        assert digests == [hashlib.sha256(piece * pieces).hexdigest()]

        def deliver(connection, request):
            connection.send_response(200)
            connection.send_header(*(("Content-Length", str(len(piece) * pieces)) if framing == "length" else
                                     ("Transfer-Encoding", "chunked")))
            connection.end_headers()
            for _ in range(pieces):
                connection.wfile.write(piece if framing == "length" else b"%x\r\n%s\r\n" % (len(piece), piece))
            if framing == "chunked":
                connection.wfile.write(b"0\r\n\r\n")
        upstream.script = deliver
        wire.send("GET /echo/v1/files/7 HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.5)         # the client does not read yet: the gateway must wait, not collect
        assert gateway.resident_kb() - before < 4000
        assert hashlib.sha256(wire.answer().body).hexdigest() == digests[0]


def test_an_answer_until_close_becomes_chunked(gateway, upstream):
    def script(connection, request):
        connection.raw(b"HTTP/1.1 200 OK\r\n\r\nto the end")
        connection.hang_up()
    upstream.script = script
    with gateway.wire() as wire:
        assert wire.send(GET + "\r\n").answer().body == b"to the end"
        upstream.script = None
        assert wire.send(GET + "\r\n").answer().status == 200


def test_interim_answers_of_the_service_are_dropped(gateway, upstream):
    upstream.script = lambda connection, request: connection.raw(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    answer = gateway.ask("GET", "/echo/v1/open")
    assert (answer.status, answer.body, answer["Link"]) == (200, b"{}", None)


# ---- By contract

def test_unknown_paths_and_methods(gateway, token):
    assert gateway.ask("GET", "/").slug == "not-found"
    assert gateway.ask("GET", "/echo/v1/nothing").slug == "not-found"
    assert gateway.ask("GET", "/echo/v1").slug == "not-found"
    answer = gateway.ask("DELETE", "/echo/v1/open")
    assert (answer.slug, answer["Allow"]) == ("method-not-allowed", "GET, HEAD, POST")
    assert gateway.ask("get", "/echo/v1/open").slug == "method-not-allowed"


def test_operations_of_sibling_services_do_not_exist_outside(gateway, token):
    for method in ("GET", "POST", "OPTIONS"):
        assert gateway.ask(method, "/echo/v1/secret", token=token()).slug == "not-found"


def test_bodies_that_the_operation_does_not_take(gateway, upstream):
    json_type = {"Content-Type": "application/json"}
    assert gateway.ask("POST", "/echo/v1/open", json_type, b"x" * 1000).status == 200
    assert gateway.ask("POST", "/echo/v1/open", json_type, b"x" * 1001).slug == "content-too-large"
    assert gateway.ask("POST", "/echo/v1/open", {"Content-Type": "text/xml"}, b"{}").slug == "unsupported-media-type"
    assert gateway.ask("POST", "/echo/v1/open", {}, b"{}").slug == "unsupported-media-type"
    assert gateway.ask("GET", "/echo/v1/open", json_type, b"{}").slug == "content-too-large"
    with gateway.wire() as wire:        # no length said: counted while it streams
        answer = wire.send(POST + "Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + "x" * 1000 + "\r\n1\r\nx\r\n").answer()
        assert answer.slug == "content-too-large" and wire.closed()
    with gateway.wire() as wire:        # a small refused body does not cost the connection
        assert wire.send(POST + "Content-Length: 1500\r\n\r\n" + "x" * 1500).answer().status == 413
        assert wire.send(GET + "\r\n").answer().status == 200


def test_cors(bench, gateway):
    assert gateway.ask("GET", "/echo/v1/open", {"Origin": "https://area.example"})["Access-Control-Allow-Origin"] is None
    with bench.gateway(PORTICO_CORS_ORIGINS="https://area.example, https://desk.example") as cors:
        preflight = {"Origin": "https://area.example", "Access-Control-Request-Method": "DELETE"}
        answer = cors.ask("OPTIONS", "/echo/v1/things/7", preflight)
        assert answer.status == 204 and answer["Access-Control-Allow-Methods"] == "GET, HEAD, DELETE"
        assert answer["Access-Control-Allow-Origin"] == "https://area.example" and "Authorization" in answer["Access-Control-Allow-Headers"]
        answer = cors.ask("GET", "/echo/v1/things/7", {"Origin": "https://area.example"})
        assert answer.status == 401 and answer["Access-Control-Allow-Origin"] == "https://area.example" and answer["Vary"] == "Origin"
        answer = cors.ask("OPTIONS", "/echo/v1/things/7", {**preflight, "Origin": "https://evil.example"})
        assert answer["Access-Control-Allow-Origin"] is None and answer["Allow"] == "GET, HEAD, DELETE"
        assert cors.ask("OPTIONS", "/echo/v1/nothing", preflight).status == 404
        assert cors.ask("OPTIONS", "*").status == 204


# ---- Connections

def test_connections_are_bounded(bench):
    with bench.gateway(PORTICO_MAX_CONNECTIONS="4", PORTICO_WORKERS="1") as bounded:
        wires = [bounded.wire() for _ in range(4)]
        assert all(wire.send(GET + "\r\n").answer().status == 200 for wire in wires)
        with bounded.wire() as extra:
            answer = extra.answer()
            assert answer.status == 503 and answer["Retry-After"] == "1" and json.loads(answer.body)["status"] == 503
            assert extra.closed()
        for wire in wires:
            wire.socket.close()
            wire.file.close()
        time.sleep(0.2)


def test_connections_of_one_address_are_bounded(bench):
    with bench.gateway(PORTICO_ADDRESS_CONNECTIONS="3", PORTICO_WORKERS="1") as bounded:
        def connect(address):
            return Wire(bounded.port, source=address)
        wires = [connect("127.0.0.2") for _ in range(3)]
        assert all(wire.send(GET + "\r\n").answer().status == 200 for wire in wires)
        with connect("127.0.0.2") as extra:
            assert extra.answer().status == 503 and extra.closed()
        with connect("127.0.0.3") as other:
            assert other.send(GET + "\r\n").answer().status == 200
        wires.pop().__exit__()

        def has_a_place_again():
            with connect("127.0.0.2") as again:
                return again.send(GET + "\r\n").answer().status == 200
        assert eventually(has_a_place_again)
        for wire in wires:
            wire.__exit__()


def test_ipv4_addresses_differ_on_a_socket_of_ipv6(bench):
    """::ffff:127.0.0.2 is 127.0.0.2, and not one of a single network ::/64."""
    with bench.gateway(PORTICO_LISTEN=f"[::]:{free_port()}", PORTICO_LIMIT_ADDRESS="3", PORTICO_WORKERS="1", ready=False) as gateway:
        def ask(address):
            with Wire(gateway.port, source=address) as wire:
                return wire.send(GET + "\r\n").answer()
        assert eventually(lambda: ask("127.0.0.9").status == 200)
        assert [ask("127.0.0.2").status for _ in range(4)] == [200, 200, 200, 429]
        assert ask("127.0.0.3").status == 200
        assert dict(bench.upstream.seen[-1]["headers"])["X-Forwarded-For"] == "127.0.0.3"


def test_without_descriptors_it_waits_for_some(bench):
    """No descriptor is left for those who knock: they wait, it neither spins nor fills its log, and then they are served."""
    def processor_seconds(pid):
        with open(f"/proc/{pid}/stat") as stat:
            return sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def said(sentence):
        return poor.log.read_text().count(sentence)

    with bench.gateway(PORTICO_WORKERS="1") as poor:
        pid = poor.process.pid
        limit = max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd")) + 8
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limit))
        wires = [poor.wire() for _ in range(20)]
        time.sleep(0.5)
        before = processor_seconds(pid)
        time.sleep(2.5)         # the services are probed meanwhile, and not to be found unreachable for want of a descriptor
        assert processor_seconds(pid) - before < 0.5
        assert said("connections cannot be accepted") == 1
        for wire in wires[:15]:
            wire.__exit__()
        assert wires[19].send(GET + "\r\n").answer().status == 200
        assert said("connections are accepted again") == said("connections cannot be accepted") <= 3
        for wire in wires[15:]:
            wire.__exit__()


# ---- Upstreams that fail

def test_upstream_down(bench):
    with bench.gateway(upstreams=[1], PORTICO_JWKS_URL=f"http://127.0.0.1:{bench.upstream.port}/jwks.json", ready=False) as alone:
        answer = alone.ask("GET", "/echo/v1/open")
        assert (answer.status, answer.slug, answer["Retry-After"]) == (503, "unavailable", "1")
        answer = alone.ask("GET", "/readyz")
        assert answer.status == 503 and answer.json()["upstreams"] == {"echo": False}


def test_another_replica_takes_over(bench):
    with bench.gateway(upstreams=[bench.upstream.port, 1]) as two:
        bench.upstream.script = None
        assert [two.ask("GET", "/echo/v1/open").status for _ in range(20)] == [200] * 20


GARBAGE = {
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "a bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "both framings": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "a switch of protocols": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\nA: " + b"b" * 20000,
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "nothing": b"",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_upstream_that_answers_garbage(gateway, upstream, name):
    def script(connection, request):
        connection.raw(GARBAGE[name])
        connection.hang_up()
    upstream.script = script
    answer = gateway.ask("GET", "/echo/v1/open")
    assert (answer.status, answer.slug) == (502, "bad-gateway")


def test_upstream_that_breaks_off_in_the_body(gateway, upstream):
    """Half an answer must not look like a whole one."""
    def script(connection, request):
        connection.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        time.sleep(0.1)
        connection.hang_up()
    upstream.script = script
    with gateway.wire() as wire:
        with pytest.raises(AssertionError, match="cut"):
            wire.send(GET + "\r\n").answer()


def test_slow_upstream(gateway, upstream):
    upstream.script = lambda connection, request: time.sleep(3)
    started = time.time()
    answer = gateway.ask("GET", "/echo/v1/slow")
    assert (answer.status, answer.slug) == (504, "gateway-timeout")
    assert 0.9 < time.time() - started < 1.6


def test_retry_only_of_what_may_be_done_twice(gateway, upstream, token):
    """The service closes a kept-alive connection just when the next request comes."""
    def break_off(connection, request):
        if connection.server.tries.append(request["method"]) or len(connection.server.tries) == 1:
            return connection.hang_up()
        return connection.send(200, b"{}")
    cases = [("GET", "/echo/v1/things/7", {}, b"", 200, 2), ("DELETE", "/echo/v1/things/7", {}, b"", 200, 2),
             ("POST", "/echo/v1/things", {"Content-Type": "application/json"}, b"{}", 502, 1),
             ("POST", "/echo/v1/things", {"Content-Type": "application/json", "Idempotency-Key": "k-1"}, b"{}", 200, 2),
             ("POST", "/echo/v1/open", {"Content-Type": "application/json", "Idempotency-Key": "k-1"}, b"{}", 502, 1)]
    for method, path, headers, body, status, tries in cases:
        upstream.script, upstream.tries = break_off, []
        answer = gateway.ask(method, path, headers, body, token=token())
        assert (answer.status, len(upstream.tries)) == (status, tries), (method, path, headers)
    upstream.script, upstream.tries = (lambda connection, request: upstream.tries.append(1) or connection.hang_up()), []
    assert gateway.ask("GET", "/echo/v1/open").status == 502
    assert len(upstream.tries) == 2             # once more, not for ever


def test_connections_to_the_service_are_kept(gateway, upstream):
    gateway.ask("GET", "/echo/v1/open")
    before = upstream.connections
    with gateway.wire() as wire:
        for _ in range(20):
            assert wire.send(GET + "\r\n").answer().status == 200
    assert upstream.connections - before <= 1 + 1       # and perhaps a probe


def test_an_early_refusal_of_the_service_arrives(gateway, upstream):
    def script(connection, request):
        connection.raw(b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        connection.hang_up()
    script.unread = True
    upstream.script = script
    with gateway.wire() as wire:
        wire.send("PUT /echo/v1/files/7 HTTP/1.1\r\nHost: x\r\nContent-Type: application/pdf\r\nContent-Length: 10000000\r\n\r\n")
        try:
            for _ in range(100):
                wire.send(b"x" * 10000)
        except OSError:
            pass                                # the gateway reads no more than it can pass on
        assert wire.answer().status in (409, 502)


def test_queue_before_a_busy_service(bench, token):
    release = threading.Event()
    with bench.gateway(PORTICO_WORKERS="1", PORTICO_UPSTREAM_CONNECTIONS="2", PORTICO_UPSTREAM_QUEUE="2", PORTICO_QUEUE_WAIT_MS="700") as busy:
        bench.upstream.script = lambda connection, request: (release.wait(5), connection.send(200, b"{}"))
        try:
            wires = [busy.wire().send(GET + "\r\n") for _ in range(4)]      # two are served, two wait
            time.sleep(0.2)
            answer = busy.ask("GET", "/echo/v1/open")
            assert (answer.slug, answer["Retry-After"]) == ("unavailable", "1")     # no place in the queue
            waited = [wire.answer() for wire in wires[2:]]
            assert [answer.status for answer in waited] == [503, 503]               # their time ran out
            late = busy.wire().send(GET + "\r\n")
            time.sleep(0.1)
            release.set()
            assert [wire.answer().status for wire in [*wires[:2], late]] == [200, 200, 200]
        finally:
            release.set()
            bench.upstream.script = None


# ---- Slow clients

def test_slow_clients_are_cut(bench, upstream):
    with bench.gateway(PORTICO_HEADER_TIMEOUT="1", PORTICO_BODY_TIMEOUT="1", PORTICO_IDLE_TIMEOUT="2") as strict:
        with strict.wire() as slow_head, strict.wire() as slow_body, strict.wire() as idle, strict.wire() as silent:
            started = time.time()
            slow_body.send(POST + "Content-Length: 10\r\n\r\n{")
            assert idle.send(GET + "\r\n").answer().status == 200
            for byte in b"GET /echo/v1":
                slow_head.send(bytes([byte]))
                time.sleep(0.05)
            assert slow_head.answer().slug == "request-timeout" and slow_head.closed()
            assert slow_body.answer().slug == "request-timeout" and slow_body.closed()
            assert silent.closed()
            assert 0.8 < time.time() - started < 2
            assert idle.closed()
            assert 1.8 < time.time() - started < 3


def test_a_body_in_drops_is_cut(bench, upstream):
    """No pause is too long, and the body still takes for ever."""
    with bench.gateway(PORTICO_BODY_TIMEOUT="1") as strict, strict.wire() as wire:
        started = time.time()
        wire.send(POST + "Content-Length: 1000\r\n\r\n")
        for _ in range(10):
            wire.send(b"{")
            time.sleep(0.2)
        assert wire.answer().slug == "request-timeout" and time.time() - started < 2.5


def test_a_slow_reader_is_cut(bench):
    def endless(connection, request):
        connection.send_response(200)
        connection.send_header("Content-Length", "100000000")
        connection.end_headers()
        while True:
            connection.wfile.write(bytes(100000))
    with bench.gateway(PORTICO_WRITE_TIMEOUT="1") as strict:
        bench.upstream.script = endless
        with strict.wire() as wire:
            wire.send(GET + "\r\n")
            time.sleep(2.5)
            with pytest.raises((AssertionError, ConnectionResetError)):
                wire.answer()
        bench.upstream.script = None


# ---- Operation

def test_pages(gateway):
    assert gateway.ask("GET", "/status")["Content-Type"] == "application/problem+json"
    assert gateway.ask("GET", "/livez").status == 200
    assert gateway.ask("GET", "/readyz").json() == {"status": "ready", "keys": True, "draining": False, "upstreams": {"echo": True}}
    assert gateway.ask("POST", "/livez")["Allow"] == "GET, HEAD"
    for _ in range(3):
        gateway.ask("GET", "/echo/v1/open")
    metrics = gateway.ask("GET", "/metrics").body.decode()
    count = next(line for line in metrics.splitlines() if line.startswith('portico_requests_total{operation="showOpen",status="200"}'))
    assert int(count.split()[-1]) >= 3
    assert "portico_gateway_clients 1" in metrics


def test_metrics_on_a_listener_of_their_own(bench):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with bench.gateway(PORTICO_METRICS_LISTEN=f"127.0.0.1:{port}") as apart:
        assert apart.ask("GET", "/metrics").status == 404
        with Wire(port) as wire:
            assert "portico_gateway_clients" in wire.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").answer().body.decode()
            assert wire.send(GET + "\r\n").answer().status == 404


def test_access_log_has_ids_and_no_contents(gateway, token):
    gateway.ask("GET", "/echo/v1/things/7?q=secret+42", {"X-Request-Id": "log-1", "Cookie": "secret=42"}, token=token())
    gateway.ask("GET", "/echo/v1/things/7", {"X-Request-Id": "log-2"}, token="secret.42.x")
    lines = {line["requestId"]: line for line in gateway.requests_logged()}
    line = lines["log-1"]
    assert (line["operation"], line["path"], line["status"], line["kind"]) == ("showThing", "/echo/v1/things/7", 200, "citizen")
    assert (line["subject"], line["client"], line["address"]) == ("0192f0a1-7c3e-7d9a-8b1e-0242ac120002", "demo-area", "127.0.0.1")
    assert (lines["log-2"]["status"], lines["log-2"]["problem"]) == (401, "unauthorized")
    assert "secret" not in gateway.log.read_text()


def test_drain_on_sigterm(bench):
    """What runs is finished, what is idle ends, nothing new is taken."""
    with bench.gateway() as leaving:
        bench.upstream.script = lambda connection, request: (time.sleep(1), connection.send(200, b"{}"))
        with leaving.wire() as busy, leaving.wire() as idle:
            assert idle.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").answer().status == 200
            busy.send(GET + "\r\n")
            time.sleep(0.3)
            leaving.terminate()
            assert idle.closed()
            answer = busy.answer()
            assert (answer.status, answer["Connection"]) == (200, "close")
            assert leaving.process.wait(5) == 0
        bench.upstream.script = None


def test_check_prints_the_routes_and_finds_faults(bench, gateway):
    import subprocess
    from support.edge import binary

    def check(**settings):
        environment = {"PORTICO_UPSTREAMS": "echo=127.0.0.1:1", "PORTICO_CONTRACTS": str(bench.folder),
                       "PORTICO_CALLER_KEY": "k" * 32, **settings}
        return subprocess.run([binary(), "--check"], env=environment, capture_output=True, text=True, timeout=20)
    done = check()
    assert done.returncode == 0 and "/echo/v1/things/{thingId}" in done.stdout
    for settings, word in [({"PORTICO_UPSTREAMS": "echo"}, "PORTICO_UPSTREAMS"), ({"PORTICO_UPSTREAMS": "nobody=127.0.0.1:1"}, "nobody"),
                           ({"PORTICO_CALLER_KEY": "short"}, "PORTICO_CALLER_KEY"), ({"PORTICO_LISTEN": "8080"}, "PORTICO_LISTEN"),
                           ({"PORTICO_WORKERS": "many"}, "PORTICO_WORKERS"), ({"PORTICO_NOTHING": "1"}, "PORTICO_NOTHING"),
                           ({"PORTICO_CORS_ORIGINS": "area.example"}, "PORTICO_CORS_ORIGINS")]:
        done = check(**settings)
        assert done.returncode == 78 and word in done.stderr and done.stderr.count("\n") == 1, (settings, done)


def test_a_port_in_use_is_said(bench, gateway):
    taken = bench.start(PORTICO_LISTEN=f"127.0.0.1:{gateway.port}")
    assert taken.process.wait(10) != 0
    assert "Address already in use" in taken.log.read_text()
