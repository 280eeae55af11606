"""What the load tests share: the processes that are measured and their CPU time, nginx, HAProxy and the gateway in front of one
upstream, tokens, and where the figures are written down. Everything is on loopback and ends with the Bench."""
import json
import os
import platform
import re
import resource
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support.edge import ISSUER, ROOT, Keys, binary, free_port

HERE = Path(__file__).resolve().parent
RESULTS, BY_HAND = HERE / "RESULTS.md", "## Run by hand"
TICKS = os.sysconf("SC_CLK_TCK")
THING = "/load/v1/things/0192f0a1-7c3e-7d9a-8b1e-0242ac120002?view=full"
BODY = json.dumps({"id": "0192f0a1-7c3e-7d9a-8b1e-0242ac120002", "state": "in-review", "title": "x" * 400})

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.err warn;
worker_rlimit_nofile 20000;
events {{ worker_connections 8192; }}
http {{
    log_format line escape=json '{{"time":"$time_iso8601","requestId":"$http_x_request_id","traceparent":"$http_traceparent",'
        '"address":"$remote_addr","method":"$request_method","path":"$uri","status":$status,"seconds":$request_time,'
        '"bytesIn":$request_length,"bytesOut":$bytes_sent}}';
    access_log {access_log}; keepalive_requests 100000000; client_body_temp_path {folder}/{name}.body;
    proxy_temp_path {folder}/{name}.proxy; fastcgi_temp_path {folder}/{name}.f; uwsgi_temp_path {folder}/{name}.u;
    scgi_temp_path {folder}/{name}.s;
    {http}
    server {{ listen 127.0.0.1:{port} reuseport; {tls} {server} }}
}}
"""

HAPROXY = """
global
    nbthread 1
    maxconn 8192
    log stdout format raw local0
defaults
    mode http
    log global
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    option forwardfor
    http-reuse always
    log-format '{{"time":"%t","requestId":"%[capture.req.hdr(0)]","traceparent":"%[capture.req.hdr(1)]","address":"%ci",\
"method":"%HM","path":"%HP","status":%ST,"milliseconds":%Ta,"bytesIn":%U,"bytesOut":%B}}'
frontend edge
    bind 127.0.0.1:{port}
    bind 127.0.0.1:{tls_port} ssl crt {certificate} alpn h2,http/1.1 ssl-min-ver TLSv1.3
    capture request header X-Request-Id len 64
    capture request header traceparent len 64
{rules}
    default_backend up
backend up
    server one 127.0.0.1:{upstream}
"""

# As the manual of HAProxy shows it.
HAPROXY_TOKEN = """
    http-request set-var(txn.alg) http_auth_bearer,jwt_header_query('$.alg')
    http-request set-var(txn.iss) http_auth_bearer,jwt_payload_query('$.iss')
    http-request set-var(txn.aud) http_auth_bearer,jwt_payload_query('$.aud')
    http-request set-var(txn.exp) http_auth_bearer,jwt_payload_query('$.exp','int')
    http-request set-var(txn.scope) http_auth_bearer,jwt_payload_query('$.scope')
    http-request deny deny_status 401 unless {{ var(txn.alg) -m str {algorithm} }}
    http-request deny deny_status 401 unless {{ var(txn.iss) -m str {issuer} }}
    http-request deny deny_status 401 unless {{ var(txn.aud) -m str portico }}
    http-request deny deny_status 401 unless {{ http_auth_bearer,jwt_verify(txn.alg,"{key}") -m int 1 }}
    http-request set-var(txn.now) date()
    http-request deny deny_status 401 if {{ var(txn.exp),sub(txn.now) -m int lt 0 }}
    http-request deny deny_status 403 unless {{ var(txn.scope) -m sub practices }}
"""


class Process:
    """One that is measured; its CPU time is that of all its threads, user and system."""

    def __init__(self, name, port, command, environment=None, output=subprocess.DEVNULL, input=subprocess.DEVNULL):
        self.name, self.port, self.tls_port, self.output = name, port, None, output
        self.process = subprocess.Popen(command, env=environment, stdin=input, stdout=output, stderr=subprocess.STDOUT, text=True)

    def cpu(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_kb(self):
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())[1])

    def ask(self, path=THING, token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=2)

    def wait(self, path=THING, token=None):
        for _ in range(100):
            if self.process.poll() is not None:
                break
            try:
                if self.ask(path, token).status_code == 200:
                    return self
            except requests.RequestException:
                pass
            time.sleep(0.1)
        said = "" if self.output == subprocess.DEVNULL else Path(self.output.name).read_text(errors="replace")[-2000:]
        raise SystemExit(f"{self.name} does not answer on port {self.port}\n{said}")

    def stop(self):
        """Ends it; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class Bench:
    """A folder, keys, and the processes that were started in it."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="portico-load-"))
        self.contracts = self.folder / "contracts"
        shutil.copytree(HERE / "contracts", self.contracts)
        for name in ("common", "events", "gateway"):
            shutil.copy(ROOT / f"openapi/{name}.yaml", self.contracts)
        self.keys, self.processes = Keys(), []
        (self.folder / "jwks.json").write_text(json.dumps(self.keys.jwks()))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in self.processes:
            process.stop()
        shutil.rmtree(self.folder)

    def start(self, name, port, command, environment=None, log=False, **more):
        output = (self.folder / f"{name}.out").open("ab") if log else subprocess.DEVNULL
        self.processes.append(Process(name, port, command, environment, output, **more))
        return self.processes[-1]

    def stop(self, process):
        self.processes.remove(process)
        return process.stop()

    def token(self, kid="es", **claims):
        return self.keys.token(kid, **{"exp": int(time.time()) + 7200, **claims})

    def public_key(self, kid):
        path = self.folder / f"{kid}.pem"
        path.write_bytes(self.keys.private[kid].public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
        return path

    def certificate(self, name="gateway.example"):
        """A new key and certificate in one file, as the gateway, HAProxy and nginx take it."""
        folder, key = self.folder / f"certificates-{name}", ec.generate_private_key(ec.SECP256R1())
        subject, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]), datetime.now(timezone.utc)
        certificate = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
                       .serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + timedelta(days=1))
                       .add_extension(x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))]), False)
                       .sign(key, hashes.SHA256()))
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}.pem"
        path.with_suffix(".new").write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ) + certificate.public_bytes(serialization.Encoding.PEM))
        path.with_suffix(".new").rename(path)
        return path

    def nginx(self, name, http, server, access_log="off"):
        port, tls_port, configuration = free_port(), free_port(), self.folder / f"{name}.conf"
        certificate = self.certificate(name)
        tls = (f"listen 127.0.0.1:{tls_port} ssl http2 reuseport; ssl_protocols TLSv1.3; ssl_certificate {certificate}; "
               f"ssl_certificate_key {certificate};")
        configuration.write_text(NGINX.format(
            folder=self.folder, name=name, port=port, tls=tls, http=http, server=server, access_log=access_log))
        nginx = self.start(name, port, [shutil.which("nginx") or "/usr/sbin/nginx", "-c", configuration, "-p", self.folder])
        nginx.tls_port = tls_port
        return nginx

    def upstream(self):
        """Fixed JSON for every path, and the keys."""
        return self.nginx("upstream", "", "default_type application/json; location = /jwks.json { root %s; } "
                          "location / { return 200 '%s'; }" % (self.folder, BODY)).wait()

    def redis(self, port=None):
        """Without persistence: what is in it here is worth nothing afterwards."""
        port = port or free_port()
        redis = self.start("redis", port, [shutil.which("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir",
                                           self.folder])
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return redis
            time.sleep(0.05)
        raise SystemExit("Redis does not start")

    def nginx_proxy(self, upstream):
        """Its log is written in blocks, as the gateway writes its own."""
        return self.nginx("nginx", f"upstream up {{ server 127.0.0.1:{upstream.port}; keepalive 512; }}",
                          "location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ''; "
                          "proxy_set_header X-Forwarded-For $remote_addr; }",
                          access_log=f"{self.folder}/nginx.log line buffer=64k flush=1s").wait()

    def haproxy(self, name, upstream, kid=None):
        port, tls_port = free_port(), free_port()
        rules = kid and HAPROXY_TOKEN.format(algorithm=self.keys.algorithms[kid], issuer=ISSUER, key=self.public_key(kid)) or ""
        configuration = self.folder / f"{name}.cfg"
        configuration.write_text(HAPROXY.format(
            port=port, tls_port=tls_port, certificate=self.certificate(name), upstream=upstream.port, rules=rules))
        haproxy = self.start(name, port, [shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f", configuration], log=True)
        haproxy.tls_port = tls_port
        haproxy.wait(token=self.token(kid or "es"))
        if kid and (haproxy.ask().status_code, haproxy.ask(token=Keys().token(kid)).status_code) != (401, 401):
            raise SystemExit(f"{name} does not check tokens; its figures would be worth nothing")
        return haproxy

    def gateway(self, upstreams, **settings):
        """All checks on, limits high enough not to be met; other settings as given."""
        port, tls_port = free_port(), free_port()
        gateway = self.start("gateway", port, [binary()], {
            "PORTICO_TLS_LISTEN": f"127.0.0.1:{tls_port}", "PORTICO_TLS_CERTIFICATES": str(self.certificate().parent),
            "PORTICO_LISTEN": f"127.0.0.1:{port}", "PORTICO_UPSTREAMS": "load=" + "|".join(
                f"127.0.0.1:{upstream.port}" for upstream in upstreams),
            "PORTICO_CONTRACTS": str(self.contracts), "PORTICO_ISSUER": ISSUER, "PORTICO_CALLER_KEY": os.urandom(32).hex(),
            "PORTICO_JWKS_URL": f"http://127.0.0.1:{upstreams[0].port}/jwks.json",
            "PORTICO_ACCESS_LOG": str(self.folder / "gateway.log"), "PORTICO_LIMIT_ADDRESS": "1000000", "PORTICO_ADDRESS_CONNECTIONS": "0",
            "PORTICO_LIMIT_CALLER": "1000000", "PORTICO_LIMIT_CLIENT": "1000000", "PORTICO_WORKERS": "1", **settings}, log=True)
        gateway.tls_port = tls_port
        gateway.wait(token=self.token())
        if (gateway.ask().status_code, gateway.ask(token=Keys().token()).status_code) != (401, 401):
            raise SystemExit("the gateway does not check tokens; its figures would be worth nothing")
        return gateway


def milliseconds(text):
    """What wrk and h2load print: 950.00us, 1.22ms, 1.05s."""
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


HEADERS = ("-H", "Accept: application/json", "-H", "X-Request-Id: load-1", "-H",
           "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def wrk(process, seconds, connections, *options, tls=False, **environment):
    """One run; fails when a request was not answered as it should."""
    before = process.cpu()
    url = f"https://127.0.0.1:{process.tls_port}{THING}" if tls else f"http://127.0.0.1:{process.port}{THING}"
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *HEADERS, *options, url],
                          capture_output=True, text=True, env=os.environ | environment, check=True).stdout
    count = int(re.search(r"(\d+) requests in", done)[1])
    if "Non-2xx" in done or "Socket errors" in done:
        raise SystemExit(f"{process.name}: not every request was answered:\n{done}")
    return {"cpu": (process.cpu() - before) / count * 1e6, "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", done)[1]),
            "p50": milliseconds(re.search(r"(?m)^\s+50%\s+(\S+)", done)[1]),
            "p99": milliseconds(re.search(r"(?m)^\s+99%\s+(\S+)", done)[1]), "count": count}


def h2load(process, seconds, connections, streams, *options, log):
    """One run over HTTP/2; fails when a request was not answered as it should."""
    log.unlink(missing_ok=True)
    before = process.cpu()
    done = subprocess.run(["h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-D{seconds}", f"--log-file={log}", *HEADERS, *options,
                           f"https://127.0.0.1:{process.tls_port}{THING}"], capture_output=True, text=True, check=True).stdout
    cpu = process.cpu() - before
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    if not lines or any(line[1] != "200" for line in lines) or "Application protocol: h2" not in done:
        raise SystemExit(f"{process.name}: not every request was answered over HTTP/2:\n{done}")
    times = sorted(int(line[2]) / 1000 for line in lines)
    return {"cpu": cpu / len(lines) * 1e6, "rate": len(lines) / seconds, "p50": statistics.median(times),
            "p99": times[int(len(times) * 0.99)], "count": len(lines)}


def medians(results):
    """Of each figure over the rounds."""
    return {figure: statistics.median(result[figure] for result in results) for figure in results[0]}


def machine():
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())[1]
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return (f"{datetime.now(timezone.utc):%d %B %Y, %H:%M} UTC, commit {commit}; {os.cpu_count()} CPUs ({model}), "
            f"Linux {platform.release()}; load average {os.getloadavg()[0]:.1f} before")


def open_files_limit(wanted):
    """Raises it for this process and its children, or ends and says what is wanted."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted:
        raise SystemExit(f"SKIPPED: this needs {wanted} open files a process and only {hard} are allowed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def report(title, head, lines, record):
    """Prints the section of RESULTS.md and, when asked to, puts it there in place of the one of the last time."""
    section = f"### {title}\n\n{head}.\n\n" + "\n".join(lines) + "\n"
    print("\n" + section, flush=True)
    if not record:
        return
    upper, _, by_hand = RESULTS.read_text().partition(BY_HAND)
    first, *others = re.split(r"(?m)^(?=### )", by_hand)
    others = [other.strip() + "\n" for other in others if not other.startswith(f"### {title}\n")]
    RESULTS.write_text(upper + BY_HAND + first.rstrip() + "\n\n" + "\n".join([*others, section]))
