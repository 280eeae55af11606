"""libmicrohttpd as a service behind a gateway (tests/peers/mirror): what it has understood, held against what was sent, and requests
made up at random to send."""
import hashlib
import shutil
import subprocess
import urllib.parse
from pathlib import Path

from .corpus import CORPUS, OWN
from .edge import Wire, binary


class Mirror:
    """tests/peers/mirror behind a gateway of its own: one worker, so that all requests share a few connections to it."""

    def __init__(self, bench, **settings):
        shutil.copy(CORPUS / "mirror.yaml", bench.folder)
        build = Path(binary()).parents[1]
        subprocess.run(["cmake", "--build", build, "--target", "mirror"], check=True, stdout=subprocess.DEVNULL)
        self.process = subprocess.Popen([build / "bin/mirror"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.gateway = bench.start(PORTICO_UPSTREAMS=f"mirror=127.0.0.1:{self.port}", PORTICO_WORKERS="1",
                                   **settings).wait()

    def understood(self):
        """How many requests have had a head, and how many an end."""
        with Wire(self.port) as wire:
            answer = wire.send("GET /understood HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").answer().json()
        return answer["begun"], answer["complete"]

    def close(self):
        self.gateway.stop()
        self.process.stdin.close()
        assert self.process.wait(20) == 0


def query_of(target):
    """As the gateway reads a query, and as libmicrohttpd should."""
    pairs = []
    for part in target.partition("?")[2].removesuffix("&").split("&"):
        name, separator, value = part.partition("=")
        decoded = [urllib.parse.unquote_to_bytes(text.replace("+", " ")).decode("latin-1") for text in (name, value)]
        pairs.append([decoded[0], decoded[1] if separator else None])
    return pairs if target.partition("?")[2] else []


def check_understood(told, method, target, body):
    assert (told["method"], told["uri"], told["version"]) == (method, target, "HTTP/1.1")
    assert told["path"] == urllib.parse.unquote_to_bytes(target.partition("?")[0]).decode("latin-1")
    assert told["query"] == query_of(target)
    assert (told["length"], told["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    assert told["trailers"] == []


TOKEN = "!#$%&'*+-.^`|~" + "".join(map(chr, [*range(48, 58), *range(65, 91), *range(97, 123)]))
VISIBLE = "".join(map(chr, [*range(33, 127), *range(160, 256)]))
SEGMENT = "abcXYZ019-._~!$&'()*+,;=:@"


class Made:
    """One request with a body or without, and what is to be understood of it."""

    def __init__(self, chance):
        self.chance = chance
        self.method = chance.choice(["GET", "PUT", "DELETE", "POST", "PUT"])
        self.target = "/m/v1/open" if self.method == "POST" else "/m/v1/files/x" + self.some(SEGMENT, 20, encoded=True)
        if self.method in ("GET", "POST") and chance.random() < 0.6:
            self.target = self.target.replace("%", "%25") + "?" + "&".join(
                "q" + self.some("abc0-._~+", 5, encoded=True) + chance.choice(["=", ""]) for _ in range(chance.randrange(4)))
        self.body = chance.randbytes(chance.choice([0, 1, 2, 15, 16, 17, 300, 900]))
        if self.method == "PUT" and chance.random() < 0.2:
            self.body = chance.randbytes(chance.randrange(90000))
        if self.method in ("GET", "DELETE"):
            self.body = b""
        self.fields = [("x" + self.some(TOKEN, 12), self.value()) for _ in range(chance.randrange(8))]
        self.fields.insert(chance.randrange(len(self.fields) + 1), (self.any_case("Host"), "x"))
        if self.method in ("PUT", "POST"):
            kind = "application/json" if self.method == "POST" else "application/octet-stream"
            self.fields.append((self.any_case("Content-Type"), kind))
        self.chunked = bool(self.body) and chance.random() < 0.5

    def some(self, characters, most, encoded=False):
        text = "".join(self.chance.choices(characters, k=self.chance.randrange(most)))
        if encoded:
            text += self.chance.choice(["", "%20", "%C3%A8", "%e2%82%ac", "%41", "%7e"])
        return text

    def value(self):
        return " ".join(filter(None, (self.some(VISIBLE, 20) for _ in range(3)))).strip("\xa0 ")

    def any_case(self, name):
        return self.chance.choice([name, name.lower(), name.upper()])

    def chunks(self):
        data, at = b"", 0
        while at < len(self.body):
            piece = self.body[at:at + self.chance.choice([1, 10, 255, 16384])]
            size = "0" * self.chance.randrange(4) + self.chance.choice(["%x", "%X"]) % len(piece)
            data += size.encode() + self.chance.choice([b"", b";a=b", b';"c"']) + b"\r\n" + piece + b"\r\n"
            at += len(piece)
        return data + b"0\r\n" + self.chance.choice([b"", b"A: b\r\n", b"Content-Length: 3\r\nHost: y\r\n"]) + b"\r\n"

    def bytes(self):
        framing = [(self.any_case("Transfer-Encoding"), "chunked")] if self.chunked else []
        if self.body and not self.chunked:
            framing = [(self.any_case("Content-Length"), str(len(self.body)))]
        fields = self.fields[:]
        for field in framing:
            fields.insert(self.chance.randrange(len(fields) + 1), field)
        space = ["", " ", "\t", "  "]
        lines = [f"{name}:{self.chance.choice(space)}{value}{self.chance.choice(space)}\r\n" for name, value in fields]
        head = f"{self.method} {self.target} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1")
        return head + (self.chunks() if self.chunked else self.body)

    def check(self, told, fields=None):
        """fields: when they were not sent as they are in self.fields."""
        check_understood(told, self.method, self.target, self.body)
        added = OWN + ("content-length", "transfer-encoding")
        passed_on = [field for field in map(tuple, told["fields"])
                     if field[0].lower() not in added and not field[0].startswith("Portico-")]
        assert passed_on == (self.fields if fields is None else fields)
