"""The running stack that is under test, with verbs for what befalls it: kill, restart, look into a database, drop a policy."""
import os
import signal
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

from .contracts import ROOT, SERVICES

OFFSETS = {"gateway": 0, "identity": 21, "dossier": 22, "payments": 23, "notifications": 24, "booking": 25, "protocol": 26,
           "pagopa": 101, "appio": 102, "mailbox": 103, "smtp": 104, "spid": 105, "postgres": 110, "redis": 111}


class Stack:
    def __init__(self, state):
        self.state = Path(state).resolve()
        self.base = int((self.state / "base").read_text())

    def port(self, name):
        return self.base + OFFSETS[name]

    def url(self, name="gateway"):
        return f"http://127.0.0.1:{self.port(name)}"

    def pid(self, name):
        if name == "postgres":
            cluster = (self.state / "postgres").resolve()
            return int((cluster / "data/postmaster.pid").read_text().split()[0])
        return int((self.state / "run" / f"{name}.pid").read_text().split()[0])

    def binary(self, name):
        return Path((self.state / "bin").read_text().strip()) / name

    def environment(self, name):
        """The settings that the running process was started with."""
        entries = Path(f"/proc/{self.pid(name)}/environ").read_bytes().split(b"\0")
        return dict(entry.decode().split("=", 1) for entry in entries if entry)

    def kill(self, *names):
        """kill -9; for PostgreSQL the whole family at once, as when a machine loses its power."""
        for name in names:
            pid = self.pid(name)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)    # a child made after the list would outlive the family
            children = [int(child) for child in subprocess.run(
                ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout.split()]
            for victim in [pid, *children]:
                try:
                    os.kill(victim, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def up(self, *options):
        """Starts again whatever does not run, with the binaries as they are."""
        done = subprocess.run([ROOT / "deploy/up", "--state", self.state, "--no-build", "--bin", self.binary("."), *options],
                              capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def sql(self, service, statement, *arguments):
        """As superuser in the database of that service: the output of psql, unaligned, rows only."""
        done = subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self._socket(), "-p", str(self.port("postgres")),
             "-U", "postgres", "-d", f"portico_{service}", "-c", statement, *arguments], capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"psql: {statement}\n{done.stderr}")
        return done.stdout.strip()

    def _socket(self):
        settings = ((self.state / "postgres").resolve() / "data/postgresql.auto.conf").read_text()
        return next(line.split("'")[1] for line in settings.splitlines() if line.startswith("unix_socket_directories"))

    @contextmanager
    def without_row_security(self, service, table):
        """Row security of one table is off inside, and as it was afterwards."""
        self.sql(service, f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY; ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        try:
            yield
        finally:
            self.sql(service, f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY")

    def policies_of_callers(self, service, table):
        """The policies that decide for the service's own role: not the worker's, not the owner's."""
        return self.sql(service, "SELECT policyname FROM pg_policies WHERE tablename = '%s' AND "
                                 "roles && '{public,portico_%s}'::name[]" % (table, service)).split()

    @contextmanager
    def without_policy(self, service, table, policy):
        """That policy is gone inside, and as it was afterwards."""
        again = self.sql(service, "SELECT format('CREATE POLICY %%I ON %%I AS %%s FOR %%s TO %%s', policyname, tablename, permissive, cmd, "
                                  "array_to_string(roles, ', ')) || coalesce(' USING (' || qual || ')', '') || "
                                  "coalesce(' WITH CHECK (' || with_check || ')', '') FROM pg_policies "
                                  "WHERE tablename = '%s' AND policyname = '%s'" % (table, policy))
        self.sql(service, f"DROP POLICY {policy} ON {table}")
        try:
            yield
        finally:
            self.sql(service, again)

    def again(self, service, event, aggregate):
        """Emits the newest event of that type and aggregate once more, as a new one that comes after whatever followed; its id."""
        return self.sql(service, "SELECT emit_event(tenant_id, type, aggregate_id, subject_id, data) FROM outbox "
                                 f"WHERE type = '{event}' AND aggregate_id = '{aggregate}' ORDER BY arrival DESC LIMIT 1")

    def heard(self, service, source, event):
        """Whether the service is done with that event of another one."""
        position = self.sql(source, f"SELECT position FROM outbox WHERE id = '{event}' AND position IS NOT NULL")
        done = self.sql(service, f"SELECT position FROM event_positions WHERE source = '{source}'")
        return bool(position and done) and int(done) >= int(position)

    def events_at_rest(self):
        """True when every event of every service has left for its consumers."""
        return all(self.sql(service, "SELECT count(*) FROM outbox WHERE position IS NULL") == "0" for service in SERVICES)
