"""The measurement behind tests/load/gateway: the peers in turn, load by wrk, CPU time from /proc."""
import argparse
import time

from bench import Bench, h2load, machine, medians, report, wrk

STREAMS = 10                    # of each connection of HTTP/2
PROTOCOLS = {"tls": "HTTP/1.1 over TLS 1.3", "http2": "HTTP/2", None: "HTTP/1.1"}
COLUMNS = "| | CPU a request | requests/s | p50 | p99 |\n|---|---|---|---|---|"
TARGETS = [("gateway", "nginx", 1.1), ("gateway", "haproxy", None), ("gateway", "haproxy RS256", 0.45), ("gateway", "haproxy ES256", 0.25)]
NEW_TARGETS = [("gateway RS256", "haproxy RS256", 1.1), ("gateway ES256", "haproxy RS256", 1.1), ("gateway ES256", "haproxy ES256", None)]


def same_token(bench, upstream, protocol):
    """The peers, each with what loads it."""
    def load(process, kid):
        authorization = "-H", f"Authorization: Bearer {bench.token(kid)}"
        if protocol == "HTTP/2":
            return lambda seconds, connections: h2load(process, seconds, connections, STREAMS, *authorization, log=bench.folder / "h2load.log")
        return lambda seconds, connections: wrk(process, seconds, connections, *authorization, tls=protocol == "HTTP/1.1 over TLS 1.3")

    return {"nginx": load(bench.nginx_proxy(upstream), "es"), "haproxy": load(bench.haproxy("haproxy", upstream), "es"),
            "haproxy RS256": load(bench.haproxy("haproxy-rs", upstream, "rs"), "rs"),
            "haproxy ES256": load(bench.haproxy("haproxy-es", upstream, "es"), "es"),
            "gateway": load(bench.gateway([upstream], **shared_limits(bench)), "es")}


def shared_limits(bench):
    return {"PORTICO_REDIS": f"127.0.0.1:{bench.redis().port}"}


def make_tokens(bench, kid, count):
    """A file of tokens of as many citizens."""
    path = bench.folder / f"{kid}.tokens"
    with path.open("w") as file:
        for number in range(count):
            file.write(bench.token(kid, sub=f"0192f0a1-7c3e-7d9a-8b1e-{number:012x}") + "\n")
    return path


def new_tokens(bench, upstream, count):
    """A run ends when all tokens have been sent once; the gateway is started anew each time, for its cache to be empty."""
    settings = shared_limits(bench)
    files = {kid: make_tokens(bench, kid, count) for kid in ("es", "rs")}

    def load(process, kid):
        def run(seconds, connections):
            return wrk(process, 60, connections, "-s", "tests/load/new_tokens.lua", TOKENS=str(files[kid]))
        return run

    def load_gateway(kid):
        def run(seconds, connections):
            gateway = bench.gateway([upstream], **settings)
            result = load(gateway, kid)(seconds, connections)
            bench.stop(gateway)
            return result
        return run

    return {"haproxy RS256": load(bench.haproxy("haproxy-rs", upstream, "rs"), "rs"),
            "haproxy ES256": load(bench.haproxy("haproxy-es", upstream, "es"), "es"),
            "gateway RS256": load_gateway("rs"), "gateway ES256": load_gateway("es")}


def ratios(middle, targets):
    for one, other, target in targets:
        if one not in middle or other not in middle:
            continue
        ratio = middle[one]["cpu"] / middle[other]["cpu"]
        verdict = "" if target is None else f" (target: {target} at most; {'met' if ratio <= target else 'NOT MET'})"
        yield f"- CPU of {one} to {other}: **{ratio:.2f}**{verdict}"


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=4)
    options.add_argument("--connections", type=int, default=32)
    options.add_argument("--new-tokens", dest="mode", action="store_const", const="new-tokens")
    options.add_argument("--tls", dest="mode", action="store_const", const="tls")
    options.add_argument("--http2", dest="mode", action="store_const", const="http2")
    options.add_argument("--tokens", type=int, default=40000)
    options.add_argument("--only", help="peers by comma, e.g. nginx,gateway")
    options.add_argument("--record", action="store_true")
    options = options.parse_args()
    head, title = machine(), "./tests/load/gateway" + (f" --{options.mode}" if options.mode else "")
    is_new, protocol = options.mode == "new-tokens", PROTOCOLS.get(options.mode, "HTTP/1.1")
    with Bench() as bench:
        upstream = bench.upstream()
        peers = new_tokens(bench, upstream, options.tokens) if is_new else same_token(bench, upstream, protocol)
        peers = {name: load for name, load in peers.items() if not options.only or name in options.only.split(",")}
        results = {name: [] for name in peers}
        for round in range(options.rounds):
            for name, load in peers.items():
                time.sleep(0.5)
                result = load(options.seconds, options.connections)
                results[name].append(result)
                print(f"round {round + 1}  {name:14} {result['cpu']:6.1f} µs CPU a request  {result['rate']:8.0f} requests/s  "
                      f"p50 {result['p50']:6.2f} ms  p99 {result['p99']:6.2f} ms", flush=True)
        resident = [process.resident_kb() / 1024 for process in bench.processes if process.name == "gateway"]
    middle = {name: medians(rounds) for name, rounds in results.items()}
    each = f"{options.tokens} new tokens" if is_new else f"{options.seconds} s with the same token"
    lines = [f"Median of {options.rounds} rounds of {each}, {options.connections} connections, {protocol}, one worker each; "
             "all write an access log; the gateway also checks scope and parameters, limits (shared over Redis), signs the caller and counts."
             + "".join(f" RSS of the gateway afterwards: {size:.1f} MB." for size in resident), "", COLUMNS]
    lines += [f"| {name} | {result['cpu']:.1f} µs | {result['rate']:.0f} | {result['p50']:.2f} ms | {result['p99']:.2f} ms |"
              for name, result in middle.items()]
    report(title, head, [*lines, "", *ratios(middle, NEW_TARGETS if is_new else TARGETS)], options.record)


main()
