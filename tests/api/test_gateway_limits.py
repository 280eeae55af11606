"""Limits at the gateway: whom they count, what a caller is told of them, the file of other limits."""
import subprocess
import time

import pytest

from support import contracts
from support.edge import binary, free_port
from support.waiting import eventually

LIMITS = contracts.document("gateway.yaml")["paths"]["/limits"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
THING, RATED = "/echo/v1/things/7", "/echo/v1/rated"


def statuses(gateway, times, path=THING, **options):
    return [gateway.ask("GET", path, **options).status for _ in range(times)]


@pytest.fixture
def operator(token):
    """A token of a new operator of that tenant."""
    numbers = iter(range(1000))
    return lambda tenant: token(kind="operator", sub=f"operator-{next(numbers)}", tenant=tenant, client_id="demo-desk",
                                scope="desk:practices practices")


def test_limit_per_address(bench):
    with bench.gateway(PORTICO_LIMIT_ADDRESS="20", ready=False) as limited:
        answers = [limited.ask("GET", "/echo/v1/open") for _ in range(30)]
        refused = [answer for answer in answers if answer.status == 429]
        assert 9 <= len(refused) <= 11              # waiting for readiness took one
        remaining = [int(answer["X-RateLimit-Remaining"]) for answer in answers if answer.status == 200]
        assert remaining == sorted(remaining, reverse=True) and remaining[-1] == 0
        assert all(answer["X-RateLimit-Limit"] == "20" for answer in answers)
        assert refused[0].slug == "too-many-requests" and 1 <= int(refused[0]["Retry-After"]) <= 4
        assert 50 <= int(refused[0]["X-RateLimit-Reset"]) <= 60
        assert refused[0].json()["detail"] == "the limit per address is 20 requests a minute"
        time.sleep(int(refused[-1]["Retry-After"]))
        assert limited.ask("GET", "/echo/v1/open").status == 200


def test_limit_per_caller(bench, token):
    with bench.gateway(PORTICO_LIMIT_CALLER="5", PORTICO_LIMIT_ADDRESS="1000") as limited:
        one, other = token(sub="one"), token(sub="other")
        statuses = [limited.ask("GET", "/echo/v1/things/7", token=one).status for _ in range(7)]
        assert statuses == [200] * 5 + [429] * 2
        assert limited.ask("GET", "/echo/v1/things/7", token=token(sub="one")).status == 429      # another token of the same person
        answer = limited.ask("GET", "/echo/v1/things/7", token=other)
        assert (answer.status, answer["X-RateLimit-Limit"], answer["X-RateLimit-Remaining"]) == (200, "5", "4")


def test_limit_per_client(bench, token):
    """All who use one client share its limit; a client that acts for itself has a caller's."""
    with bench.gateway(PORTICO_LIMIT_CLIENT="4", PORTICO_LIMIT_CALLER="3") as limited:
        people = [token(sub=f"person-{n}") for n in range(6)]
        assert [limited.ask("GET", THING, token=person).status for person in people] == [200] * 4 + [429] * 2
        answer = limited.ask("GET", THING, token=people[0])
        assert answer.json()["detail"] == "the limit per client is 4 requests a minute"
        assert limited.ask("GET", THING, token=token(sub="person-0", client_id="other-area")).status == 200
        partner = token(kind="partner", sub="acquedotto", client_id="acquedotto", tenant="c_a944", scope="practices")
        assert statuses(limited, 4, token=partner) == [200] * 3 + [429]


def test_limit_per_tenant(bench, operator):
    """A tenant that is over its limit takes nothing from another."""
    with bench.gateway(PORTICO_LIMIT_TENANT="5") as limited:
        assert [limited.ask("GET", THING, token=operator("c_a944")).status for _ in range(7)] == [200] * 5 + [429] * 2
        assert limited.ask("GET", THING, token=operator("c_a944")).json()["detail"] == "the limit per tenant is 5 requests a minute"
        assert [limited.ask("GET", THING, token=operator("c_a662")).status for _ in range(5)] == [200] * 5


def test_who_is_over_the_own_limit_takes_nothing_from_the_tenant(bench, operator):
    with bench.gateway(PORTICO_LIMIT_TENANT="5", PORTICO_LIMIT_CALLER="2") as limited:
        greedy = operator("c_a944")
        assert statuses(limited, 20, token=greedy) == [200] * 2 + [429] * 18
        assert [limited.ask("GET", THING, token=operator("c_a944")).status for _ in range(4)] == [200] * 3 + [429]


def test_rates_of_an_operation(bench, gateway, token, operator):
    citizen = token(sub="rated-1")
    assert statuses(gateway, 4, RATED, token=citizen) == [200] * 3 + [429]
    refused = gateway.ask("GET", RATED, token=citizen)
    assert refused.json()["detail"] == "the limit per subject of this operation is 3 requests a minute"
    assert (refused["X-RateLimit-Limit"], refused["X-RateLimit-Remaining"]) == ("3", "0") and int(refused["Retry-After"]) <= 20
    assert gateway.ask("GET", THING, token=citizen).status == 200               # only this operation
    assert gateway.ask("GET", RATED, token=token(sub="rated-2")).status == 200
    desk = [operator("c_a944") for _ in range(3)]
    assert [gateway.ask("GET", RATED, token=one).status for one in desk * 2] == [200] * 5 + [429]
    refused = gateway.ask("GET", RATED, token=operator("c_a944"))
    assert refused.json()["detail"] == "the limit per tenant of this operation is 5 requests a day"
    assert 86400 / 5 - 60 < int(refused["Retry-After"]) <= 86400 / 5
    assert gateway.ask("GET", RATED, token=operator("c_a662")).status == 200


def test_rate_of_a_public_operation(gateway):
    send = lambda: gateway.ask("POST", RATED, {"Content-Type": "application/json"}, b"{}")
    assert [send().status for _ in range(3)] == [200, 200, 429]
    assert send().json()["detail"] == "the limit per address of this operation is 2 requests an hour"


def test_the_tightest_limit_is_told(bench, token):
    with bench.gateway(PORTICO_LIMIT_ADDRESS="1000", PORTICO_LIMIT_CALLER="50", PORTICO_LIMIT_CLIENT="20") as limited:
        answer = limited.ask("GET", THING, token=token())
        assert (answer["X-RateLimit-Limit"], answer["X-RateLimit-Remaining"]) == ("20", "19")
        answer = limited.ask("GET", RATED, token=token())
        assert (answer["X-RateLimit-Limit"], answer["X-RateLimit-Remaining"], answer["X-RateLimit-Reset"]) == ("3", "2", "20")
        answer = limited.ask("GET", "/echo/v1/open")
        assert answer["X-RateLimit-Limit"] == "1000"


def limits_of(gateway, **options):
    answer = gateway.ask("GET", "/limits", **options)
    assert answer.status == 200 and contracts.violations("gateway.yaml", LIMITS, answer.json()) == []
    return {(item["per"], item.get("operation")): (item["requests"], item["remaining"], item["window"]) for item in answer.json()["items"]}


def test_list_limits(bench, token, operator):
    with bench.gateway(PORTICO_LIMIT_ADDRESS="1000", PORTICO_LIMIT_CALLER="50", PORTICO_LIMIT_CLIENT="20", PORTICO_LIMIT_TENANT="10") as limited:
        citizen, desk = token(), operator("c_a944")
        rated = {("subject", f"GET {RATED}"): (3, 3, 60), ("address", f"POST {RATED}"): (2, 2, 3600)}
        address = limits_of(limited)
        assert set(address) == {("address", None), ("address", f"POST {RATED}")} and address["address", None][0] == 1000
        assert limits_of(limited, token=citizen).items() >= {("subject", None): (50, 49, 60), ("client", None): (20, 19, 60), **rated}.items()
        statuses(limited, 3, RATED, token=citizen)
        seen = limits_of(limited, token=citizen)
        assert seen["subject", None] == (50, 45, 60) and seen["subject", f"GET {RATED}"] == (3, 0, 60)      # asking counts, too
        assert not any(per == "tenant" for per, _ in seen)
        seen = limits_of(limited, token=desk)
        assert seen["tenant", None] == (10, 9, 60) and seen["tenant", f"GET {RATED}"] == (5, 5, 86400)
        assert ("subject", f"GET {RATED}") not in limits_of(limited, token=token(scope="profile"))
        assert limited.ask("GET", "/limits", token="wrong").status == 401
        assert limited.ask("GET", "/limits?x=1").status == 400
        answer = limited.ask("POST", "/limits")
        assert (answer.status, answer["Allow"]) == (405, "GET, HEAD")


def test_list_limits_of_the_suite(anonymous, citizen):
    anonymous.get("/limits", expect=200)
    items = citizen("Anna Bianchi").get("/limits", expect=200).json()["items"]
    assert [item["per"] for item in items if "operation" not in item and item["per"] == "subject"] == ["subject"]


@pytest.fixture
def limits_file(bench):
    return bench.folder / f"limits-{free_port()}.yaml"


def test_named_clients_and_tenants(bench, token, operator, limits_file):
    limits_file.write_text("# Those who asked for more\nclients: {demo-area: 6}\ntenants:\n  c_a944: 3\n  c_a662: 0\n")
    with bench.gateway(PORTICO_LIMITS=str(limits_file), PORTICO_LIMIT_CLIENT="2", PORTICO_LIMIT_TENANT="4") as limited:
        desk = lambda tenant: limited.ask("GET", THING, token=token(kind="operator", sub=f"o-{time.time_ns()}", tenant=tenant,
                                                                    client_id=f"desk-{time.time_ns()}")).status
        assert statuses(limited, 7, token=token()) == [200] * 6 + [429]
        assert statuses(limited, 3, token=token(client_id="other")) == [200] * 2 + [429]
        assert [desk("c_a944") for _ in range(4)] == [200] * 3 + [429]
        assert [desk("c_a662") for _ in range(6)] == [200] * 6
        assert [desk("c_l736") for _ in range(5)] == [200] * 4 + [429]


def test_the_file_is_read_anew_or_refused_whole(bench, token, limits_file):
    limits_file.write_text("clients: {demo-area: 1}")
    with bench.gateway(PORTICO_LIMITS=str(limits_file)) as limited:
        said = lambda: limited.log.read_text().count("the reload is refused")
        assert statuses(limited, 2, token=token()) == [200, 429]
        wrong = ["clients: [1]", "clients: {a: -1}", "clients: {a: 1.5}", "clients: {a: 1000001}", "client: {a: 1}", "- 1", "clients: {a: 1",
                 "{demo-area: 100, clients: {demo-area: 100}}", "clients: {a: 1, a: 2}", ""]
        for count, text in enumerate(wrong, 1):
            limits_file.write_text(text)
            limited.reload()
            eventually(lambda: said() == count)
            assert limited.ask("GET", THING, token=token()).status == 429, text
        limits_file.unlink()
        limited.reload()
        eventually(lambda: said() == len(wrong) + 1)
        limits_file.write_text("clients: {demo-area: 100}")
        limited.reload()
        eventually(lambda: limited.ask("GET", THING, token=token())["X-RateLimit-Limit"] == "100")


@pytest.mark.parametrize("settings, sentence", [({"PORTICO_LIMITS": "/nonexistent"}, "PORTICO_LIMITS: /nonexistent cannot be read: No such file"),
                                                ({"PORTICO_LIMIT_TENANT": "1000001"}, "PORTICO_LIMIT_TENANT is at most 1000000 a minute")])
def test_wrong_limits_are_said_at_the_start(bench, settings, sentence):
    settings = {"PORTICO_UPSTREAMS": "echo=127.0.0.1:1", "PORTICO_CONTRACTS": str(bench.folder), "PORTICO_CALLER_KEY": "k" * 32, **settings}
    run = subprocess.run([binary(), "--check"], env=settings, capture_output=True, text=True, timeout=20)
    assert run.returncode == 78 and sentence in run.stderr and run.stderr.count("\n") == 1, run.stderr
