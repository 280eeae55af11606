"""Tokens at the gateway: which pass and which must not, keys that come and go, what was revoked."""
import hashlib
import hmac
import json
import secrets
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support import clients, tokens
from support.edge import Keys, Upstream, Wire, b64, free_port, sign
from support.oauth import Browser
from support.waiting import eventually


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


def key_fetches(upstream):
    return sum(seen["path"] == "/jwks.json" for seen in upstream.asked)


def test_unknown_keys_make_few_fetches(bench, token):
    """A storm of tokens of keys that nobody has: the keys are fetched again, not more than once in 5 seconds; they are the same, so no
    worker forgets the tokens that it knows."""
    keys = Upstream(bench.keys)
    with bench.gateway(PORTICO_JWKS_URL=f"http://127.0.0.1:{keys.port}/jwks.json", PORTICO_WORKERS="1") as stormy:
        known, begun = token(), time.monotonic()
        assert stormy.ask("GET", "/echo/v1/things/7", token=known).status == 200
        misses = lambda: stormy.metric("portico_gateway_tokens_total", found="signature")
        before, odd = misses(), 0
        while key_fetches(keys) < 3:
            assert time.monotonic() - begun < 30
            assert stormy.ask("GET", "/echo/v1/things/7", token=token(headers={"kid": f"odd-{odd}"})).status == 401
            odd += 1
            time.sleep(0.01)
        assert time.monotonic() - begun >= 2 * 5 - 1
        assert stormy.ask("GET", "/echo/v1/things/7", token=known).status == 200
        assert misses() - before == odd, "the known token was verified again"
        assert stormy.log.read_text().count("identity's keys are loaded") == 1
    keys.close()


def test_keys_cannot_be_fetched_for_a_while(bench, token):
    """The old ones go on; new ones are found when identity is back."""
    port = free_port()
    keys = Upstream(bench.keys, port)
    with bench.gateway(PORTICO_JWKS_URL=f"http://127.0.0.1:{port}/jwks.json") as lonely:
        keys.close()
        lonely.reload()         # asks for the keys
        eventually(lambda: "identity's keys cannot be fetched" in lonely.log.read_text())
        assert lonely.ask("GET", "/echo/v1/things/7", token=token("rs")).status == 200
        assert lonely.ask("GET", "/readyz").status == 200
        others = Keys()
        others.private, others.algorithms = {"new": others.private["es"]}, {"new": "ES256"}
        back = Upstream(others, port)
        eventually(lambda: lonely.ask("GET", "/echo/v1/things/7", token=others.token("new")).status == 200)
        assert lonely.ask("GET", "/echo/v1/things/7", token=token("rs")).status == 401
        back.close()


def test_a_key_that_is_withdrawn_ends_its_tokens(bench, token):
    """Also those that were verified before."""
    own = Keys()
    keys = Upstream(own)
    with bench.gateway(PORTICO_JWKS_URL=f"http://127.0.0.1:{keys.port}/jwks.json") as strict:
        leaked, other = own.token("rs"), own.token("es")
        wires = [strict.wire() for _ in range(8)]
        assert statuses_on(wires, leaked) == statuses_on(wires, other) == [200] * 8
        del own.private["rs"]
        strict.reload()
        eventually(lambda: statuses_on(wires, leaked) == [401] * 8)
        assert statuses_on(wires, other) == [200] * 8
        for wire in wires:
            wire.__exit__()
    keys.close()


def test_a_token_that_comes_too_early_is_good_later(gateway, token):
    early = token(nbf=int(time.time()) + 7)
    assert gateway.ask("GET", "/echo/v1/things/7", token=early).status == 401
    eventually(lambda: gateway.ask("GET", "/echo/v1/things/7", token=early).status == 200)


def test_forged_tokens_of_one_address_are_limited(bench, token):
    """A signature that does not hold costs as much as one that does: past a number of them unknown tokens are not looked at."""
    with bench.gateway(PORTICO_LIMIT_FORGED="5", PORTICO_WORKERS="1") as strict:
        ask = lambda bearer: strict.ask("GET", "/echo/v1/things/7", token=bearer)
        known, forged = token(), foreign(bench)
        assert ask(known).status == 200
        assert [ask(forged).status for _ in range(20)] == [401] * 20                    # one that is known to be forged costs nothing
        assert [ask(token(exp=1)).status for _ in range(20)] == [401] * 20              # nor does what is only wrong count
        assert [ask(foreign(bench)).status for _ in range(6)] == [401] * 4 + [429] * 2
        answer = ask(token())
        assert (answer.slug, answer.json()["detail"]) == ("too-many-requests", "this address sends tokens whose signature does not hold")
        assert 1 <= int(answer["Retry-After"]) <= 12
        assert ask(known).status == 200 and ask(forged).status == 401
        assert strict.ask("GET", "/echo/v1/open").status == 200


# ---- Revocation

SESSION = {"kind": "session", "revokedAt": "2026-11-21T09:30:00Z"}


def statuses_on(wires, token):
    request = f"GET /echo/v1/things/7 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    return [wire.send(request).answer().status for wire in wires]


@pytest.fixture
def revoked(upstream, gateway):
    """Ids that no other test has: what is revoked stays so."""
    return upstream.revoked.append


def test_a_revoked_session_is_refused_by_every_worker(bench, gateway, token, revoked):
    good, other = token(sid="s-1"), token(sid="s-2")
    wires = [gateway.wire() for _ in range(12)]
    try:
        for _ in range(2):              # in the cache of each worker
            assert statuses_on(wires, good) == [200] * 12
        revoked({**SESSION, "id": "s-1"})
        eventually(lambda: statuses_on(wires, good) == [401] * 12, within=5)
        answer = gateway.ask("GET", "/echo/v1/things/7", token=good)
        assert answer["WWW-Authenticate"] == 'Bearer error="invalid_token", error_description="the token was revoked"'
        assert gateway.ask("GET", "/echo/v1/things/7", token=token(sid="s-1", iat=int(time.time()) + 3)).status == 401
        assert gateway.ask("GET", "/echo/v1/open", token=good).status == 401
        assert statuses_on(wires, other) == [200] * 12
    finally:
        for wire in wires:
            wire.__exit__()


@pytest.mark.parametrize("kind, claim", [("client", "client_id"), ("subject", "sub"), ("subject", "act")])
def test_tokens_from_before_are_refused_and_later_ones_are_not(gateway, token, revoked, kind, claim):
    now, name = int(time.time()), f"revoked-{kind}-{claim}"
    before, after, other = token(iat=now - 10, **{claim: name}), token(iat=now, **{claim: name}), token(iat=now - 10)
    assert gateway.ask("GET", "/echo/v1/things/7", token=before).status == 200
    revoked({"kind": kind, "id": name, "revokedAt": "2026-11-21T09:30:00Z", "notBefore": now})
    eventually(lambda: gateway.ask("GET", "/echo/v1/things/7", token=before).status == 401, within=5)
    assert gateway.ask("GET", "/echo/v1/things/7", token=after).status == 200
    assert gateway.ask("GET", "/echo/v1/things/7", token=other).status == 200


def test_what_was_revoked_before_the_start_is_known(bench, upstream, token):
    upstream.revoked += [{**SESSION, "id": f"old-{n}"} for n in range(2100)]      # three pages
    with bench.gateway() as late:
        assert late.ask("GET", "/echo/v1/things/7", token=token(sid="old-0")).status == 401
        assert late.ask("GET", "/echo/v1/things/7", token=token(sid="old-2099")).status == 401
        assert late.ask("GET", "/echo/v1/things/7", token=token(sid="old-2100")).status == 200
        assert late.metric("portico_gateway_revocations") == len({(i["kind"], i["id"]) for i in upstream.revoked})


def test_how_the_revocations_are_asked_for(bench, gateway, upstream):
    eventually(lambda: len([seen for seen in upstream.asked if seen["path"].startswith("/revocations?after=")]) > 2)
    seen = [seen for seen in upstream.asked if seen["path"].startswith("/revocations?after=")][-1]
    fields = dict(seen["headers"])
    assert json.loads(fields["Portico-Caller"]) == {"kind": "service", "client": "gateway", "scope": "service"}
    stamp = fields["Portico-Signature"].split(",")[0].removeprefix("t=")
    signed = f"{fields['Portico-Caller']}\nGET\n/revocations\n{stamp}"
    assert fields["Portico-Signature"].split("v=")[1] == hmac.new(bench.caller_key.encode(), signed.encode(), hashlib.sha256).hexdigest()


def test_identity_gone_and_back(bench, gateway, upstream, token):
    """What is known stays, one line is logged, the age of what is known is told; then it goes on where it was."""
    port = free_port()
    feed = Upstream(bench.keys, port)
    feed.revoked.append({**SESSION, "id": "gone-1"})
    with bench.gateway(PORTICO_REVOCATIONS_URL=f"http://127.0.0.1:{port}/revocations") as lonely:
        assert lonely.ask("GET", "/echo/v1/things/7", token=token(sid="gone-1")).status == 401
        feed.close()
        eventually(lambda: "identity's revocations cannot be fetched" in lonely.log.read_text())
        eventually(lambda: lonely.metric("portico_gateway_revocations_age_seconds") >= 2)
        assert lonely.ask("GET", "/echo/v1/things/7", token=token(sid="gone-1")).status == 401
        assert lonely.ask("GET", "/echo/v1/things/7", token=token(sid="gone-2")).status == 200
        back = Upstream(bench.keys, port)
        back.revoked += [{**SESSION, "id": "gone-1"}, {**SESSION, "id": "gone-2"}]
        eventually(lambda: lonely.ask("GET", "/echo/v1/things/7", token=token(sid="gone-2")).status == 401)
        assert lonely.log.read_text().count("cannot be fetched") == lonely.log.read_text().count("are followed again") == 1
        assert back.asked[0]["path"] == "/revocations?after=1-1"
        back.close()


@pytest.mark.parametrize("answer", [b"", b"{}", b"[]", b'{"items": [], "next": "1&x=2"}', b'{"items": [], "next": 1}',
                                    b'{"items": {}, "next": "1-1"}', b'{"items": [], "next": "%s"}' % (b"1" * 100)])
def test_answers_that_are_none_change_nothing(bench, token, answer):
    feed = Upstream(bench.keys)
    feed.tell = answer
    with bench.gateway(PORTICO_REVOCATIONS_URL=f"http://127.0.0.1:{feed.port}/revocations") as careful:
        eventually(lambda: len(feed.asked) > 2)
        assert {seen["path"] for seen in feed.asked} == {"/revocations"}
        assert careful.ask("GET", "/echo/v1/things/7", token=token()).status == 200
        feed.tell = json.dumps({"items": ["x", {"kind": "session"}, {"kind": "x", "id": "a"}, {"kind": "client", "id": "c"},
                                          {"kind": "subject", "id": 7, "notBefore": 1}, {"kind": "session", "id": "a" * 201},
                                          {**SESSION, "id": "odd-1"}], "next": "7-1"}).encode()
        eventually(lambda: careful.ask("GET", "/echo/v1/things/7", token=token(sid="odd-1")).status == 401)
        assert careful.metric("portico_gateway_revocations") == 1
    feed.close()


# ---- On the whole suite: from the end of a session to the refusal of its token

def seconds_until_refused(stack, token, path, revoke):
    """Over connections to all workers, which have the token in their caches when it is revoked."""
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    wires = [Wire(stack.port("gateway")) for _ in range(16)]
    ask = lambda: {wire.send(request).answer().status for wire in wires}
    try:
        assert ask() == {200}
        revoke()
        begun = time.monotonic()
        eventually(lambda: ask() == {401}, within=5, every=0.01)
        return time.monotonic() - begun
    finally:
        for wire in wires:
            wire.__exit__()


def test_an_ended_session_is_refused_within_a_second(stack):
    taken = []
    for _ in range(5):
        browser = Browser(stack)
        given = browser.tokens()
        form = {"client_id": "demo-area", "token": given["refresh_token"]}
        taken.append(seconds_until_refused(stack, given["access_token"], "/identity/v1/me",
                                           lambda: browser.post("/identity/v1/revoke", data=form, expect=200)))
    print("ended sessions were refused everywhere after", ", ".join(f"{seconds:.2f} s" for seconds in taken))


def test_a_suspended_client_is_refused_and_comes_back(stack):
    name, path = f"spare-{secrets.token_hex(4)}", "/payments/v1/positions"
    stack.sql("identity", f"INSERT INTO clients (tenant_id, id, name, kind, secret_sha256, scopes) VALUES ('c_a944', '{name}', 'Prova', "
                          f"'partner', sha256('x'), '{{partner:positions}}')")
    caller = clients.Partner(stack.url(), name, "x", "c_a944", "partner:positions")
    try:
        suspend = "UPDATE clients SET suspended_at = now() WHERE id = '%s'" % name
        taken = seconds_until_refused(stack, tokens.good(caller), path, lambda: stack.sql("identity", suspend))
        print(f"a suspended client was refused everywhere after {taken:.2f} s")
        stack.sql("identity", f"UPDATE clients SET suspended_at = NULL WHERE id = '{name}'")
        assert caller.get(path).status_code == 401
        again = lambda: clients.Partner(stack.url(), name, "x", "c_a944", "partner:positions").get(path)
        eventually(lambda: again().status_code == 200, within=10, every=0.5)     # of those that are given out from now on
    finally:
        stack.sql("identity", f"DELETE FROM clients WHERE id = '{name}'")
