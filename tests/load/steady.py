"""A steady load of good requests, so many a second of each kind whatever the answers, each kind over connections of its own that are
kept alive; and what became of each request. Runs in a thread beside whatever breaks things meanwhile."""
import asyncio
import collections
import itertools
import os
import ssl
import threading
import time

from bench import THING

PATIENCE = 15.0                 # seconds until a client gives up
KINDS = {"GET": ("GET", THING, False), "POST with key": ("POST", "/load/v1/things", True), "POST without": ("POST", "/load/v1/notes", False)}
BODY = b'{"text": "' + b"a" * 300 + b'"}'

Outcome = collections.namedtuple("Outcome", "kind id started seconds status")        # status: what was answered, or a word


class Steady:
    def __init__(self, port, tls_port, token, rate=60, connections=6):
        """token() is asked for the token of each request."""
        self.ports, self.token, self.pause, self.connections = (port, tls_port), token, connections / rate, connections
        self.outcomes, self.stopping, self.thread = [], False, None
        self.tls = ssl.create_default_context()
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE

    def __enter__(self):
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()))
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.stopping = True
        self.thread.join()

    async def run(self):
        await asyncio.gather(*(self.client(kind, number) for kind in KINDS for number in range(self.connections)))

    async def client(self, kind, number):
        """Every second one speaks TLS, where there is TLS."""
        tls = self.ports[1] is not None and number % 2 == 1
        streams, due = None, time.monotonic() + self.pause * number / self.connections
        for count in itertools.count():
            await asyncio.sleep(max(0, due - time.monotonic()))
            if self.stopping:
                break
            due = max(due + self.pause, time.monotonic())
            request_id = f"{kind.replace(' ', '-')}.{number}.{count}.{os.urandom(4).hex()}"
            started = time.monotonic()
            try:
                async with asyncio.timeout(PATIENCE):
                    if not streams:
                        streams = await asyncio.open_connection("127.0.0.1", self.ports[tls], ssl=self.tls if tls else None)
                    status, close = await self.ask(streams, kind, request_id)
            except TimeoutError:
                status, close = "no answer", True
            except (OSError, asyncio.IncompleteReadError, ssl.SSLError) as error:
                status, close = "broken off" if streams else f"no connection ({type(error).__name__})", True
            self.outcomes.append(Outcome(kind, request_id, started, time.monotonic() - started, status))
            if close and streams:
                streams[1].close()
                streams = None

    async def ask(self, streams, kind, request_id):
        """The status, and whether the connection ends with it. A whole answer or an exception."""
        reader, writer = streams
        method, path, keyed = KINDS[kind]
        head = f"{method} {path} HTTP/1.1\r\nHost: gateway.example\r\nAuthorization: Bearer {self.token()}\r\nX-Request-Id: {request_id}\r\n"
        if keyed:
            head += f"Idempotency-Key: {request_id}\r\n"
        if method == "POST":
            head += f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n"
        writer.write(head.encode() + b"\r\n" + (BODY if method == "POST" else b""))
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        fields = dict(line.split(": ", 1) for line in answer.split("\r\n")[1:-2])
        if "content-length" in fields:
            await reader.readexactly(int(fields["content-length"]))
        else:
            while size := int(await reader.readline(), 16):
                await reader.readexactly(size + 2)
            await reader.readline()
        return int(answer.split()[1]), fields.get("connection") == "close"
