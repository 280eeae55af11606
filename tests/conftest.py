"""The fixtures, in the words of the domain: citizen("Anna Bianchi"), operator("c_a944", "mobilita"), partner("acquedotto"),
anonymous; eventually(lambda: …); stack, mailbox, appio, pagopa. All answers are checked against the contracts (support/contracts.py).

Run by tests/run, which starts a stack; for one that already runs: ./tests/run api --stack STATE -k booking"""
import os

import pytest

from support import clients, contracts, emulators
from support.stack import Stack
from support.waiting import eventually as wait_for

CITIZEN_SCOPES = "openid profile practices payments bookings messages offline_access"
DESK_SCOPES = "desk:persons desk:practices desk:payments desk:bookings desk:messages desk:registrations"


@pytest.fixture(scope="session")
def stack():
    return Stack(os.environ["PORTICO_TEST_STATE"])


@pytest.fixture(scope="session")
def people(stack):
    """Everyone who has already logged in, by what they were asked for as."""
    return {}


def once(people, key, make):
    if key not in people:
        people[key] = make()
    return people[key]


def redirect_uri(stack, client_id):
    return clients.find("Clients", client_id=client_id)["redirect URI or secret"].replace("BASE", str(stack.base))


@pytest.fixture(scope="session")
def citizen(stack, people):
    def citizen(name, scope=CITIZEN_SCOPES):
        """A person of deploy/demo/people.md, logged in."""
        person = clients.find("Citizens", name=name)
        return once(people, (name, scope), lambda: clients.Person(
            stack.url(), name, person, "demo-area", redirect_uri(stack, "demo-area"), scope,
            person["fiscal code"]))
    return citizen


@pytest.fixture(scope="session")
def operator(stack, people):
    def operator(tenant, office=None, scope=None):
        """The operator of that office, or the administrator of the tenant when there is none named."""
        person = next(row for row in clients.demo("Operators") if row["tenant"] == tenant and
                      (row["office"] == office if office else "admin" in row["role"]))
        person = {**person, "sub": person["id (sub)"]}
        scope = scope or "openid offline_access " + DESK_SCOPES + ("" if office else " desk:admin")
        return once(people, (tenant, office, scope), lambda: clients.Person(
            stack.url(), person["name"], person, "demo-desk", redirect_uri(stack, "demo-desk"), scope,
            person["sub"]))
    return operator


@pytest.fixture(scope="session")
def partner(stack, people):
    def partner(client_id, scope="partner:positions partner:registrations partner:practices partner:events"):
        row = clients.find("Clients", client_id=client_id)
        return once(people, (client_id, scope), lambda: clients.Partner(
            stack.url(), client_id, row["redirect URI or secret"], row["tenant"], scope))
    return partner


@pytest.fixture(scope="session")
def anonymous(stack):
    return clients.Client(stack.url(), "anonymous")


@pytest.fixture(scope="session")
def eventually():
    return wait_for


@pytest.fixture(scope="session")
def mailbox(stack):
    return emulators.Mailbox(stack.url("mailbox"))


@pytest.fixture(scope="session")
def appio(stack):
    return emulators.AppIo(stack.url("appio"))


@pytest.fixture(scope="session")
def pagopa(stack):
    return emulators.PagoPa(stack.url("pagopa"))


def pytest_collection_modifyitems(items):
    """What looks back on the whole run comes last."""
    items.sort(key=lambda item: item.path.name == "test_whole_run.py")
