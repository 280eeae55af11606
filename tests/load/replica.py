"""replica.py PORT EFFECTS: an upstream that does what its standard input tells it, a word a line: well, slow, garbage, half (an answer
that breaks off in its body). Each POST that it carries out leaves its X-Request-Id in the file EFFECTS. /readyz is always honest about
SIGTERM only: after it, it says 503 and ends with its connections, as the services do."""
import asyncio
import json
import os
import signal
import sys

DRAIN = 2.0                     # between SIGTERM and the end, longer than two looks of the gateway
SLOW = 1.0
BODY = json.dumps({"state": "in-review", "title": "x" * 2000}).encode()


class Replica:
    def __init__(self, effects):
        self.mode, self.leaving, self.effects = "well", False, effects

    def command(self):
        self.mode = sys.stdin.readline().strip() or self.mode


class Connection(asyncio.Protocol):
    def __init__(self, replica):
        self.replica, self.buffer, self.busy = replica, b"", False

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        self.next()

    def next(self):
        """Requests one after the other; a body has a Content-Length here."""
        while not self.busy and b"\r\n\r\n" in self.buffer:
            head, _, rest = self.buffer.partition(b"\r\n\r\n")
            line, *fields = head.decode("latin-1").split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
            length = int(fields.get("content-length", 0))
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            self.answer(*line.split()[:2], fields)

    def answer(self, method, path, fields):
        if path == "/readyz":
            return self.send(503 if self.replica.leaving else 200, b"{}")
        if self.replica.mode == "garbage":
            return self.transport.write(b"HTP/9 what\r\n\x00\x01\r\n\r\n")
        if method == "POST":
            os.write(self.replica.effects, (fields["x-request-id"] + "\n").encode())
        if self.replica.mode == "half":
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY[:900])
            return self.transport.close()
        if self.replica.mode == "slow":
            self.busy = True
            asyncio.get_running_loop().call_later(SLOW, self.send_late)
            return None
        return self.send(200, BODY)

    def send_late(self):
        self.busy = False
        self.send(200, BODY)
        self.next()

    def send(self, status, body):
        close = b"Connection: close\r\n" if self.replica.leaving else b""
        self.transport.write(b"HTTP/1.1 %d Here\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n" % (
            status, len(body), close) + body)
        if close:
            self.transport.close()


async def main():
    replica = Replica(os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def leave():
        replica.leaving = True
        loop.call_later(DRAIN, ended.set)

    loop.add_signal_handler(signal.SIGTERM, leave)
    loop.add_reader(sys.stdin, replica.command)
    server = await loop.create_server(lambda: Connection(replica), "127.0.0.1", int(sys.argv[1]), backlog=512)
    await ended.wait()
    server.close()
    await asyncio.sleep(0.2)


asyncio.run(main())
