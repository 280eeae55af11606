"""The corpora of tests/corpus: how a request and what becomes of it are written down there."""
from .contracts import ROOT

CORPUS = ROOT / "tests/corpus"
OWN = ("x-request-id", "traceparent", "x-forwarded-for", "x-forwarded-proto", "portico-caller", "portico-signature")


def bytes_of(what):
    if isinstance(what, str):
        return what.encode("latin-1")
    if isinstance(what, dict):
        return bytes_of(what["of"]) * what["times"]
    return b"".join(map(bytes_of, what))


class Outcome:
    """What becomes of one request: refused, answered or forwarded."""

    def __init__(self, said, data):
        if said == "forwarded":
            said = {"forwarded": data.lstrip(b"\r\n").split(b" HTTP/1.")[0].decode()}
        if isinstance(said, str):
            self.kind, *rest = said.split()
            self.status = int(rest[0]) if rest else None
            self.head = rest[1:] == ["HEAD"]
            assert self.kind in ("refused", "answered"), said
            return
        assert set(said) <= {"forwarded", "body", "fields", "without"}, said
        self.kind, self.status = "forwarded", 200
        self.method, self.target = said["forwarded"].split(" ")
        self.head = self.method == "HEAD"
        self.body = bytes_of(said.get("body", ""))
        self.fields = {name.lower(): values if isinstance(values, list) else [values]
                       for name, values in said.get("fields", {}).items()}
        self.without = [name.lower() for name in said.get("without", [])]


def check_fields(outcome, fields):
    """fields are pairs of name and value, as the service has read them."""
    values = {}
    for name, value in fields:
        values.setdefault(name.lower(), []).append(value)
    for name in OWN + ("host",):
        assert len(values.get(name, [])) == 1, f"{name} stands {len(values.get(name, []))} times"
    assert len(values.get("content-length", []) + values.get("transfer-encoding", [])) <= 1
    for name, expected in outcome.fields.items():
        assert values.get(name) == expected, name
    assert not [name for name in outcome.without if name in values]
