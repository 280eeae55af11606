"""Measures a stack of its own and writes tests/load/RESULTS.md: cold start, memory of each idle process, CPU per request of gateway
and service for GET /dossier/v1/practices/{id}, practices created per second with their p99. Run by tests/load/measure."""
import os
import re
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import clients, portico  # noqa: E402
from support.contracts import ROOT, SERVICES  # noqa: E402
from support.stack import Stack  # noqa: E402

BY_HAND = "## Run by hand"           # what follows it in RESULTS.md is kept
PROGRAMS = [*SERVICES, "gateway"]
LOAD_BEFORE = os.getloadavg()[0]
SECONDS = int(os.environ.get("SECONDS_EACH", 15))


def output(*command, **environment):
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def cold_start(stack):
    """Stopped, then started with everything installed, built and migrated: as deploy/up measures it, the middle of three."""
    found = []
    for _ in range(3):
        output(str(ROOT / "deploy/down"), "--state", str(stack.state))
        found.append(float(re.search(r"Cold start of the suite: ([0-9.]+) s", stack.up())[1]))
    return sorted(found)[1]


def memory(pid):
    """RSS and PSS in MB; PSS shares among all processes what they share."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return [int(re.search(rf"^{name}:\s+(\d+)", text, re.M)[1]) / 1024 for name in ("Rss", "Pss")]


def cpu(pid):
    """Seconds of CPU, user and system, that the process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(stack, *options, **environment):
    """A run of wrk: requests, errors, rate, p99 in ms, and CPU microseconds per request by process."""
    before = {name: cpu(stack.pid(name)) for name in PROGRAMS}
    text = output("wrk", "--latency", "-d", f"{SECONDS}s", *options, **environment)
    after = {name: cpu(stack.pid(name)) for name in PROGRAMS}
    requests = int(re.search(r"(\d+) requests in", text)[1])
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    value, unit = re.search(r"99%\s+([0-9.]+)(us|ms|s)", text).groups()
    return {"requests": requests, "refused": int(refused[1]) if refused else 0,
            "rate": float(re.search(r"Requests/sec:\s+([0-9.]+)", text)[1]),
            "p99": float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit],
            "cpu": {name: (after[name] - before[name]) / requests * 1e6 for name in PROGRAMS}}


def machine():
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())[1]
    memory_gb = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) / 1024 / 1024
    return (f"{os.cpu_count()} CPUs ({model}), {memory_gb:.0f} GB, Linux {os.uname().release}; client and database on the same "
            f"machine; its load average before was {LOAD_BEFORE:.1f}, which should be near 0")


def main():
    stack = Stack(sys.argv[1])
    print("cold start …", flush=True)
    start = cold_start(stack)
    anna = clients.Person(stack.url(), "Anna Bianchi", clients.find("Citizens", name="Anna Bianchi"), "demo-area",
                          f"http://127.0.0.1:{stack.base}/demo/callback", "openid practices offline_access", "BNCNNA85C52A944U")
    practice = portico.draft(anna)
    print("idle memory …", flush=True)
    time.sleep(20)
    idle = {name: memory(stack.pid(name)) for name in PROGRAMS}
    print("reads …", flush=True)
    load(stack, "-t1", "-c16", "-H", f"Authorization: Bearer {anna.token}", f"{stack.url()}/dossier/v1/practices/{practice['id']}")
    read = load(stack, "-t1", "-c16", "-H", f"Authorization: Bearer {anna.token}",
                f"{stack.url()}/dossier/v1/practices/{practice['id']}")
    print("creations …", flush=True)
    created = load(stack, "-t1", "-c16", "-s", str(ROOT / "tests/load/create_practices.lua"), f"{stack.url()}/dossier/v1/practices",
                   TOKEN=anna.token, SERVICE=practice["service"]["id"], RUN=portico.unique())
    busy = {name: memory(stack.pid(name)) for name in PROGRAMS}
    results = ROOT / "tests/load/RESULTS.md"
    by_hand = results.read_text().partition(BY_HAND)[2] if results.exists() else ""
    results.write_text(report(start, idle, read, created, busy) + (f"\n{BY_HAND}{by_hand}" if by_hand else ""))
    print(results.read_text())
    assert not read["refused"] and not created["refused"], "some requests were refused; the figures are not to be believed"


def report(start, idle, read, created, busy):
    rows = "\n".join(f"| {name} | {idle[name][0]:.1f} | {idle[name][1]:.1f} | {busy[name][0]:.1f} |" for name in PROGRAMS)
    total = [sum(idle[name][i] for name in PROGRAMS) for i in (0, 1)]
    return f"""# What was measured

{datetime.now(timezone.utc):%d %B %Y, %H:%M} UTC, commit {output("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD").strip()}, preset release.
Machine: {machine()}.
Command: `./tests/load/measure`. {SECONDS} s for each load, 16 connections, wrk 4.1, limits of the gateway off, PostgreSQL with fsync on.

| what | figure |
|---|---|
| cold start of the suite (PostgreSQL, Redis, emulators, six services, gateway), until all are ready | {start:.1f} s |
| idle RSS of the six services and the gateway | {total[0]:.0f} MB (PSS {total[1]:.0f} MB); limit 256 MB |
| `GET /dossier/v1/practices/{{id}}`: CPU per request of the gateway | {read["cpu"]["gateway"]:.0f} µs |
| the same, of dossier | {read["cpu"]["dossier"]:.0f} µs |
| the same: requests per second, p99 | {read["rate"]:.0f}/s, {read["p99"]:.1f} ms |
| practices created per second, each with its Idempotency-Key | {created["rate"]:.0f}/s |
| the same: p99 | {created["p99"]:.1f} ms |
| the same: CPU per request of the gateway, of dossier | {created["cpu"]["gateway"]:.0f} µs, {created["cpu"]["dossier"]:.0f} µs |

Memory in MB, 20 s after the start, and after the loads:

| process | RSS idle | PSS idle | RSS after |
|---|---|---|---|
{rows}
"""


main()
