"""The measurement behind tests/load/gateway: processes, load by wrk, CPU time from /proc."""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import requests
from support.edge import CONTRACTS, ISSUER, ROOT, Keys, binary, free_port

TICKS = os.sysconf("SC_CLK_TCK")
BODY = json.dumps({"id": "0192f0a1-7c3e-7d9a-8b1e-0242ac120002", "state": "in-review", "title": "x" * 400})

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.err warn;
events {{ worker_connections 4096; }}
http {{
    access_log {access_log}; keepalive_requests 100000000; client_body_temp_path {folder}/{name}.body;
    proxy_temp_path {folder}/{name}.proxy; fastcgi_temp_path {folder}/{name}.f; uwsgi_temp_path {folder}/{name}.u;
    scgi_temp_path {folder}/{name}.s;
    {http}
    server {{ listen 127.0.0.1:{port} reuseport; {server} }}
}}
"""


class Process:
    def __init__(self, name, port, command, environment=None):
        self.name, self.port = name, port
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def cpu(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_mb(self):
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())[1]) / 1024

    def wait(self, path, headers):
        for _ in range(100):
            try:
                if requests.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=1).status_code == 200:
                    return self
            except requests.RequestException:
                pass
            time.sleep(0.1)
        raise SystemExit(f"{self.name} does not answer on port {self.port}")


def nginx(folder, name, http, server, access_log="off"):
    port = free_port()
    configuration = folder / f"{name}.conf"
    configuration.write_text(NGINX.format(folder=folder, name=name, port=port, http=http, server=server, access_log=access_log))
    return Process(name, port, [shutil.which("nginx") or "/usr/sbin/nginx", "-c", configuration, "-p", folder])


def measure(process, path, token, seconds, connections):
    before = process.cpu()
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-H", f"Authorization: Bearer {token}",
                           "-H", "Accept: application/json", "-H", "X-Request-Id: load-1",
                           "-H", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                           f"http://127.0.0.1:{process.port}{path}"], capture_output=True, text=True, check=True).stdout
    requests_done = int(re.search(r"(\d+) requests in", done)[1])
    if "Non-2xx" in done or "Socket errors" in done:
        raise SystemExit(f"{process.name}: not every request was answered:\n{done}")
    return {"cpu": (process.cpu() - before) / requests_done * 1e6, "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", done)[1]),
            "p50": re.search(r"(?m)^\s+50%\s+(\S+)", done)[1], "p99": re.search(r"(?m)^\s+99%\s+(\S+)", done)[1]}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=5)
    options.add_argument("--connections", type=int, default=32)
    options = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="portico-load-"))
    for contract in [*CONTRACTS.glob("*.yaml"), ROOT / "openapi/common.yaml"]:
        shutil.copy(contract, folder)
    keys = Keys()
    (folder / "jwks.json").write_text(json.dumps(keys.jwks()))
    path, token = "/echo/v1/things/0192f0a1-7c3e-7d9a-8b1e-0242ac120002", keys.token(exp=int(time.time()) + 3600)
    headers = {"Authorization": f"Bearer {token}"}
    processes = []
    try:
        upstream = nginx(folder, "upstream", "", f"default_type application/json; location /jwks.json {{ root {folder}; }} "
                         f"location / {{ return 200 '{BODY}'; }}")
        processes.append(upstream.wait(path, {}))
        proxy = nginx(folder, "nginx", f"upstream up {{ server 127.0.0.1:{upstream.port}; keepalive 64; }}",
                      "location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ''; "
                      "proxy_set_header X-Forwarded-For $remote_addr; }", access_log=f"{folder}/nginx.log")
        processes.append(proxy.wait(path, {}))
        port = free_port()
        gateway = Process("gateway", port, [binary()], {
            "PORTICO_LISTEN": f"127.0.0.1:{port}", "PORTICO_UPSTREAMS": f"echo=127.0.0.1:{upstream.port}",
            "PORTICO_CONTRACTS": str(folder), "PORTICO_ISSUER": ISSUER, "PORTICO_CALLER_KEY": os.urandom(32).hex(),
            "PORTICO_JWKS_URL": f"http://127.0.0.1:{upstream.port}/jwks.json", "PORTICO_ACCESS_LOG": str(folder / "gateway.log"),
            "PORTICO_LIMIT_ADDRESS": "1000000", "PORTICO_LIMIT_CALLER": "1000000", "PORTICO_WORKERS": "1"})
        processes.append(gateway.wait(path, headers))
        results = {process.name: [] for process in (proxy, gateway)}
        for round in range(options.rounds):
            time.sleep(1)
            for process in (proxy, gateway):
                result = measure(process, path, token, options.seconds, options.connections)
                results[process.name].append(result)
                print(f"round {round + 1}  {process.name:8} {result['cpu']:6.1f} µs CPU a request  {result['rate']:8.0f} requests/s  "
                      f"p50 {result['p50']}  p99 {result['p99']}", flush=True)
        medians = {name: statistics.median(result["cpu"] for result in rounds) for name, rounds in results.items()}
        print(f"median: nginx {medians['nginx']:.1f} µs, gateway {medians['gateway']:.1f} µs, ratio "
              f"{medians['gateway'] / medians['nginx']:.2f} (aim: 1.1 at most); gateway RSS {gateway.resident_mb():.1f} MB")
    finally:
        for process in processes:
            process.process.terminate()
        for process in processes:
            process.process.wait()
        shutil.rmtree(folder)


main()
