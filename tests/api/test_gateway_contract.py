"""What the gateway does by contract: paths, parameters, media types, levels of login, partners, documentation."""
import pytest

ID = "0192f0a1-7c3e-7d9a-8b1e-0242ac120002"
MEASURED = f"/echo/v1/measured/{ID}?year=2026"


# ---- Parameters

RIGHT = {
    "the least": MEASURED,
    "all of them": MEASURED + "&limit=100&after=abc.DEF_~:-9&states=draft,closed&whole=true&text=ab&ratio=0.5",
    "encoded": f"/echo/v1/measured/{ID.upper().replace('A', '%41')}?y%65ar=%32026&text=a+b%2Cc%26&states=draft%2Cclosed",
    "letters beyond ASCII": MEASURED + "&text=citt%C3%A0",
    "letters beyond ASCII are counted as letters": MEASURED + "&text=" + "%C3%A0" * 700,
    "a long one": MEASURED + "&text=" + "a" * 700,
    "an ampersand at the end": MEASURED + "&",
    "a parameter without a value is as good as absent": MEASURED + "&limit",
    "the bounds": MEASURED.replace("2026", "2000"),
    "a number that is no integer": MEASURED + "&ratio=-12.5e-3",
    "what is not declared, where that is allowed": "/echo/v1/lenient?color=red&color=blue&year=2999",
}
WRONG = {
    "no uuid": ("/echo/v1/measured/7?year=2026", [("id", "path", "minLength"), ("id", "path", "format")]),
    "a uuid with a letter beyond f": (f"/echo/v1/measured/{ID[:-1]}g?year=2026", [("id", "path", "format")]),
    "not declared": (MEASURED + "&color=red", [("color", "query", "unknown")]),
    "not declared, without a value": (MEASURED + "&color", [("color", "query", "unknown")]),
    "not declared by its case": (MEASURED + "&Limit=1", [("Limit", "query", "unknown")]),
    "an empty name": (MEASURED + "&=1", [("", "query", "unknown")]),
    "an empty part": (MEASURED + "&&limit=1", [("", "query", "unknown")]),
    "repeated": (MEASURED + "&limit=1&limit=1", [("limit", "query", "repeated")]),
    "repeated under another spelling": (MEASURED + "&%79ear=2026", [("year", "query", "repeated")]),
    "missing": (f"/echo/v1/measured/{ID}", [("year", "query", "required")]),
    "missing its value": (f"/echo/v1/measured/{ID}?year", [("year", "query", "required")]),
    "empty": (MEASURED + "&limit=", [("limit", "query", "type")]),
    "below": (MEASURED + "&limit=0", [("limit", "query", "minimum")]),
    "above": (MEASURED + "&limit=101", [("limit", "query", "maximum")]),
    "no integer": (MEASURED + "&limit=1.0", [("limit", "query", "type")]),
    "a leading zero": (MEASURED + "&limit=07", [("limit", "query", "type")]),
    "a plus sign": (MEASURED + "&limit=%2B7", [("limit", "query", "type")]),
    "larger than any integer": (MEASURED + "&limit=" + "9" * 30, [("limit", "query", "type")]),
    "no boolean": (MEASURED + "&whole=True", [("whole", "query", "type")]),
    "no such value": (MEASURED + "&states=draft,open", [("states", "query", "enum")]),
    "too many items": (MEASURED + "&states=draft,closed,draft", [("states", "query", "maxItems")]),
    "an empty item": (MEASURED + "&states=draft,", [("states", "query", "enum")]),
    "no item": (MEASURED + "&states=", [("states", "query", "minItems")]),
    "too short": (MEASURED + "&text=a", [("text", "query", "minLength")]),
    "too short, counted as letters": (MEASURED + "&text=%C3%A0", [("text", "query", "minLength")]),
    "too long": (MEASURED + "&text=" + "a" * 701, [("text", "query", "maxLength")]),
    "against its pattern": (MEASURED + "&after=a%20b", [("after", "query", "pattern")]),
    "no number": (MEASURED + "&ratio=1e", [("ratio", "query", "type")]),
    "several": ("/echo/v1/measured/7?limit=0&color=red&after=%3B", [
        ("color", "query", "unknown"), ("id", "path", "minLength"), ("id", "path", "format"), ("limit", "query", "minimum"),
        ("after", "query", "pattern"), ("year", "query", "required")]),
    "declared, where others are ignored": ("/echo/v1/lenient?color=red&year=1999", [("year", "query", "minimum")]),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_parameters(gateway, upstream, name):
    assert gateway.ask("GET", RIGHT[name]).status == 200
    assert upstream.seen[0]["path"] == RIGHT[name]


@pytest.mark.parametrize("name", WRONG)
def test_wrong_parameters(gateway, upstream, name):
    target, expected = WRONG[name]
    answer = gateway.ask("GET", target)
    assert (answer.status, answer.slug) == (400, "invalid-request")
    errors = answer.json()["errors"]
    assert [(error["parameter"], error["in"], error["code"]) for error in errors] == expected
    assert answer.json()["detail"] == f"The request breaks the contract in {len(errors)} place{'s' * (len(errors) != 1)}."
    assert answer.json()["instance"] == target.partition("?")[0] and not upstream.seen


@pytest.mark.parametrize("query", ["&text=%zz", "&te%xt=ab", "&text=ab%4", "&limit=1%", "&text=%C3%28"])
def test_queries_with_two_readings(gateway, upstream, query):
    assert gateway.ask("GET", MEASURED + query).slug == "malformed-request"
    assert not upstream.seen


def test_header_parameters(gateway):
    assert gateway.ask("GET", MEASURED, {"if-match": '"7"'}).status == 200
    for value, code in (("", "minLength"), ('"12345678"', "maxLength")):
        answer = gateway.ask("GET", MEASURED, {"If-Match": value})
        assert [(error["parameter"], error["in"], error["code"]) for error in answer.json()["errors"]] == [("If-Match", "header", code)]


def test_the_right_to_call_comes_first(gateway, token):
    """Who may not call learns nothing of what the contract asks for."""
    assert gateway.ask("GET", "/echo/v1/things/7?color=red").status == 401
    assert gateway.ask("GET", "/echo/v1/things/7?color=red", token=token(scope="messages")).status == 403
    assert gateway.ask("GET", "/echo/v1/things/7?color=red", token=token()).status == 400


# ---- Media types

@pytest.mark.parametrize("accept, status", [
    (None, 200), ("*/*", 200), ("application/json", 200), ("text/*;q=0.5", 200), ("nonsense", 200), ("", 200),
    ("text/html", 406), ("application/problem+json", 406), ("*/*;q=0", 406)])
def test_accept(gateway, upstream, accept, status):
    answer = gateway.ask("GET", "/echo/v1/typed", {} if accept is None else {"Accept": accept})
    assert answer.status == status
    if status == 406:
        assert answer.slug == "not-acceptable" and not upstream.seen


def test_accept_in_several_fields(gateway):
    with gateway.wire() as wire:
        ask = "GET /echo/v1/typed HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nAccept: "
        assert wire.send(ask + "image/png\r\n\r\n").answer().status == 406
        assert wire.send(ask + "text/csv\r\n\r\n").answer().status == 200


def test_accept_where_there_is_nothing_to_choose_from(gateway):
    assert gateway.ask("GET", "/echo/v1/open", {"Accept": "text/html"}).status == 200


# ---- Paths

def test_sibling_operations_stay_invisible(gateway, token):
    """Also where a more general path would take them."""
    assert gateway.ask("GET", "/echo/v1/secret", token=token()).slug == "not-found"
    assert gateway.ask("GET", "/echo/v1/things/hidden", token=token()).slug == "not-found"
    assert gateway.ask("GET", "/echo/v1/things/visible", token=token()).status == 200
    assert gateway.ask("OPTIONS", "/echo/v1/things/hidden").slug == "not-found"


def test_two_contracts_that_claim_the_same_paths(bench):
    twin = (bench.folder / "echo.yaml").read_text().replace("/echo/v1", "/echo")
    (bench.folder / "twin.yaml").write_text(twin)
    upstream = f"127.0.0.1:{bench.upstream.port}"
    try:
        refused = bench.start(PORTICO_UPSTREAMS=f"echo={upstream},twin={upstream}")
        assert refused.process.wait(timeout=10) == 78
        assert refused.log.read_text() == "echo and twin claim the same paths: /echo/v1 and /echo\n"
    finally:
        (bench.folder / "twin.yaml").unlink()
