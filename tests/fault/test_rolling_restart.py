"""Two replicas of a service behind a gateway of their own, under load, and what befalls them: a restart of each in turn, kill -9, a
process that hangs. What a client may expect to go well goes well, without exception."""
import hashlib
import hmac
import http.client
import json
import signal
import subprocess
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.edge import Gateway, free_port
from support.waiting import eventually

SERVICE, READ = "booking", "/booking/v1/offices"


class Replica:
    def __init__(self, stack, log):
        self.binary, self.port, self.log = stack.binary(SERVICE), free_port(), log
        self.environment = {name: value for name, value in stack.environment(SERVICE).items() if name != "PORTICO_DRAIN_MS"} | {
            "PORTICO_LISTEN": f"127.0.0.1:{self.port}"}
        self.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen([self.binary], env=self.environment, stdout=self.log.open("ab"), stderr=subprocess.STDOUT)

    def says_ready(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def restart(self):
        """As an operator or an orchestrator does it: it is told to end, and waited for."""
        self.process.terminate()
        assert self.process.wait(30) == 0, self.log.read_text()[-2000:]
        self.start()


class Town(Gateway):
    """The gateway of the stack once more, on a port of its own, with the two replicas."""

    def __init__(self, stack, replicas, log):
        self.port, self.log, self.replicas = free_port(), log, replicas
        running = stack.environment("gateway")
        others = [entry for entry in running["PORTICO_UPSTREAMS"].split(",") if not entry.startswith(f"{SERVICE}=")]
        environment = running | {
            "PORTICO_LISTEN": f"127.0.0.1:{self.port}", "PORTICO_TLS_LISTEN": "", "PORTICO_LIMIT_ADDRESS": "0",
            "PORTICO_LIMIT_CALLER": "0", "PORTICO_WORKERS": "2",
            "PORTICO_UPSTREAMS": ",".join([*others, f"{SERVICE}=" + "|".join(replica.address for replica in replicas)])}
        self.process = subprocess.Popen([stack.binary("gateway")], env=environment, stdout=log.open("ab"), stderr=subprocess.STDOUT)

    def ready(self, replica):
        return self.metric("portico_upstream_ready", replica=replica.address) == 1

    def answers(self, replica):
        return self.metric("portico_upstream_seconds_count", replica=replica.address)

    def await_ready(self, *replicas):
        for replica in replicas:
            eventually(lambda: replica.says_ready() and self.ready(replica), within=30)


class Load:
    """Clients that ask without a pause, each on a connection that it keeps; what did not go well is in .failed."""

    def __init__(self, port, token=None, writes=False, clients=8):
        self.port, self.token, self.writes, self.clients = port, token, writes, clients
        self.failed, self.done, self.stop = [], 0, threading.Event()

    def ask(self, connection):
        if not self.writes:
            connection.request("GET", READ)
            return connection.getresponse(), (200,)
        body = json.dumps({"agendaId": str(uuid.uuid4()), "startsAt": "2030-01-07T08:00:00Z"})
        connection.request("POST", "/booking/v1/appointments", body,
                           {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})
        return connection.getresponse(), (404, 409, 422)        # there is no such agenda: the service has said so

    def one(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self.stop.is_set():
            try:
                answer, good = self.ask(connection)
                text = answer.read()
                if answer.status not in good:
                    self.failed.append((answer.status, text[:300]))
            except (OSError, http.client.HTTPException) as failure:
                self.failed.append(repr(failure))
                connection.close()
            self.done += 1
        connection.close()

    def __enter__(self):
        self.pool = ThreadPoolExecutor(self.clients)
        self.running = [self.pool.submit(self.one) for _ in range(self.clients)]
        eventually(lambda: self.done > 20)
        return self

    def more(self, count=50):
        """Until so many more requests are answered."""
        target = self.done + count
        eventually(lambda: self.done > target, within=60)

    def __exit__(self, *error):
        self.stop.set()
        self.pool.shutdown()
        for client in self.running:
            client.result()


@pytest.fixture(scope="module")
def town(stack, tmp_path_factory):
    folder = tmp_path_factory.mktemp("town")
    replicas = [Replica(stack, folder / f"replica-{number}.log") for number in range(2)]
    town = Town(stack, replicas, folder / "gateway.log")
    try:
        town.wait()
        town.await_ready(*replicas)
        yield town
        town.stop()
    finally:
        for process in [town.process, *(replica.process for replica in replicas)]:
            process.kill()
            process.wait()


def test_a_rolling_restart_fails_no_request(town, citizen):
    """Neither one that may be sent twice nor one that may not."""
    anna = citizen("Anna Bianchi")
    anna.get("/booking/v1/appointments", expect=200)
    with Load(town.port) as reads, Load(town.port, anna.authorization()["Authorization"].split()[1], writes=True, clients=4) as writes:
        for replica in town.replicas * 2:
            before = [town.answers(each) for each in town.replicas]
            replica.restart()
            town.await_ready(replica)
            reads.more()
            writes.more()
            eventually(lambda: all(town.answers(each) > count for each, count in zip(town.replicas, before)))
    assert reads.failed == [] and writes.failed == [], (reads.done, writes.done)
    print(f"{reads.done} reads, {writes.done} writes, none failed")


def test_a_replica_that_is_killed_fails_no_request_that_may_be_sent_again(town):
    with Load(town.port) as load:
        for replica in town.replicas:
            replica.process.kill()
            replica.process.wait()
            eventually(lambda: not town.ready(replica))
            load.more()
            replica.start()
            town.await_ready(replica)
            load.more()
    assert load.failed == []
    print(f"{load.done} reads, none failed")


def test_a_replica_that_hangs_fails_no_request_that_may_be_sent_again(town):
    with Load(town.port) as load:
        for replica in town.replicas:
            replica.process.send_signal(signal.SIGSTOP)
            try:
                eventually(lambda: not town.ready(replica))
                eventually(lambda: town.metric("portico_upstream_failures_total", replica=replica.address, kind="timeout") > 0)
                load.more()
            finally:
                replica.process.send_signal(signal.SIGCONT)
            town.await_ready(replica)
            before = town.answers(replica)
            eventually(lambda: town.answers(replica) > before)
            load.more()
    assert load.failed == []
    print(f"{load.done} reads, none failed")


def signed(stack, path):
    """As the gateway signs it."""
    key, caller, stamp = (stack.state / "secrets/caller-key").read_bytes().strip(), '{"kind":"anonymous","scope":""}', int(time.time())
    mac = hmac.new(key, f"{caller}\nGET\n{path}\n{stamp}".encode(), hashlib.sha256).hexdigest()
    return {"Portico-Caller": caller, "Portico-Signature": f"t={stamp},v={mac}"}


def test_a_service_stops_what_nobody_waits_for(stack, town):
    """The database is busy for longer than the gateway said that it would wait, and then for less."""
    replica = town.replicas[0]

    def ask(patience):
        connection = http.client.HTTPConnection("127.0.0.1", replica.port, timeout=30)
        connection.request("GET", READ, headers={**signed(stack, READ), "Portico-Deadline": patience})
        return connection.getresponse().status

    def is_locked():
        return stack.sql(SERVICE, "SELECT 1 FROM pg_locks WHERE relation = 'offices'::regclass AND mode = 'AccessExclusiveLock'")
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(stack.sql, SERVICE, "BEGIN; LOCK TABLE offices; SELECT pg_sleep(1.5); COMMIT")
        eventually(is_locked)
        assert ask("00000100") == 503
        assert '"sqlstate": "57014"' in replica.log.read_text().replace('":"', '": "'), "not stopped for want of time"
        assert not busy.done()
        assert ask("00005000") == 200
        busy.result()
