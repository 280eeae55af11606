"""A gateway of one's own, for what cannot be shown on the whole suite: an upstream that does what the test tells it, keys that the
test signs with, requests byte by byte. Bench() starts all of it; bench.gateway(PORTICO_…="…") one with other settings."""
import base64
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from .contracts import ROOT

ISSUER = "https://issuer.example/identity/v1"
CONTRACTS = Path(__file__).parent / "edge_contracts"


def free_port():
    """One that no connection is given as its own end before somebody listens on it: below the range that the kernel takes those from."""
    while True:
        port = random.randrange(10240, 18000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def binary():
    """The gateway of the stack that is under test, or of the newest build."""
    recorded = Path(os.environ.get("PORTICO_TEST_STATE", "/nonexistent")) / "bin"
    folders = [Path(os.environ["PORTICO_TEST_BIN"])] if "PORTICO_TEST_BIN" in os.environ else []
    folders += [Path(recorded.read_text().strip())] if recorded.exists() else []
    return next(path for path in (folder / "gateway" for folder in [*folders, ROOT / "build/release/bin"]) if path.exists())


def b64(data):
    """base64url of bytes, or of the JSON of anything else."""
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()).rstrip(b"=").decode()


def sign(header, claims, private, algorithm):
    """A JWS with any header and claims, also those that a library refuses to make."""
    signed = f"{b64(header)}.{b64(claims)}"
    return f"{signed}.{b64(jwt.get_algorithm_by_name(algorithm).sign(signed.encode(), private))}"


class Keys:
    """What identity would publish, with the private halves."""

    def __init__(self):
        self.private = {"es": ec.generate_private_key(ec.SECP256R1()), "ed": ed25519.Ed25519PrivateKey.generate(),
                        "rs": rsa.generate_private_key(65537, 2048), "ps": rsa.generate_private_key(65537, 2048)}
        self.algorithms = {"es": "ES256", "ed": "EdDSA", "rs": "RS256", "ps": "PS256"}

    def jwks(self):
        keys = []
        for kid, private in self.private.items():
            algorithm = jwt.get_algorithm_by_name(self.algorithms[kid])
            public = algorithm.to_jwk(private.public_key(), as_dict=True)
            public.pop("key_ops", None)
            keys.append({**public, "kid": kid, "alg": self.algorithms[kid], "use": "sig"})
        return {"keys": keys}

    def token(self, kid="es", headers=None, **claims):
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "portico", "sub": "0192f0a1-7c3e-7d9a-8b1e-0242ac120002", "client_id": "demo-area",
                  "kind": "citizen", "scope": "practices", "iat": now, "exp": now + 300, "jti": os.urandom(8).hex(), **claims}
        header = {"alg": self.algorithms[kid], "typ": "at+jwt", "kid": kid, **(headers or {})}      # as identity orders them
        return sign({name: value for name, value in header.items() if value is not None},
                    {name: value for name, value in claims.items() if value is not None}, self.private[kid], self.algorithms[kid])


class Upstream(ThreadingHTTPServer):
    """Echoes each request as JSON, and keeps it in .seen; .script(connection, request) answers instead when it is set. .ready is the
    status of /readyz, which is answered and not kept. hang() and go_on() are SIGSTOP and SIGCONT of a process: the
    kernel takes connections, nobody serves them. close() is its end."""
    daemon_threads, request_queue_size = True, 256

    def __init__(self, keys, port=0, host="127.0.0.1"):
        self.keys, self.seen, self.script, self.connections, self.ready = keys, [], None, 0, 200
        self.going, self.open = threading.Event(), set()
        self.going.set()
        self.revoked, self.asked = [], []       # what listRevocations tells, and the requests for it and for the keys
        self.tell = None                        # or what it tells instead
        self.looked_at_as = set()               # the names in Host of those who asked for /readyz
        super().__init__((host, port), UpstreamConnection)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, request, client_address):
        pass

    def process_request(self, request, client_address):
        self.going.wait()
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.open.discard(request)
        super().shutdown_request(request)

    def hang(self):
        self.going.clear()

    def go_on(self):
        self.going.set()

    def close(self):
        """As kill -9 does it: the port is closed, and so are all connections."""
        self.go_on()
        self.shutdown()
        self.server_close()
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class UpstreamConnection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    counted = False         # among the connections that carried a request

    def read_body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self):
        self.server.going.wait()
        if self.path == "/readyz":
            self.server.looked_at_as.add(self.headers["Host"])
            return self.send(self.server.ready, b"")
        body = None
        if self.server.script is None or self.path.endswith("jwks.json") or not getattr(self.server.script, "unread", False):
            body = self.read_body()
        seen = {"method": self.command, "path": self.path, "headers": self.headers.items(), "body": body}
        if self.path == "/jwks.json":
            self.server.asked.append(seen)
            return self.send(200, json.dumps(self.server.keys.jwks()).encode())
        if self.path.startswith("/revocations"):
            self.server.asked.append(seen)
            return self.tell_revoked()
        self.server.seen.append(seen)
        self.server.connections += not self.counted
        self.counted = True
        if self.server.script:
            return self.server.script(self, seen)
        return self.send(200, json.dumps({"path": self.path, "headers": seen["headers"], "length": len(body)}).encode())

    def tell_revoked(self):
        """As identity does: at most 1000 items behind the cursor."""
        after = int(self.path.partition("?after=")[2].partition("-")[0] or 0)
        items = self.server.revoked[after:after + 1000]
        if self.server.tell is not None:
            return self.send(200, self.server.tell)
        return self.send(200, json.dumps({"items": items, "next": f"{after + len(items)}-1"}).encode())

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = answer

    def send(self, status, body, **headers):
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def raw(self, data):
        self.wfile.write(data)
        self.wfile.flush()

    def hang_up(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *args):
        pass


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __getitem__(self, name):
        return next((value for field, value in self.headers if field.lower() == name.lower()), None)

    def json(self):
        return json.loads(self.body)

    @property
    def slug(self):
        assert self["Content-Type"] == "application/problem+json", self.body
        assert self.json()["status"] == self.status
        assert self.json()["requestId"] == self["X-Request-Id"]
        return self.json()["type"].removeprefix("/problems/")


class Wire:
    """A connection to the gateway, byte by byte."""

    def __init__(self, port, timeout=10, source=""):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout, source_address=(source, 0))
        self.file = self.socket.makefile("rb")

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode("latin-1"))
        return self

    def answer(self, head=False):
        """The next answer, read by its framing; None when the connection ended."""
        status_line = self.file.readline()
        if not status_line:
            return None
        headers = []
        while (line := self.file.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name, value.strip()))
        answer = Answer(int(status_line.split()[1]), headers, b"")
        if not head and answer.status >= 200 and answer.status not in (204, 304):
            answer.body = self.body(answer)
        return answer

    def body(self, answer):
        if answer["Transfer-Encoding"] == "chunked":
            body = b""
            while size := int(self.file.readline(), 16):
                body += self.file.read(size)
                assert self.file.readline() == b"\r\n"
            assert self.file.readline() == b"\r\n"
            return body
        if answer["Content-Length"] is not None:
            body = self.file.read(int(answer["Content-Length"]))
            assert len(body) == int(answer["Content-Length"]), "the answer was cut"
            return body
        return self.file.read()

    def closed(self):
        """True when the gateway has closed the connection, with nothing left to read."""
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()
        self.socket.close()


class Gateway:
    """upstreams are ports of this machine, or host:port. enter is a command that runs the gateway."""

    def __init__(self, folder, upstreams, key, settings, enter=()):
        upstreams = [f"127.0.0.1:{upstream}" if isinstance(upstream, int) else upstream for upstream in upstreams]
        self.port, self.key = int(settings["PORTICO_LISTEN"].rpartition(":")[2]) if "PORTICO_LISTEN" in settings else free_port(), key
        self.log = folder / f"gateway-{self.port}.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTICO_")} | {
            "PORTICO_LISTEN": f"127.0.0.1:{self.port}", "PORTICO_UPSTREAMS": "echo=" + "|".join(upstreams),
            "PORTICO_CONTRACTS": str(folder), "PORTICO_ISSUER": ISSUER,
            "PORTICO_CALLER_KEY": key, "PORTICO_JWKS_URL": f"http://{upstreams[0]}/jwks.json",
            "PORTICO_REVOCATIONS_URL": f"http://{upstreams[0]}/revocations",
            "PORTICO_LIMIT_ADDRESS": "0", "PORTICO_LIMIT_CALLER": "0", "PORTICO_WORKERS": "2", **settings}
        self.process = subprocess.Popen([*enter, binary()], env=environment, stdout=self.log.open("ab"), stderr=subprocess.STDOUT)

    def wait(self, ready=True):
        """Until it is ready, or just accepts connections."""
        for _ in range(200):
            assert self.process.poll() is None, self.log.read_text()
            try:
                with self.wire() as wire:
                    status = wire.send("GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").answer().status
                if status == 200 or not ready:
                    return self
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError("the gateway is not ready:\n" + self.log.read_text())

    def wire(self, timeout=10):
        return Wire(self.port, timeout)

    def ask(self, method, path, headers=None, body=b"", token=None, timeout=10):
        """One request on a connection of its own."""
        fields = {"Host": "gateway.example", **({"Authorization": f"Bearer {token}"} if token else {}),
                  **({"Content-Length": str(len(body))} if body else {}), **(headers or {})}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
        with self.wire(timeout) as wire:
            return wire.send(head).send(body).answer(head=method == "HEAD")

    def recover(self):
        """Until no worker holds it against the upstream what a test has made it do. A connection falls to any worker."""
        good, end = 0, time.monotonic() + 40
        while good < 12:
            assert time.monotonic() < end, "the upstream is not asked again"
            good = good + 1 if self.ask("GET", "/echo/v1/open").status == 200 else 0

    def metric(self, name, **labels):
        """The sum of the lines of /metrics with that name and these labels."""
        total = 0.0
        for line in self.ask("GET", "/metrics").body.decode().splitlines():
            found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if found and found[1] == name and labels.items() <= dict(re.findall(r'(\w+)="([^"]*)"', found[2] or "")).items():
                total += float(found[3])
        return total

    def requests_logged(self):
        """The lines of the access log so far."""
        time.sleep(0.7)         # it is written twice a second
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["message"] == "request"]

    def resident_kb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        """Ends it and fails the test when it did not end well: a crash, or a finding of a sanitizer."""
        if self.process.poll() is None:
            self.terminate()
        code = self.process.wait(timeout=15)
        assert code == 0, f"the gateway ended with {code}:\n" + self.log.read_text()[-4000:]


class Bench:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="portico-edge-"))
        for contract in [*CONTRACTS.glob("*.yaml"), *(ROOT / "openapi").glob("*.yaml")]:
            shutil.copy(contract, self.folder)
        self.keys, self.caller_key = Keys(), os.urandom(32).hex()
        self.upstream = Upstream(self.keys)
        self.running = self.start()

    def start(self, upstreams=None, enter=(), **settings):
        return Gateway(self.folder, upstreams or [self.upstream.port], self.caller_key, settings, enter)

    @contextmanager
    def gateway(self, upstreams=None, ready=True, **settings):
        gateway = self.start(upstreams, **settings)
        try:
            yield gateway.wait(ready)
        finally:
            gateway.stop()

    def close(self):
        self.running.stop()
        self.upstream.shutdown()
        self.upstream.server_close()
        shutil.rmtree(self.folder)
