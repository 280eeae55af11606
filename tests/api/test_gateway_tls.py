"""TLS in front of the gateway: which certificate, which protocol, sessions that go on, certificates that change under way."""
import http.client
import json
import os
import re
import signal
import socket
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from support.certificates import write_certificate
from support.edge import Bench, Wire, free_port
from support.waiting import eventually


@pytest.fixture(scope="module")
def bench():
    bench = Bench()
    bench.running.wait()
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def gateway(bench, folder):
    serials = {"area": write_certificate(folder, "1-area", "area.example"), "wild": write_certificate(folder, "2-wild", "*.bo.example")}
    port = free_port()
    with bench.gateway(PORTICO_TLS_LISTEN=f"127.0.0.1:{port}", PORTICO_TLS_CERTIFICATES=str(folder)) as gateway:
        gateway.tls_port, gateway.serials = port, serials
        yield gateway


@pytest.fixture(autouse=True)
def plain_upstream(bench):
    bench.upstream.script = None
    bench.upstream.seen.clear()


def client_context(protocols=("http/1.1",), **versions):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    for name, version in versions.items():
        setattr(context, name, version)
    return context


def connect(gateway, context=None, name="area.example", session=None):
    return (context or client_context()).wrap_socket(
        socket.create_connection(("127.0.0.1", gateway.tls_port), 10), server_hostname=name, session=session)


def get(connection, path="/echo/v1/open", close=False):
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: area.example\r\n{'Connection: close' if close else 'A: b'}\r\n\r\n".encode())
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status, answer.read(), answer


def serial(connection):
    return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True)).serial_number


def test_a_request_over_tls(gateway, bench):
    with connect(gateway) as connection:
        assert connection.version() == "TLSv1.3"
        for _ in range(3):
            status, body, answer = get(connection)
            assert status == 200
            assert ["X-Forwarded-Proto", "https"] in json.loads(body)["headers"]
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    status, _, answer = get(socket.create_connection(("127.0.0.1", gateway.port)), close=True)
    assert status == 200 and answer.headers["Strict-Transport-Security"] is None


@pytest.mark.parametrize("name, expected", [
    ("area.example", "area"), ("desk.bo.example", "wild"), ("a.b.bo.example", "area"), ("unknown.example", "area"), (None, "area")])
def test_the_certificate_is_that_of_the_host_name(gateway, name, expected):
    with connect(gateway, name=name) as connection:
        assert serial(connection) == gateway.serials[expected]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed(gateway, version):
    context = client_context(minimum_version=version, maximum_version=version)
    with connect(gateway, context) as first:
        get(first)      # a ticket of TLS 1.3 comes with the first bytes
        session = first.session
        assert not first.session_reused
    with connect(gateway, context, session=session) as second:
        assert second.session_reused
        assert get(second)[0] == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_and_weak_ciphers_are_refused(gateway):
    old = client_context(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
    old.set_ciphers("ALL:@SECLEVEL=0")
    weak = client_context(maximum_version=ssl.TLSVersion.TLSv1_2)
    weak.set_ciphers("AES128-SHA:AES256-GCM-SHA384:@SECLEVEL=0")     # neither has forward secrecy
    for context in (old, weak):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            connect(gateway, context)
    with connect(gateway, client_context(maximum_version=ssl.TLSVersion.TLSv1_2)) as good:
        assert get(good)[0] == 200


def test_the_protocol_is_agreed_on(gateway):
    for offered, chosen in ((["h2", "http/1.1"], "h2"), (["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1"), ([], None)):
        with connect(gateway, client_context(offered)) as connection:
            assert connection.selected_alpn_protocol() == chosen
    with pytest.raises((ssl.SSLError, ConnectionError)):     # RFC 7301, section 3.2: no_application_protocol
        connect(gateway, client_context(["spdy/3"]))


def test_what_is_no_tls_ends_the_connection(gateway):
    for garbage in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 100, os.urandom(5000)):
        with Wire(gateway.tls_port) as wire:
            wire.send(garbage)
            assert wire.closed()
    with connect(gateway) as connection:
        assert get(connection)[0] == 200


def test_a_handshake_that_stalls_is_cut(bench, folder):
    port = free_port()
    with bench.gateway(PORTICO_TLS_LISTEN=f"127.0.0.1:{port}", PORTICO_TLS_CERTIFICATES=str(folder), PORTICO_HEADER_TIMEOUT="1"):
        with Wire(port) as wire:
            wire.send(b"\x16\x03\x01\x02\x00\x01")
            assert wire.closed()


def test_large_bodies_both_ways(gateway, bench):
    body = os.urandom(3_000_000)
    bench.upstream.script = lambda connection, request: connection.send(200, request["body"])
    with connect(gateway) as connection:
        connection.sendall(b"PUT /echo/v1/files/1 HTTP/1.1\r\nHost: area.example\r\nContent-Type: application/pdf\r\n"
                           b"Content-Length: %d\r\n\r\n" % len(body))
        connection.sendall(body)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.read() == body


def record(secret, number, kind, content):
    """A record of TLS 1.3 under AES-256-GCM, made by hand from the secret in the client's key log."""
    def expand(label, length):
        info = length.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label + b"\0"
        return HKDFExpand(hashes.SHA384(), length, info).derive(secret)
    plain = content + bytes([kind])
    head = b"\x17\x03\x03" + (len(plain) + 16).to_bytes(2, "big")
    nonce = (int.from_bytes(expand(b"iv", 12), "big") ^ number).to_bytes(12, "big")
    return head + AESGCM(expand(b"key", 32)).encrypt(nonce, plain, head)


def test_half_a_message_of_tls_stops_nobody_else(bench, tmp_path):
    """Behind half a KeyUpdate nothing can be written before its rest has come: that is its sender's loss alone."""
    handshake, application, port = 22, 23, free_port()
    context = client_context(minimum_version=ssl.TLSVersion.TLSv1_3)
    context.keylog_filename = str(tmp_path / "keys")
    write_certificate(tmp_path, "area", "area.example")
    answered = threading.Event()

    def at_once(connection, request):
        connection.send(200, b"{}")
        answered.set()
    at_once.unread = True       # before the body has come
    bench.upstream.script = at_once
    with bench.gateway(PORTICO_TLS_LISTEN=f"127.0.0.1:{port}", PORTICO_TLS_CERTIFICATES=str(tmp_path), PORTICO_WORKERS="1") as gateway:
        gateway.tls_port = port
        with socket.create_connection(("127.0.0.1", port), 10) as wire:
            into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(into, out, server_hostname="area.example")
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    wire.sendall(out.read())
                    into.write(wire.recv(65536))
            log = (tmp_path / "keys").read_text()
            secret = bytes.fromhex(re.search(r"CLIENT_TRAFFIC_SECRET_0 \w+ (\w+)", log)[1])
            assert tls.cipher()[0] == "TLS_AES_256_GCM_SHA384"
            wire.sendall(out.read() + record(secret, 0, application, b"POST /echo/v1/open HTTP/1.1\r\nHost: area.example\r\n"
                         b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n") + record(secret, 1, handshake, b"\x18\0\0\x01"))
            assert answered.wait(10)
            for _ in range(2):
                assert gateway.ask("GET", "/echo/v1/open").status == 200
            wire.sendall(record(secret, 2, handshake, b"\0"))     # the rest, which asks for nothing
            while True:
                try:
                    assert tls.read(100).startswith(b"HTTP/1.1 200 ")
                    break
                except ssl.SSLWantReadError:
                    into.write(wire.recv(65536))


def test_certificates_are_reloaded_without_dropping_a_connection(gateway, folder):
    context = client_context()
    with connect(gateway, context) as old:
        get(old)
        session = old.session
        fresh = write_certificate(folder, "1-area", "area.example")
        os.kill(gateway.process.pid, signal.SIGHUP)

        def served():
            with connect(gateway) as connection:
                return serial(connection)
        assert eventually(lambda: served() == fresh)
        assert get(old)[0] == 200 and serial(old) == gateway.serials["area"]
        with connect(gateway, context, session=session) as resumed:
            assert resumed.session_reused
    gateway.serials["area"] = fresh


def test_the_end_of_the_certificates_is_told(bench, folder):
    port = free_port()
    write_certificate(folder, "9-soon", "soon.example", days=3)
    try:
        with bench.gateway(PORTICO_TLS_LISTEN=f"127.0.0.1:{port}", PORTICO_TLS_CERTIFICATES=str(folder)) as gateway:
            page = gateway.ask("GET", "/metrics").body.decode()
            end = float(re.search(r"(?m)^portico_gateway_certificates_end_seconds\S* (\S+)", page)[1])
            assert 2.9 * 86400 < end - time.time() < 3.1 * 86400
    finally:
        (folder / "9-soon.pem").unlink()


def test_a_broken_certificate_is_refused_and_the_old_one_stays(gateway, folder):
    (folder / "3-broken.pem").write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    try:
        os.kill(gateway.process.pid, signal.SIGHUP)
        assert eventually(lambda: "3-broken.pem is not a private key with its certificate chain" in gateway.log.read_text())
        with connect(gateway) as connection:
            assert serial(connection) == gateway.serials["area"] and get(connection)[0] == 200
    finally:
        (folder / "3-broken.pem").unlink()


def test_it_does_not_start_without_certificates(bench, tmp_path):
    gateway = bench.start(PORTICO_TLS_LISTEN=f"127.0.0.1:{free_port()}", PORTICO_TLS_CERTIFICATES=str(tmp_path))
    assert gateway.process.wait(10) == os.EX_CONFIG
    assert "has no file NAME.pem" in gateway.log.read_text()


def test_connections_end_well_when_the_gateway_stops(bench, folder):
    """A request that is under way over TLS when SIGTERM comes is answered; then the peer is told the end (close_notify)."""
    port = free_port()
    with bench.gateway(PORTICO_TLS_LISTEN=f"127.0.0.1:{port}", PORTICO_TLS_CERTIFICATES=str(folder)) as gateway:
        gateway.tls_port = port

        def slowly(connection, request):
            time.sleep(0.7)
            connection.send(200, b"{}")
        bench.upstream.script = slowly
        with connect(gateway) as connection:
            connection.sendall(b"GET /echo/v1/open HTTP/1.1\r\nHost: area.example\r\n\r\n")
            assert eventually(lambda: bench.upstream.seen)
            gateway.terminate()
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert answer.status == 200 and answer.read() == b"{}"
            assert connection.recv(1) == b""
