"""Run by tests/load/events, which has the stack."""
import argparse
import asyncio
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import clients, contracts  # noqa: E402
from support.stack import Stack  # noqa: E402
from support.waiting import eventually  # noqa: E402

SUBSCRIPTIONS = "/events/v1/subscriptions"
SUBSCRIBERS, BAD = 20, 3
# Nobody inside listens to these from protocol, so that the load is the feed's and the webhooks' alone.
TYPES = [t for t in contracts.document("events.yaml")["components"]["schemas"]["Type"]["enum"] if ".registration." not in t][:SUBSCRIBERS]


class Endpoints:
    """All subscribers in one event loop: /0 … /19. Good ones answer at once; the bad ones by what they are."""

    def __init__(self):
        self.latencies, self.slow, self.failing = {}, set(), set()
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        threading.Thread(target=self.run, daemon=True).start()
        self.ready.wait()

    def run(self):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=1024))
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        self.loop.run_forever()

    def reset(self):
        self.latencies, self.posts = {number: {} for number in range(SUBSCRIBERS)}, 0

    async def serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(re.search(rb"(?i)content-length: *(\d+)", head)[1]))
                self.posts += 1
                number, event = int(head.split(b" ", 2)[1][1:]), json.loads(body)
                self.latencies[number].setdefault(
                    event["id"], time.time() - datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp())
                if number in self.slow:
                    await asyncio.sleep(30)
                status = b"500 Broken" if number in self.failing else b"204 No Content"
                writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def closed_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def unsubscribe(partner):
    for old in partner.get(SUBSCRIPTIONS, params={"limit": 100}, expect=200).json()["items"]:
        partner.delete(f"{SUBSCRIPTIONS}/{old['id']}", expect=204)


def subscribe(partner, endpoints, dead):
    unsubscribe(partner)
    nobody = closed_port()
    for number, name in enumerate(TYPES):
        port = nobody if number in dead else endpoints.port
        partner.post(SUBSCRIPTIONS, {"url": f"http://127.0.0.1:{port}/{number}", "types": [name], "concurrency": 8}, expect=201)


def emit(stack, seconds, rate):
    """pgbench emits: a transaction an event, spread evenly over the types."""
    types = ",".join("'" + name.removeprefix("it.portico.") + "'" for name in TYPES)
    script = stack.state / "emit.sql"
    script.write_text(f"\\set type random(1, {len(TYPES)})\n"
                      f"SELECT emit_event('c_a944', (ARRAY[{types}])[:type], gen_random_uuid(), NULL, '{{}}');\n")
    return pgbench(stack, "-f", script, "-R", str(rate), "-T", str(seconds))


def pgbench(stack, *arguments):
    done = subprocess.run(["pgbench", "-n", "-c", "16", "-j", "1", "-h", stack._socket(), "-p", str(stack.port("postgres")), "-U", "postgres",
                           *map(str, arguments), "portico_protocol"], capture_output=True, text=True, check=True)
    return int(re.search(r"actually processed: (\d+)", done.stdout)[1])


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def one_round(stack, partner, endpoints, seconds, rate, bad):
    """The latencies of the subscribers that are good in both kinds of round, in ms."""
    endpoints.reset()
    dead, endpoints.slow, endpoints.failing = ({0}, {1}, {2}) if bad else (set(), set(), set())
    subscribe(partner, endpoints, dead)
    time.sleep(2)
    made = emit(stack, seconds, rate)
    good = range(BAD, SUBSCRIBERS)
    eventually(lambda: settled(stack), within=60, every=1)
    values = [latency * 1000 for number in good for latency in endpoints.latencies[number].values()]
    return made, values


def settled(stack):
    """Nothing waits for a first attempt at a good endpoint."""
    return stack.sql("notifications", "SELECT count(*) FROM webhook_deliveries d JOIN webhook_subscriptions s ON s.id = d.subscription_id "
                                      f"WHERE d.state = 'waiting' AND d.attempts = 0 AND s.state = 'active' AND s.failures = 0 AND d.type = ANY ('{{{','.join(TYPES[BAD:])}}}')") == "0"


def latency(stack, partner, options):
    endpoints, figures = Endpoints(), {False: [], True: []}
    for number in range(options.rounds):
        for bad in (False, True):
            made, values = one_round(stack, partner, endpoints, options.seconds, options.rate, bad)
            figures[bad].append((percentile(values, .5), percentile(values, .99)))
            print(f"round {number + 1}, {'17 good, 1 dead, 1 slow (30 s), 1 answers 500' if bad else '20 good'}: {made} events, "
                  f"{len(values)} first attempts at the 17, p50 {figures[bad][-1][0]:.0f} ms, p99 {figures[bad][-1][1]:.0f} ms, "
                  f"load average {os.getloadavg()[0]:.1f}", flush=True)
    alone, beside = (statistics.median(p99 for _, p99 in figures[bad]) for bad in (False, True))
    print(f"p99 from emission to first attempt, {options.rate} events/s: {alone:.0f} ms (target < 500); "
          f"with a dead, a slow and a failing one among 20: {beside:.0f} ms, {(beside / alone - 1) * 100:+.0f} % (target < +20 %)")


# ---- the whole chain, with kills

VICTIMS = ["notifications", "protocol", "redis", "postgres", "notifications", "redis", "protocol", "postgres"]


SESSIONS, AT_ONCE, EACH = 4, 500, 10


def chain(stack, partner, options):
    """Four sessions emit, each for 500 aggregates at a time, ten events for each of them, one a transaction; meanwhile the parts are killed one
    after the other. One subscriber hears of all of it."""
    endpoints = Endpoints()
    endpoints.reset()
    unsubscribe(partner)
    before = partner.get("/events/v1/events", params={"after": "end"}, expect=200).json()["next"]
    told = f"FROM outbox WHERE type = 'message.posted' AND arrival > {stack.sql('protocol', 'SELECT coalesce(max(arrival), 0) FROM outbox')}"
    partner.post(SUBSCRIPTIONS, {"url": f"http://127.0.0.1:{endpoints.port}/0", "types": ["it.portico.message.posted"], "concurrency": 32},
                 expect=201)
    began = time.monotonic()
    killer = ThreadPoolExecutor(1).submit(kill_in_turn, stack, options.chain, told)
    sessions = [threading.Thread(target=emit_aggregates, args=(stack, options.chain // SESSIONS)) for _ in range(SESSIONS)]
    for session in sessions:
        session.start()
    for session in sessions:
        session.join()
    emitted = time.monotonic() - began
    killer.result()
    total = int(stack.sql("protocol", f"SELECT count(*) {told}"))
    eventually(lambda: int(stack.sql("notifications", f"SELECT count(*) {feed(before)}")) >= total, within=1200, every=2)
    collected = time.monotonic() - began
    eventually(lambda: len(endpoints.latencies[0]) >= total, within=2400, every=2)
    delivered = time.monotonic() - began
    twice, disordered, missing = verify(stack, before, told)
    print(f"{total} events, ten of each aggregate, {len(VICTIMS)} kills of {', '.join(sorted(set(VICTIMS)))}: emitted in {emitted:.0f} s, in the feed after "
          f"{collected:.0f} s ({total / collected:.0f}/s), at the subscriber after {delivered:.0f} s ({total / delivered:.0f}/s); lost {missing}, twice in the "
          f"feed {twice}, aggregates out of order {disordered}; at the subscriber lost {total - len(endpoints.latencies[0])}, "
          f"posted again {endpoints.posts - len(endpoints.latencies[0])}")
    assert (twice, disordered, missing) == (0, 0, 0)


def feed(before):
    return f"FROM feed_events WHERE position > {before} AND type = 'it.portico.message.posted'"


def emit_aggregates(stack, count):
    """What a killed database did not take is emitted again, what it took without saying so as well: then an aggregate has an event more."""
    for _ in range(count // (AT_ONCE * EACH)):
        ids = stack_sql(stack, f"SELECT string_agg(gen_random_uuid()::text, ',') FROM generate_series(1, {AT_ONCE})")
        for _ in range(EACH):
            stack_sql(stack, "SELECT count(emit_event('c_a944', 'message.posted', id::uuid, NULL)) "
                             f"FROM unnest(string_to_array('{ids}', ',')) id")


def stack_sql(stack, statement):
    while True:
        try:
            return stack.sql("protocol", statement)
        except RuntimeError:
            time.sleep(.5)


def kill_in_turn(stack, count, told):
    for place, victim in enumerate(VICTIMS):
        wanted = count * (place + 1) // (len(VICTIMS) + 1)
        while int(stack_sql(stack, f"SELECT count(*) {told}")) < wanted:
            time.sleep(1)
        stack.kill(victim)
        print(f"killed {victim} after {wanted} events", flush=True)
        stack.up()


def verify(stack, before, told):
    """The log of protocol against the feed: each event once, and each aggregate's in the order of its numbers, from 1 without a gap."""
    twice = stack.sql("notifications", f"SELECT count(*) FROM (SELECT id {feed(before)} GROUP BY id HAVING count(*) > 1) t")
    disordered = stack.sql("notifications", "SELECT count(*) FROM (SELECT array_agg((envelope::json ->> 'sequence')::int ORDER BY position) AS seen "
                                            f"{feed(before)} GROUP BY envelope::json ->> 'aggregate') a "
                                            "WHERE seen <> ARRAY(SELECT generate_series(1, cardinality(seen)))")
    ids = [set(stack.sql(service, f"SELECT id {rest}").split()) for service, rest in
           (("protocol", told), ("notifications", feed(before)))]
    return int(twice), int(disordered), len(ids[0] ^ ids[1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("state")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--chain", type=int)
    options = parser.parse_args()
    stack = Stack(options.state)
    row = clients.find("Clients", client_id="refezione")
    partner = clients.Partner(stack.url(), "refezione", row["redirect URI or secret"], row["tenant"], "partner:events")
    (chain if options.chain else latency)(stack, partner, options)


if __name__ == "__main__":
    main()
