"""Partners' back ends over TLS: asked by their own name, believed by their certificate and by nothing else."""
import json
import os
import ssl

import pytest

from support.certificates import write_certificate
from support.edge import CONTRACTS, Bench, Upstream
from support.waiting import eventually

METER = "/c_a944/acqua/v1/meters/42"


@pytest.fixture(scope="module")
def bench():
    bench = Bench()
    bench.running.wait()
    yield bench
    bench.close()


def secure(upstream, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    upstream.socket = context.wrap_socket(upstream.socket, server_side=True, do_handshake_on_connect=False)
    return upstream


@pytest.fixture
def utility(bench, tmp_path):
    write_certificate(tmp_path, "utility", "localhost")
    utility = secure(Upstream(bench.keys), tmp_path / "utility.pem")
    yield utility
    utility.close()


@pytest.fixture
def start(bench, tmp_path):
    """A gateway with the partner's contract that leads to https://HOST."""
    def start(host, authority=tmp_path / "utility.pem"):
        folder = tmp_path / "openapi"
        (folder / "partners").mkdir(parents=True)
        for contract in [*bench.folder.glob("*.yaml")]:
            (folder / contract.name).write_text(contract.read_text())
        text = (CONTRACTS / "partners/acqua.yaml").read_text().replace("UPSTREAM", f"'https://{host}'")
        (folder / "partners/acqua.yaml").write_text(text.replace("x-tenant", "x-caller: none\nx-tenant"))
        return bench.gateway(PORTICO_CONTRACTS=str(folder), PORTICO_PARTNER_CA=str(authority))
    return start


def test_asked_over_one_connection_by_its_own_name(bench, start, utility):
    connections = set()

    def answer_and_note(connection, request):
        connections.add(connection.client_address)
        connection.send(200, b"{}")
    utility.script = answer_and_note
    with start(f"localhost:{utility.port}") as gateway:
        for i in range(6):
            answer = gateway.ask("GET", METER, {"X-Mine": str(i)}, token=bench.keys.token())
            assert answer.status == 200, answer.body
        headers = dict(utility.seen[0]["headers"])
        assert headers["Host"] == f"localhost:{utility.port}" and headers["X-Forwarded-Host"] == "gateway.example"
        assert len(connections) <= 2      # one for each worker that was asked, kept open


def test_large_answers_and_ends_of_connections(bench, start, utility):
    body = os.urandom(2_000_000)
    utility.script = lambda connection, request: connection.send(200, body, Connection="close")
    with start(f"localhost:{utility.port}") as gateway:
        for _ in range(3):
            answer = gateway.ask("GET", METER, token=bench.keys.token())
            assert answer.status == 200 and answer.body == body


def test_an_answer_that_just_ends_was_cut(bench, start, utility):
    """Without a length, and without the end that TLS tells (close_notify), the last byte is not known to be the last."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"

    def whole(connection, request):
        connection.raw(head + b"{}")
        connection.close_connection = True
        connection.connection.unwrap()

    def cut(connection, request):
        connection.raw(head + b'{"half":')
        connection.hang_up()
    with start(f"localhost:{utility.port}") as gateway:
        utility.script = whole
        assert gateway.ask("GET", METER, token=bench.keys.token()).body == b"{}"
        utility.script = cut
        try:
            answer = gateway.ask("GET", METER, token=bench.keys.token())
        except ValueError:      # it began, and its last chunk never comes
            answer = None
        assert answer is None


def refused(gateway, bench, utility, reason):
    answer = gateway.ask("GET", METER, token=bench.keys.token())
    assert (answer.status, answer.slug) == (503, "unavailable")
    assert eventually(lambda: "TLS with a back end fails" in gateway.log.read_text())
    line = next(json.loads(line) for line in gateway.log.read_text().splitlines() if "TLS with a back end fails" in line)
    assert line["service"] == "partners/acqua" and reason in line["reason"]
    assert not utility.seen
    assert gateway.ask("GET", "/echo/v1/open").status == 200


def test_a_certificate_of_another_name_is_refused(bench, start, utility, tmp_path):
    write_certificate(tmp_path, "utility", "acqua.example")
    other = secure(Upstream(bench.keys), tmp_path / "utility.pem")
    try:
        with start(f"localhost:{other.port}") as gateway:
            refused(gateway, bench, other, "hostname mismatch")
    finally:
        other.close()


def test_a_certificate_that_nobody_vouches_for_is_refused(bench, start, utility, tmp_path):
    write_certificate(tmp_path, "other", "localhost")
    with start(f"localhost:{utility.port}", authority=tmp_path / "other.pem") as gateway:
        refused(gateway, bench, utility, "self-signed certificate")


def test_a_back_end_without_tls_is_refused(bench, start, tmp_path, utility):
    def answer_at_once(connection, address):
        connection.recv(65536)          # no line of HTTP, and perhaps without any end of a line
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    bare = Upstream(bench.keys)
    bare.finish_request = answer_at_once
    try:
        with start(f"localhost:{bare.port}") as gateway:
            refused(gateway, bench, bare, "wrong version number")
    finally:
        bare.close()


def test_authorities_that_cannot_be_read_are_said(bench, start, tmp_path):
    with pytest.raises(AssertionError, match="holds no certificates of authorities"):
        with start("localhost:1", authority=tmp_path / "nothing.pem"):
            pass
