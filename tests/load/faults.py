"""The proof behind tests/load/faults: a table of faults, each broken and healed under a steady load."""
import argparse
import collections
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench import HERE, Bench, machine, report
from steady import KINDS, Steady
from support.edge import free_port

SETTLE, TROUBLE_SECONDS = 2.0, 0.5        # an answer later than that counts as trouble
ALL, KEYED = tuple(KINDS), ("GET", "POST with key")


class World:
    """What can be broken."""

    def __init__(self, bench):
        self.bench, self.effects = bench, bench.folder / "effects"
        self.keys, self.redis = bench.upstream(), bench.redis()
        self.replicas = [self.start_replica(free_port()) for _ in range(2)]
        self.gateway = bench.gateway(self.replicas, PORTICO_JWKS_URL=f"http://127.0.0.1:{self.keys.port}/jwks.json",
                                     PORTICO_REDIS=f"127.0.0.1:{self.redis.port}")
        self.fixed_token, self.new_tokens = bench.token(), False

    def token(self):
        return self.bench.token() if self.new_tokens else self.fixed_token

    def start_replica(self, port):
        return self.bench.start("replica", port, [sys.executable, HERE / "replica.py", str(port), self.effects], log=True,
                                input=subprocess.PIPE).wait()

    def tell(self, mode):
        self.replicas[0].process.stdin.write(mode + "\n")
        self.replicas[0].process.stdin.flush()

    def kill(self, process):
        process.process.kill()
        process.process.wait()
        self.bench.processes.remove(process)

    def reload(self):
        self.gateway.process.send_signal(signal.SIGHUP)

    def logged(self, message):
        return (self.bench.folder / "gateway.out").read_text().count(message)


def killed(world, seconds):
    port = world.replicas[0].port
    world.kill(world.replicas[0])
    time.sleep(seconds)
    world.replicas[0] = world.start_replica(port)


def both_killed(world, seconds):
    ports = [replica.port for replica in world.replicas]
    for replica in world.replicas:
        world.kill(replica)
    time.sleep(seconds)
    world.replicas = [world.start_replica(port) for port in ports]


def hung(world, seconds):
    world.replicas[0].process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    world.replicas[0].process.send_signal(signal.SIGCONT)


def told(mode):
    def behave(world, seconds):
        world.tell(mode)
        time.sleep(seconds)
        world.tell("well")
    return behave


def rolling_restart(world, seconds):
    """As deploy and Kubernetes do it: the next one goes when the one before it is back and has been seen."""
    for index, replica in enumerate(world.replicas):
        code = world.bench.stop(replica)
        assert code == 0, f"a replica ended with {code}"
        world.replicas[index] = world.start_replica(replica.port)
        time.sleep(1.5)


def redis_gone(world, seconds):
    world.kill(world.redis)
    time.sleep(seconds)
    world.redis = world.bench.redis(world.redis.port)


def keys_gone(world, seconds):
    """New tokens all the time, which are verified with the keys that are known already."""
    world.new_tokens = True
    world.kill(world.keys)
    time.sleep(seconds)
    world.keys, world.new_tokens = world.bench.upstream(), False


def each_half_second(world, seconds, change):
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        change(count)
        world.reload()
        count += 1
        time.sleep(0.5)
    if world.gateway.process.poll() is not None:
        raise SystemExit("the gateway ended at a reload:\n" + (world.bench.folder / "gateway.out").read_text()[-3000:])


def certificates_reloaded(world, seconds):
    each_half_second(world, seconds, lambda count: world.bench.certificate())


def contracts_reloaded(world, seconds):
    """Each time with another description, and an operation more or less."""
    contract = world.bench.contracts / "load.yaml"
    text = contract.read_text()
    more = "  /more:\n    get: {operationId: showMore, tags: [load], security: [], responses: *responses}\ncomponents:\n"

    each_half_second(world, seconds, lambda count: contract.write_text(text.replace("components:\n", more) if count % 2 else text))
    contract.write_text(text)


def broken_contract(world, seconds):
    """Refused; what held before holds on."""
    contract = world.bench.contracts / "load.yaml"
    text = contract.read_text()
    each_half_second(world, seconds, lambda count: contract.write_text(text[:len(text) // 2] + "\n  wrong: [\n"))
    contract.write_text(text)
    world.reload()


Fault = collections.namedtuple("Fault", "name seconds apply must_not_fail")

FAULTS = {
    "killed": Fault("one replica killed (SIGKILL), back after 4 s", 4, killed, KEYED),
    "hung": Fault("one replica hung (SIGSTOP) for 12 s", 12, hung, ("GET",)),
    "slow": Fault("one replica answers after 1 s, for 4 s", 4, told("slow"), ALL),
    "garbage": Fault("one replica answers garbage for 4 s", 4, told("garbage"), ()),
    "half": Fault("one replica breaks off in the body for 4 s", 4, told("half"), ()),
    "both": Fault("both replicas killed, back after 4 s", 4, both_killed, ()),
    "rolling": Fault("rolling restart of both replicas", 0, rolling_restart, ALL),
    "redis": Fault("Redis killed, back after 4 s", 4, redis_gone, ALL),
    "jwks": Fault("JWKS gone for 4 s, each token new", 4, keys_gone, ALL),
    "certificates": Fault("certificates changed and read anew, 8 times", 4, certificates_reloaded, ALL),
    "contracts": Fault("contracts changed and read anew, 8 times", 4, contracts_reloaded, ALL),
    "broken": Fault("a broken contract at reload, 8 times: refused", 4, broken_contract, ALL),
}


def done_twice(world, outcomes):
    """POSTs without a key that a replica has carried out more than once. (With a key it is the service that makes them one.)"""
    times = collections.Counter(Path(world.effects).read_text().split()) if Path(world.effects).exists() else {}
    return sum(times[outcome.id] > 1 for outcome in outcomes if outcome.kind == "POST without")


def run(world, fault):
    """Broken and healed; a row of the table, and whether what must not fail did not."""
    with Steady(world.gateway.port, world.gateway.tls_port, world.token) as load:
        time.sleep(SETTLE)
        begun = time.monotonic()
        fault.apply(world, fault.seconds)
        healed = time.monotonic()
        time.sleep(SETTLE * 2)
    failed = {kind: collections.Counter(str(one.status) for one in load.outcomes if one.kind == kind and one.status != 200) for kind in KINDS}
    bad = [one for one in load.outcomes if one.status != 200 or one.seconds > TROUBLE_SECONDS]
    stray = [one for one in bad if one.started + one.seconds < begun]
    trouble = max((one.started + one.seconds - begun for one in bad), default=0)
    twice, longest = done_twice(world, load.outcomes), max(one.seconds for one in load.outcomes)
    cells = [" + ".join(f"{count} × {status}" for status, count in failed[kind].items()) or "0" for kind in KINDS]
    held = not stray and not twice and not any(failed[kind] for kind in fault.must_not_fail)
    wanted = ", ".join(fault.must_not_fail) or "–"
    row = (f"| {fault.name} | {len(load.outcomes)} | {' | '.join(cells)} | {wanted} | {longest:.2f} s | "
           f"{'no trouble' if not bad else f'{trouble:.1f} s'} (healed at {healed - begun:.1f} s) | {twice} | {'yes' if held else 'NO'} |")
    print(row + (f" {len(stray)} before the fault" if stray else ""), flush=True)
    return row, held


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--only", help="faults by comma: " + ", ".join(FAULTS))
    options.add_argument("--record", action="store_true")
    options = options.parse_args()
    head, rows, all_held = machine(), [], True
    with Bench() as bench:
        world = World(bench)
        for name in options.only.split(",") if options.only else FAULTS:
            row, held = run(world, FAULTS[name])
            rows.append(row)
            all_held = all_held and held
        code = bench.stop(world.gateway)
    report("./tests/load/faults", head, [
        "Steady load of 60 requests a second of each kind, half over TLS; two replicas of one service. Failed requests by kind, which kinds "
        "must not fail (a retry is allowed, or nothing is lost), the longest answer, and the time from the fault to the end of the last "
        f"failure or answer over {TROUBLE_SECONDS} s.", "",
        "| fault | requests | " + " | ".join(f"{kind} failed" for kind in KINDS) + " | must not fail | longest | last trouble after | POSTs without "
        "key done twice | held |", "|---|---|---|---|---|---|---|---|---|---|", *rows], options.record)
    if code or not all_held:
        raise SystemExit(f"FAILED: the gateway ended with {code}" if code else "FAILED: see the rows that end with NO")


main()
