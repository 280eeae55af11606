"""The proof behind tests/load/soak."""
import argparse
import asyncio
import collections
import itertools
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from bench import HERE, THING, Bench, machine, open_files_limit, report
from support.edge import free_port
from visits import VISITS, Site, visit_all

LONG_ENOUGH = 10                # minutes: before, caches are still being filled
SAMPLE_SECONDS, RELOAD_SECONDS, MODE_SECONDS = 10, 60, 7
REPORT = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:|SUMMARY: \w*Sanitizer")
# No more than a three-hundredth, and a quarter of a megabyte for what the allocator does.
GROWTH, GROWTH_KB = 1 / 300, 256


class Soak:
    def __init__(self, bench, minutes, sanitize):
        self.bench, self.until, self.seen = bench, 0, collections.defaultdict(collections.Counter)
        self.minutes, self.samples, self.http2 = minutes, [], collections.Counter()
        self.steady, self.replica = bench.upstream(), self.start_replica(free_port())
        sanitizers = {"ASAN_OPTIONS": "abort_on_error=0:exitcode=99:detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"} if sanitize else {}
        self.gateway = bench.gateway(
            [self.steady, self.replica], PORTICO_REDIS=f"127.0.0.1:{bench.redis().port}", PORTICO_WORKERS="2", PORTICO_HEADER_TIMEOUT="3",
            PORTICO_IDLE_TIMEOUT="10", PORTICO_BODY_TIMEOUT="4", PORTICO_WRITE_TIMEOUT="3", **sanitizers)

    def start_replica(self, port):
        return self.bench.start("replica", port, [sys.executable, HERE / "replica.py", str(port), self.bench.folder / "effects"],
                                input=subprocess.PIPE).wait()

    def is_over(self):
        return time.monotonic() >= self.until or self.gateway.process.poll() is not None

    def pause(self, seconds):
        """In pieces, to end in time."""
        until = time.monotonic() + seconds
        while not self.is_over() and time.monotonic() < until:
            time.sleep(0.2)

    def open_files(self):
        return len(os.listdir(f"/proc/{self.gateway.process.pid}/fd"))

    def sample(self):
        while not self.is_over():
            self.samples.append(self.gateway.resident_kb())
            self.pause(SAMPLE_SECONDS)

    def misbehave(self):
        """The second replica: each few seconds something else, sometimes dead and back."""
        for mode in itertools.cycle(("well", "slow", "well", "garbage", "half", "well", "killed")):
            if self.is_over():
                break
            if mode == "killed":
                self.replica.process.kill()
                self.replica.process.wait()
                self.bench.processes.remove(self.replica)
                self.pause(2)
                self.replica = self.start_replica(self.replica.port)
            else:
                self.replica.process.stdin.write(mode + "\n")
                self.replica.process.stdin.flush()
            self.pause(MODE_SECONDS)

    def reload(self):
        """Another certificate, an operation more or less."""
        contract = self.bench.contracts / "load.yaml"
        text = contract.read_text()
        more = text.replace("components:\n", "  /more:\n    get: {operationId: showMore, tags: [load], security: [], responses: "
                            "*responses}\ncomponents:\n")
        for count in itertools.count(1):
            self.pause(min(RELOAD_SECONDS, self.minutes * 20))
            if self.is_over():
                break
            contract.write_text(more if count % 2 else text)
            self.bench.certificate()
            self.gateway.process.send_signal(signal.SIGHUP)

    def speak_http2(self):
        """Rounds of h2load, every third one ended in its middle."""
        for count in itertools.count():
            if self.is_over():
                break
            done = subprocess.Popen(["h2load", "-t1", "-c10", "-m10", "--rps=15", "-D8", "-H", f"Authorization: Bearer {self.bench.token()}",
                                     f"https://127.0.0.1:{self.gateway.tls_port}{THING}"], stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL, text=True)
            if count % 3 == 2:
                self.pause(3)
                done.kill()
            for status, number in re.findall(r"(\d+) (2xx|[345]xx|failed|errored|timeout)", done.communicate()[0] or ""):
                self.http2[number] += int(status)

    def run(self):
        self.until = time.monotonic() + self.minutes * 60
        before = self.open_files()
        beside = [threading.Thread(target=task) for task in (self.sample, self.misbehave, self.reload, self.speak_http2)]
        for task in beside:
            task.start()
        try:
            asyncio.run(visit_all(Site(self.bench, self.gateway), self.seen, self.is_over))
        finally:
            self.until = 0
            for task in beside:
                task.join()
        for _ in range(60):             # until its timeouts have ended what was left behind
            if self.gateway.process.poll() is not None or self.open_files() <= before + 8:
                break
            time.sleep(0.5)
        return before, self.open_files() if self.gateway.process.poll() is None else -1


def unexpected(seen):
    return [f"{name}: {count} × {outcome}" for name, outcomes in seen.items() for outcome, count in outcomes.items()
            if outcome not in VISITS[name].outcomes]


def memory(samples):
    """Means of the second and of the last third, and whether that is flat."""
    third = max(1, len(samples) // 3)
    second, last = statistics.mean(samples[third:2 * third]), statistics.mean(samples[-third:])
    return second, last, last <= second * (1 + GROWTH) + GROWTH_KB


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--minutes", type=float, default=30)
    options.add_argument("--sanitize", action="store_true")
    options.add_argument("--record", action="store_true")
    options = options.parse_args()
    open_files_limit(4096)
    head = machine()
    with Bench() as bench:
        soak = Soak(bench, options.minutes, options.sanitize)
        before, left = soak.run()
        code = bench.stop(soak.gateway)
        output = Path(bench.folder / "gateway.out").read_text(errors="replace")
        log = (bench.folder / "gateway.log").stat().st_size
    second, last, flat = memory(soak.samples)
    wrong = unexpected(soak.seen)
    faults = [f"answers that nobody should get: {'; '.join(wrong)}"] * bool(wrong)
    faults += [f"the gateway ended with {code}"] * (code != 0)
    faults += [f"{left} open files are left of {before} before"] * (left > before + 8)
    faults += ["reports of the sanitizers"] * bool(REPORT.search(output))
    judged = not options.sanitize and options.minutes >= LONG_ENOUGH
    faults += ["its memory still grows"] * (judged and not flat)
    requests = sum(sum(outcomes.values()) for outcomes in soak.seen.values())
    lines = [f"{options.minutes:g} minutes{' under ASan, LSan and UBSan' if options.sanitize else ''}, two workers: {requests} visits, HTTP/2 "
             + ", ".join(f"{count} × {status}" for status, count in soak.http2.items() if count)
             + f", {log / 1e6:.0f} MB of access log; reloads each minute, a replica that changes its behaviour each {MODE_SECONDS} s.", "",
             f"- RSS: {soak.samples[0] / 1024:.1f} MB at first, {second / 1024:.1f} MB on average in the second third, {last / 1024:.1f} MB in "
             f"the last, {max(soak.samples) / 1024:.1f} MB at most" + (f": {'flat' if flat else 'NOT FLAT'}" if judged else " (no judgement)") + ".",
             f"- Open files: {before} before, {left} after.", f"- Result: **{'; '.join(faults) or 'passed'}**", "",
             "| clients | what came of it |", "|---|---|"]
    lines += [f"| {name} | {', '.join(f'{count} × {outcome}' for outcome, count in sorted(soak.seen[name].items()))} |" for name in VISITS]
    report("./tests/load/soak" + (" --sanitize" if options.sanitize else ""), head, lines, options.record)
    if faults:
        reports = REPORT.search(output)
        print(output[max(0, reports.start() - 500):][:8000] if reports else output[-3000:], file=sys.stderr)
        raise SystemExit("FAILED: " + "; ".join(faults))


main()
