"""The measurement behind tests/load/connections."""
import argparse
import json
import re
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench import HERE, THING, Bench, machine, medians, open_files_limit, report

IP_BIND_ADDRESS_NO_PORT = 24
GOOD_CLIENTS, GOOD_RATE = 16, 50          # requests a second of each
RAMP = 10                                 # seconds in which the slow clients come


class IdleClient:
    """Keeps its connection; from one of many addresses, since loopback has some 28,000 ports between two of them."""

    def __init__(self, port, number, head):
        self.socket, self.head = socket.socket(), head
        self.socket.settimeout(10)
        self.socket.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        self.socket.bind((f"127.2.{number // 40 // 250}.{number // 40 % 250 + 1}", 0))
        self.socket.connect(("127.0.0.1", port))

    def ask(self):
        self.socket.sendall(self.head)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.more()
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
        while len(body) < length:
            body += self.more()

    def more(self):
        piece = self.socket.recv(65536)
        assert piece, "the gateway closed a connection that should be idle"
        return piece


def kernel_kb():
    """What the kernel holds for itself, sockets included."""
    return int(re.search(r"Slab:\s+(\d+)", Path("/proc/meminfo").read_text())[1])


def idle(bench, upstream, count):
    gateway = bench.gateway([upstream], PORTICO_IDLE_TIMEOUT="600")
    head = (f"GET {THING} HTTP/1.1\r\nHost: gateway.example\r\nAuthorization: Bearer {bench.token()}\r\n"
            "Accept: application/json\r\n\r\n").encode()
    first = [IdleClient(gateway.port, number, head) for number in range(100)]
    for client in first * 20:
        client.ask()            # what the first requests leave behind is no cost of connections
    before, kernel_before = gateway.resident_kb(), kernel_kb()
    clients = []
    for number in range(count):
        clients.append(IdleClient(gateway.port, number, head))
        clients[-1].ask()
    time.sleep(2)
    after, kernel_after = gateway.resident_kb(), kernel_kb()
    for client in clients[::50]:
        client.ask()            # they are really there
    for client in clients + first:
        client.socket.close()
    time.sleep(2)
    closed = gateway.resident_kb()
    bench.stop(gateway)
    return before, after, closed, (after - before) / count, (kernel_after - kernel_before) / count


def good_clients(bench, gateway, seconds):
    """Requests at a steady rate, so that a slow gateway does not make fewer of them; times of each in ms."""
    log = bench.folder / "good.log"
    log.unlink(missing_ok=True)
    cpu = gateway.cpu()
    done = subprocess.run(["h2load", "--h1", "-t1", f"-c{GOOD_CLIENTS}", f"--rps={GOOD_RATE}", f"-D{seconds}", f"--log-file={log}", "-H",
                           f"Authorization: Bearer {bench.token()}", f"http://127.0.0.1:{gateway.port}{THING}"],
                          capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    failed = sum(line[1] != "200" for line in lines)
    if failed or len(lines) < GOOD_CLIENTS * GOOD_RATE * seconds * 0.9:
        raise SystemExit(f"{failed} of {len(lines)} good requests failed:\n{done}")
    times = sorted(int(line[2]) / 1000 for line in lines)
    return {"p50": statistics.median(times), "p99": times[int(len(times) * 0.99)], "max": times[-1],
            "cpu": (gateway.cpu() - cpu) / seconds * 100}


def slow_heads(bench, upstream, count, rounds, seconds):
    """In turn without and with the slow clients."""
    gateway = bench.gateway([upstream])
    alone, beside, told = [], [], {}
    for round in range(rounds):
        alone.append(good_clients(bench, gateway, seconds))
        slow = subprocess.Popen([sys.executable, HERE / "slow_clients.py", str(gateway.port), str(count), str(RAMP)],
                                text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert slow.stdout.readline() == "ready\n"
            beside.append(good_clients(bench, gateway, seconds))
            told = json.loads(slow.communicate(timeout=30)[0])
        finally:
            slow.kill()
            slow.wait()
        print(f"round {round + 1}  p99 alone {alone[-1]['p99']:.2f} ms, with {count} slow clients {beside[-1]['p99']:.2f} ms; {told}",
              flush=True)
        time.sleep(2)
    bench.stop(gateway)
    return medians(alone), medians(beside), told


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--count", type=int, default=10000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=int, default=12)
    options.add_argument("--record", action="store_true")
    options = options.parse_args()
    open_files_limit(options.count + 6000)
    head = machine()
    with Bench() as bench:
        upstream = bench.upstream()
        before, after, closed, each, kernel = idle(bench, upstream, options.count)
        print(f"idle: {before} kB before, {after} kB with {options.count}, {closed} kB after; {each:.2f} kB each", flush=True)
        alone, beside, told = slow_heads(bench, upstream, options.count, options.rounds, options.seconds)
    ratio, times = beside["p99"] / alone["p99"], "{p50:.2f} ms | {p99:.2f} ms | {max:.1f} ms | {cpu:.0f} %"
    answers = ", ".join(f"{number} × {status}" for status, number in sorted(told.items()) if status != "bytes")
    report("./tests/load/connections", head, [
        f"{options.count} idle keep-alive connections, each after one request, one worker: RSS {before / 1024:.1f} MB before, "
        f"{after / 1024:.1f} MB with them, {closed / 1024:.1f} MB after their end: **{each:.2f} kB a connection** "
        f"(target: 4 at most; {'met' if each <= 4 else 'NOT MET'}). The kernel's own part: {kernel:.1f} kB a connection, both ends together.",
        "", f"Good clients ({GOOD_CLIENTS} × {GOOD_RATE} requests/s, {options.seconds} s, median of {options.rounds} rounds), one worker:", "",
        "| | p50 | p99 | max | CPU of the gateway |", "|---|---|---|---|---|", f"| alone | {times.format(**alone)} |",
        f"| beside {options.count} slow clients | {times.format(**beside)} |", "",
        f"- p99 beside the slow ones to alone: **{ratio:.2f}** (target: 2 at most; {'met' if ratio <= 2 else 'NOT MET'}). In the last round "
        f"they sent {told.get('bytes', 0)} bytes and were told: {answers or 'nothing'}."], options.record)


main()
