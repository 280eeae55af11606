"""The fixtures of the tests of the gateway alone: bench (support/edge.py) with a running gateway, its upstream, its keys."""
import pytest

from support.edge import Bench


@pytest.fixture(scope="module")
def bench():
    bench = Bench()
    bench.running.wait()
    yield bench
    bench.close()


@pytest.fixture
def gateway(bench):
    bench.upstream.script = None
    bench.upstream.seen.clear()
    yield bench.running
    if bench.upstream.script:
        bench.upstream.script = None
        bench.running.recover()


@pytest.fixture
def upstream(bench):
    return bench.upstream


@pytest.fixture
def token(bench):
    return bench.keys.token
