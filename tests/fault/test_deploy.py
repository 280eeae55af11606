"""deploy/up on a machine that is not as it should be: one sentence that says what to do; and run twice it does no harm."""
import os
import socket
import subprocess
from contextlib import contextmanager

import pytest
from support.contracts import ROOT
from support.stack import Stack

BASE = 18680


def up(state, *options, base=BASE):
    return subprocess.run([ROOT / "deploy/up", "--state", state, "--base", str(base), "--no-build", *options],
                          capture_output=True, text=True, timeout=180)


@contextmanager
def another(state, stack, base=BASE):
    """A second stack, on the same binaries, gone afterwards."""
    done = up(state, "--bin", stack.binary("."), base=base)
    try:
        yield done
    finally:
        subprocess.run([ROOT / "deploy/down", "--state", state, "--erase"], capture_output=True, timeout=120)


def refused(done, *words):
    """It ended, and its last sentence has these words."""
    assert done.returncode != 0, done.stdout
    sentence = done.stderr.strip().splitlines()[-1]
    assert sentence.startswith("deploy: ") and all(word in sentence for word in words), done.stderr


def test_a_port_that_is_in_use(stack, tmp_path):
    with socket.create_server(("127.0.0.1", BASE + 103)):
        with another(tmp_path / "state", stack) as done:
            refused(done, str(BASE + 103), "in use", "--base")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk(tmp_path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", tmp_path], check=True)
    try:
        refused(up(tmp_path / "state"), "1 GB", "--state")
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_binaries_that_are_not_there(tmp_path):
    refused(up(tmp_path / "state", "--bin", tmp_path), "does not exist", "./deploy/up")


def test_an_option_that_does_not_exist(tmp_path):
    refused(up(tmp_path / "state", "--frist"), "--frist", "--help")


def test_a_state_in_a_deep_folder_gets_a_short_socket(stack, tmp_path):
    """A path of a socket has at most 107 bytes; as root PostgreSQL's user cannot even enter this folder."""
    deep = tmp_path / ("a-folder-with-a-very-long-name-" * 3) / "state"
    with another(deep, stack) as done:
        assert done.returncode == 0, done.stdout + done.stderr


def test_run_twice_it_leaves_everything_as_it_is(stack):
    names = ["postgres", "redis", "smtp", "mailbox", "pagopa", "identity", "dossier", "gateway"]
    before = [stack.pid(name) for name in names]
    demo = stack.sql("dossier", "SELECT count(*) FROM services")
    stack.up()
    assert [stack.pid(name) for name in names] == before
    assert stack.sql("dossier", "SELECT count(*) FROM services") == demo


def test_run_again_it_starts_what_has_stopped(stack):
    before = stack.pid("booking")
    stack.kill("booking")
    stack.up()
    assert stack.pid("booking") != before


def test_secrets_are_for_their_owner_only(stack):
    secrets = list((stack.state / "secrets").iterdir())
    assert secrets and all(secret.stat().st_mode & 0o077 == 0 for secret in secrets)


def test_down_ends_every_process(stack, tmp_path):
    state = tmp_path / "state"
    with another(state, stack) as done:
        assert done.returncode == 0, done.stdout + done.stderr
        pids = [Stack(state).pid(name) for name in ("postgres", "redis", "smtp", "dossier", "gateway")]
        subprocess.run([ROOT / "deploy/down", "--state", state], check=True, capture_output=True, timeout=120)
        assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}/cmdline") and open(f"/proc/{pid}/cmdline").read()]
