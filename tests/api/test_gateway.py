"""The gateway on its own: every decision it takes, on requests written byte by byte, with an upstream that misbehaves on demand."""
import hashlib
import hmac
import json
import os
import resource
import socket
import threading
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support.edge import Bench, Wire, b64, sign

GET = "GET /echo/v1/open HTTP/1.1\r\nHost: gateway.example\r\n"
POST = "POST /echo/v1/open HTTP/1.1\r\nHost: gateway.example\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def bench():
    bench = Bench()
    bench.running.wait()
    yield bench
    bench.close()


@pytest.fixture
def gateway(bench):
    bench.upstream.script = None
    bench.upstream.seen.clear()
    yield bench.running
    if bench.upstream.script:
        bench.upstream.script = None
        bench.running.recover()


@pytest.fixture
def upstream(bench):
    return bench.upstream


@pytest.fixture
def token(bench):
    return bench.keys.token


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


# ---- Tokens and rights

def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def with_header(token, **header):
    """The same token with other members of its header; its signature no longer covers it."""
    head, payload, signature = token.split(".")
    return ".".join([b64({**jwt.get_unverified_header(token), **header}), payload, signature])


def hs256_with_public_key(bench):
    """The classic: an HMAC whose secret is the public key, which everybody has."""
    token = bench.keys.token()
    signed = b64({"alg": "HS256", "kid": "es", "typ": "at+jwt"}) + "." + token.split(".")[1]
    pem = bench.keys.private["es"].public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return signed + "." + b64(hmac.new(pem, signed.encode(), hashlib.sha256).digest())


def tampered(token, **claims):
    head, payload, signature = token.split(".")
    changed = {**claims_of(token), **claims}
    return ".".join([head, b64(changed), signature])


def foreign(bench):
    other = ec.generate_private_key(ec.SECP256R1())
    return sign({"alg": "ES256", "kid": "es", "typ": "at+jwt"}, claims_of(bench.keys.token()), other, "ES256")


ATTACKS = {
    "HS256 with the public key": hs256_with_public_key,
    "alg none": lambda b: with_header(b.keys.token(), alg="none").rsplit(".", 1)[0] + ".",
    "alg none with the old signature": lambda b: with_header(b.keys.token(), alg="none"),
    "alg None": lambda b: with_header(b.keys.token(), alg="None"),
    "another scope": lambda b: tampered(b.keys.token(scope="profile"), scope="practices"),
    "another person": lambda b: tampered(b.keys.token(), sub="0192f0a1-0000-7d9a-8b1e-0242ac120002"),
    "a key of one's own under our kid": foreign,
    "the kid of a key of another algorithm": lambda b: b.keys.token("es", {"kid": "rs"}),
    "RS256 with the key for PS256": lambda b: sign({"alg": "RS256", "kid": "ps", "typ": "at+jwt"}, claims_of(b.keys.token()),
                                                   b.keys.private["ps"], "RS256"),
    "no kid": lambda b: b.keys.token(headers={"kid": None}),
    "an unknown kid": lambda b: b.keys.token(headers={"kid": "nobody"}),
    "a kid that is a path": lambda b: b.keys.token(headers={"kid": "../../dev/null"}),
    "an embedded key": lambda b: with_header(foreign(b), jwk=b.keys.jwks()["keys"][0], kid="es"),
    "crit": lambda b: b.keys.token(headers={"crit": ["exp"]}),
    "an ID token": lambda b: b.keys.token(headers={"typ": "JWT"}),
    "no typ": lambda b: b.keys.token(headers={"typ": None}),
    "expired": lambda b: b.keys.token(exp=int(time.time()) - 1),
    "no exp": lambda b: b.keys.token(exp=None),
    "not yet": lambda b: b.keys.token(nbf=int(time.time()) + 60),
    "from the future": lambda b: b.keys.token(iat=int(time.time()) + 60),
    "another issuer": lambda b: b.keys.token(iss="https://evil.example"),
    "no issuer": lambda b: b.keys.token(iss=None),
    "another audience": lambda b: b.keys.token(aud="other"),
    "a list of other audiences": lambda b: b.keys.token(aud=["other", "portico2"]),
    "the scope of sibling services": lambda b: b.keys.token(scope="practices service"),
    "kind service": lambda b: b.keys.token(kind="service"),
    "kind anonymous": lambda b: b.keys.token(kind="anonymous"),
    "no kind": lambda b: b.keys.token(kind=None),
    "a citizen with a tenant": lambda b: b.keys.token(tenant="c_a944"),
    "a citizen without subject": lambda b: b.keys.token(sub=None),
    "an operator without tenant": lambda b: b.keys.token(kind="operator"),
    "a scope that is a list": lambda b: b.keys.token(scope=["practices"]),
    "a subject of 300 characters": lambda b: b.keys.token(sub="a" * 300),
    "two parts": lambda b: b.keys.token().rsplit(".", 1)[0],
    "four parts": lambda b: b.keys.token() + ".x",
    "a cut signature": lambda b: b.keys.token()[:-4],
    "padding": lambda b: b.keys.token() + "==",
    "a signature in DER": lambda b: b.keys.token().rsplit(".", 1)[0] + "." + b64(b"0E\x02!\0" + b"a" * 32 + b"\x02 " + b"a" * 32),
    "r and s of zero": lambda b: b.keys.token().rsplit(".", 1)[0] + "." + b64(bytes(64)),
    "8 KiB": lambda b: b.keys.token(filler="x" * 8000),
    "not base64": lambda b: "a!.b!.c!",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_token_that_must_not_pass(bench, gateway, upstream, name):
    answer = gateway.ask("GET", "/echo/v1/things/7", {"Authorization": "Bearer " + ATTACKS[name](bench)})
    assert (answer.status, answer.slug) == (401, "unauthorized")
    assert answer["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert upstream.seen == []


def test_tokens_that_pass(gateway, token, upstream):
    for kid in ("es", "rs", "ps", "ed"):
        assert gateway.ask("GET", "/echo/v1/things/7", token=token(kid)).status == 200
    assert gateway.ask("GET", "/echo/v1/things/7", token=token(aud=["other", "portico"])).status == 200
    assert gateway.ask("GET", "/echo/v1/things/7", {"Authorization": "bearer " + token()}).status == 200
    gateway.ask("GET", "/echo/v1/things/7", token=token(act={"sub": "op-1"}, acr="SpidL2", sid="s-1"))
    assert json.loads(dict(upstream.seen[-1]["headers"])["Portico-Caller"]) == {
        "kind": "citizen", "sub": "0192f0a1-7c3e-7d9a-8b1e-0242ac120002", "act": "op-1", "client": "demo-area",
        "scope": "practices", "acr": "SpidL2", "sid": "s-1"}
    gateway.ask("GET", "/echo/v1/queue", token=token(kind="operator", tenant="c_a944", scope="desk:practices", roles=["mobilita"]))
    caller = json.loads(dict(upstream.seen[-1]["headers"])["Portico-Caller"])
    assert (caller["kind"], caller["tenant"], caller["roles"]) == ("operator", "c_a944", ["mobilita"])


def test_a_cached_token_ends_with_its_time(gateway, token):
    short = token(exp=int(time.time()) + 2)
    assert gateway.ask("GET", "/echo/v1/things/7", token=short).status == 200
    time.sleep(2.1)
    assert gateway.ask("GET", "/echo/v1/things/7", token=short).status == 401


def test_public_operations(gateway, upstream, token):
    assert gateway.ask("GET", "/echo/v1/open").status == 200
    assert json.loads(dict(upstream.seen[-1]["headers"])["Portico-Caller"])["kind"] == "anonymous"
    assert gateway.ask("GET", "/echo/v1/open", token=token()).status == 200
    assert json.loads(dict(upstream.seen[-1]["headers"])["Portico-Caller"])["kind"] == "citizen"
    assert "Authorization" not in dict(upstream.seen[-1]["headers"])
    assert gateway.ask("GET", "/echo/v1/open", token="wrong").status == 401
    # clients of the token endpoint prove themselves to the service with Basic
    assert gateway.ask("POST", "/echo/v1/open", {"Authorization": "Basic YTpi", "Content-Type": "application/json"}, b"{}").status == 200
    assert dict(upstream.seen[-1]["headers"])["Authorization"] == "Basic YTpi"
    for other in ("Basic YTpi", "Bearer", "Bearer ", ""):
        answer = gateway.ask("GET", "/echo/v1/things/7", {"Authorization": other})
        assert (answer.status, answer["WWW-Authenticate"]) == (401, "Bearer")


def test_scopes(gateway, upstream, token):
    answer = gateway.ask("GET", "/echo/v1/things/7", token=token(scope="profile"))
    assert (answer.status, answer.slug) == (403, "forbidden")
    assert answer["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="practices"'
    assert "practices" in answer.json()["detail"]
    assert gateway.ask("POST", "/echo/v1/things/7/approval", token=token()).status == 403
    assert upstream.seen == []


def test_operators_and_partners_stay_in_their_tenant(gateway, upstream, token):
    operator = token(kind="operator", tenant="c_a944", scope="desk:practices")
    partner = token(kind="partner", sub="acquedotto", client_id="acquedotto", tenant="c_a944", scope="partner:practices")
    for caller in (operator, partner):
        assert gateway.ask("GET", "/echo/v1/tenants/c_a944/queue", token=caller).status == 200
        assert gateway.ask("GET", "/echo/v1/tenants/c_a662/queue", token=caller).slug == "forbidden"
    assert gateway.ask("GET", "/echo/v1/queue?tenant=c_a944", token=operator).status == 200
    for query in ("tenant=c_a662", "limit=1&tenant=c_a662", "tenant=c_a944&tenant=c_a662", "%74enant=c_a662", "tenant=c_a94%34x",
                  "tenant", "tenant="):
        assert gateway.ask("GET", "/echo/v1/queue?" + query, token=operator).status == 403, query
    assert gateway.ask("GET", "/echo/v1/queue?tenant=c_a662", token=token()).status == 200     # citizens are of no tenant
    assert "sub" not in json.loads(dict(upstream.seen[1]["headers"])["Portico-Caller"])


def test_new_keys_are_found(bench, gateway, upstream):
    """Rotation: a token of a key that is not known yet is refused, and makes the gateway fetch the keys."""
    new = ec.generate_private_key(ec.SECP256R1())
    bench.keys.private["new"], bench.keys.algorithms["new"] = new, "ES256"
    try:
        deadline, status = time.time() + 12, None
        assert gateway.ask("GET", "/echo/v1/things/7", token=bench.keys.token("new")).status == 401
        while status != 200 and time.time() < deadline:
            time.sleep(0.3)
            status = gateway.ask("GET", "/echo/v1/things/7", token=bench.keys.token("new")).status
        assert status == 200
    finally:
        del bench.keys.private["new"], bench.keys.algorithms["new"]


def test_without_keys_nobody_is_let_in(bench, token):
    with bench.gateway(ready=False, PORTICO_JWKS_URL="http://127.0.0.1:1/jwks.json") as blind:
        answer = blind.ask("GET", "/echo/v1/things/7", token=token())
        assert (answer.slug, answer["Retry-After"]) == ("unavailable", "1")
        assert blind.ask("GET", "/readyz").json()["keys"] is False
        assert blind.ask("GET", "/echo/v1/open").status == 200


# ---- Limits

def test_limit_per_address(bench):
    with bench.gateway(PORTICO_LIMIT_ADDRESS="20", ready=False) as limited:
        answers = [limited.ask("GET", "/echo/v1/open") for _ in range(30)]
        refused = [answer for answer in answers if answer.status == 429]
        assert 9 <= len(refused) <= 11              # waiting for readiness took one
        remaining = [int(answer["X-RateLimit-Remaining"]) for answer in answers if answer.status == 200]
        assert remaining == sorted(remaining, reverse=True) and remaining[-1] == 0
        assert all(answer["X-RateLimit-Limit"] == "20" for answer in answers)
        assert refused[0].slug == "too-many-requests" and 1 <= int(refused[0]["Retry-After"]) <= 4
        assert 50 <= int(refused[0]["X-RateLimit-Reset"]) <= 60
        time.sleep(int(refused[-1]["Retry-After"]))
        assert limited.ask("GET", "/echo/v1/open").status == 200


def test_limit_per_caller(bench, token):
    with bench.gateway(PORTICO_LIMIT_CALLER="5", PORTICO_LIMIT_ADDRESS="1000") as limited:
        one, other = token(sub="one"), token(sub="other")
        statuses = [limited.ask("GET", "/echo/v1/things/7", token=one).status for _ in range(7)]
        assert statuses == [200] * 5 + [429] * 2
        assert limited.ask("GET", "/echo/v1/things/7", token=token(sub="one")).status == 429      # another token of the same person
        answer = limited.ask("GET", "/echo/v1/things/7", token=other)
        assert (answer.status, answer["X-RateLimit-Limit"], answer["X-RateLimit-Remaining"]) == (200, "5", "4")


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
