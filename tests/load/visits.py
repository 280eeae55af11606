"""The clients of tests/load/soak, good and bad. Each visit is a coroutine that does one thing to the gateway and says what came of it:
the status of the answer, or a word. VISITS says how many do so at a time, how long they pause, and what may come of it."""
import asyncio
import collections
import os
import socket
import ssl
import struct

from bench import THING
from support.edge import Keys

PATIENCE = 20.0
GOOD = {"200", "502", "503", "504", "cut"}          # one of the replicas misbehaves: that may be seen, and nothing else

Visit = collections.namedtuple("Visit", "visit clients pause outcomes")


class Site:
    """The gateway that is visited."""

    def __init__(self, bench, gateway):
        self.bench, self.gateway, self.number = bench, gateway, 0
        self.strangers, self.fixed = Keys(), bench.token()
        self.tls = ssl.create_default_context()
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE

    def new_token(self, **claims):
        self.number += 1
        return self.bench.token(sub=f"0192f0a1-7c3e-7d9a-8b1e-{self.number % 100000:012x}", **claims)

    async def connect(self, tls=False):
        port = self.gateway.tls_port if tls else self.gateway.port
        return await asyncio.open_connection("127.0.0.1", port, ssl=self.tls if tls else None)


def head(method, path, token=None, **fields):
    fields = {"Host": "gateway.example", **({"Authorization": f"Bearer {token}"} if token else {}),
              **{name.replace("_", "-"): str(value) for name, value in fields.items()}}
    return (f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n").encode()


async def answer(reader):
    """The status of a whole answer."""
    text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status, fields = text.split()[1], dict(line.split(": ", 1) for line in text.split("\r\n")[1:-2])
    if status[0] == "1":
        return await answer(reader)
    if "content-length" in fields:
        await reader.readexactly(int(fields["content-length"]))
    elif fields.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return status


async def exchange(site, data, tls=False):
    reader, writer = await site.connect(tls)
    try:
        writer.write(data)
        return await answer(reader)
    finally:
        writer.close()


def kept_alive(tls, new_tokens):
    """Twenty requests over one connection, three at a time in the middle of it."""
    async def visit(site):
        reader, writer = await site.connect(tls)
        try:
            for count in (1, 1, 3, 3, 1, 3, 1, 1, 3, 3):
                for _ in range(count):
                    writer.write(head("GET", THING, site.new_token() if new_tokens else site.fixed))
                for _ in range(count):
                    status = await answer(reader)
                    if status != "200":
                        return status
            return "200"
        finally:
            writer.close()
    return visit


def post(size, tls=False, chunked=False):
    body = b'{"text": "' + b"a" * (size - 12) + b'"}'

    async def visit(site):
        if not chunked:
            return await exchange(site, head("POST", "/load/v1/things", site.new_token(), Content_Type="application/json",
                                             Content_Length=len(body), Idempotency_Key=os.urandom(8).hex()) + body, tls)
        pieces = b"".join(b"%x\r\n%s\r\n" % (len(body[at:at + 5000]), body[at:at + 5000]) for at in range(0, len(body), 5000))
        return await exchange(site, head("POST", "/load/v1/notes", site.fixed, Content_Type="application/json",
                                         Transfer_Encoding="chunked") + pieces + b"0\r\n\r\n", tls)
    return visit


def refused(*requests):
    """One of these at a time; what they are is a matter of the site."""
    async def visit(site):
        site.number += 1
        return await exchange(site, requests[site.number % len(requests)](site), tls=site.number % 3 == 0)
    return visit


WRONG_TOKENS = (
    lambda site: head("GET", THING), lambda site: head("GET", THING, "a.b.c"), lambda site: head("GET", THING, "x" * 3000),
    lambda site: head("GET", THING, site.strangers.token()), lambda site: head("GET", THING, site.new_token(exp=1)),
    lambda site: head("GET", THING, site.new_token(aud="others")), lambda site: head("GET", THING, site.new_token()[:-4] + "AAAA"),
    lambda site: head("GET", THING, site.bench.keys.token(headers={"kid": os.urandom(4).hex()})))
UNKNOWN = (
    lambda site: head("GET", "/nowhere/v1/" + "a" * (site.number % 1500)), lambda site: head("GET", "/load/v1/things", site.fixed),
    lambda site: head("DELETE", THING, site.fixed), lambda site: head("GET", "/load/v1/things/no-uuid", site.fixed),
    lambda site: head("GET", THING + "&other=1", site.fixed), lambda site: head("OPTIONS", THING.partition("?")[0]))
MALFORMED = (
    lambda site: b"GET / HTTP/1.1\nHost: x\n\n", lambda site: b"GET / HTTP/1.1\r\n\r\n", lambda site: os.urandom(200) + b"\r\n\r\n",
    lambda site: b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n", lambda site: head("GET", "/load/../v1", X_Long="b" * 20000),
    lambda site: head("POST", "/load/v1/notes", site.fixed, Content_Type="application/json", Transfer_Encoding="chunked") + b"zz\r\n")


async def drip(site, tls, begin, pieces, pause):
    """A piece now and then, until the gateway has enough of it and says so."""
    reader, writer = await site.connect(tls)
    heard = asyncio.create_task(answer(reader))
    try:
        writer.write(begin)
        for piece in pieces:
            if heard.done():
                break
            writer.write(piece)
            await asyncio.sleep(pause)
        return await heard
    finally:
        heard.cancel()
        writer.close()


async def slow_head(site):
    return await drip(site, False, b"", [bytes([byte]) for byte in head("GET", THING, site.fixed)], 0.3)


async def slow_body(site):
    return await drip(site, True, head("POST", "/load/v1/notes", site.fixed, Content_Type="application/json", Content_Length=100000),
                      [b" " * 10] * 40, 0.5)


async def slow_reader(site):
    """Asks for much at once, takes little of it, then goes."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(raw, ("127.0.0.1", site.gateway.port))
        await loop.sock_sendall(raw, head("GET", THING, site.fixed) * 30)
        for _ in range(10):
            await asyncio.sleep(0.7)
            if not await loop.sock_recv(raw, 200):
                break
        return "gone"
    finally:
        raw.close()


def vanishing(data, tls=False, reset=False):
    """Sends that much and is gone, politely or not."""
    async def visit(site):
        _, writer = await site.connect(tls)
        if reset:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.write(data(site))
        await asyncio.sleep(0.02)
        if reset:
            writer.transport.abort()
        else:
            writer.close()
        return "gone"
    return visit


async def broken_handshake(site):
    """No TLS at all, or half of a greeting."""
    site.number += 1
    reader, writer = await asyncio.open_connection("127.0.0.1", site.gateway.tls_port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n" if site.number % 2 else b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(40))
    await asyncio.sleep(0.1)
    writer.close()
    return "gone"


def half_body(site):
    return head("POST", "/load/v1/notes", site.fixed, Content_Type="application/json", Content_Length=50000) + b"{" * 20000


VISITS = {
    "GET, kept alive": Visit(kept_alive(False, False), 4, 0.05, GOOD),
    "GET over TLS, a new token each": Visit(kept_alive(True, True), 3, 0.1, GOOD),
    "POST 100 B": Visit(post(100), 2, 0.03, GOOD), "POST 10 kB, TLS": Visit(post(10000, tls=True), 2, 0.05, GOOD),
    "POST 200 kB in chunks": Visit(post(200000, chunked=True), 2, 0.1, GOOD),
    "POST 900 kB, TLS": Visit(post(900000, tls=True), 1, 0.2, GOOD), "POST beyond the limit": Visit(post(1100000), 1, 0.5, {"413", "cut"}),
    "wrong token": Visit(refused(*WRONG_TOKENS), 2, 0.02, {"401"}),
    "nothing there": Visit(refused(*UNKNOWN), 2, 0.02, {"404", "405", "400", "204"}),
    "malformed": Visit(refused(*MALFORMED), 2, 0.03, {"400", "414", "431", "505", "501", "cut", *GOOD - {"200"}}),
    "slow head": Visit(slow_head, 15, 0.1, {"408"}), "slow body": Visit(slow_body, 10, 0.1, {"408", *GOOD}),
    "slow reader": Visit(slow_reader, 10, 0.1, {"gone", "cut"}),
    "gone in the head": Visit(vanishing(lambda site: head("GET", THING, site.fixed)[:100]), 1, 0.05, {"gone"}),
    "gone in the body": Visit(vanishing(half_body), 1, 0.05, {"gone"}),
    "gone in the body, TLS, reset": Visit(vanishing(half_body, tls=True, reset=True), 1, 0.05, {"gone"}),
    "gone before the answer, reset": Visit(vanishing(lambda site: head("GET", THING, site.fixed), reset=True), 2, 0.05, {"gone"}),
    "no TLS on the port of TLS": Visit(broken_handshake, 2, 0.2, {"gone"}),
}


async def stay(site, name, seen, is_over):
    """Visit after visit until it is over."""
    kind = VISITS[name]
    while not is_over():
        try:
            async with asyncio.timeout(PATIENCE):
                outcome = await kind.visit(site)
        except TimeoutError:
            outcome = "no answer"
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            outcome = "cut"
        seen[name][outcome] += 1
        await asyncio.sleep(kind.pause)


async def visit_all(site, seen, is_over):
    await asyncio.gather(*(stay(site, name, seen, is_over) for name, kind in VISITS.items() for _ in range(kind.clients)))
