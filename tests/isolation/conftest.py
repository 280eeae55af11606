"""Who stands where in the isolation test: Anna and Bologna have things, everybody else is a stranger to them."""
import uuid
from dataclasses import dataclass
from typing import Any, Callable, Optional

import pytest
from support import portico
from support.clients import Client
from support.tokens import Mint
from support.waiting import eventually


@dataclass
class Right:
    """The right call of an operation: who makes it, and what a stranger must not see or change."""
    caller: Client
    method: str
    path: str
    options: dict
    secret: Optional[str] = None            # a text that the answer shows to the caller and to no stranger
    names: Optional[str] = None             # the id of something of the caller's that the request names
    attempt: Optional[dict] = None          # what a stranger sends instead, to get at the caller through it
    bystander: Optional[Callable[[], Any]] = None   # what must be the same after the strangers' attempts

    def send(self, caller):
        return caller.send(self.method, self.path, **self.options)

    def attack(self, stranger):
        return stranger.send(self.method, self.path, **(self.attempt or self.options))


class World:
    def __init__(self, mint, pagopa, mailbox, citizen, operator, partner, anonymous):
        self.mint, self.pagopa, self.mailbox, self.citizen, self.operator, self.partner, self.anonymous = \
            mint, pagopa, mailbox, citizen, operator, partner, anonymous
        self.anna, self.paolo = citizen("Anna Bianchi"), citizen("Paolo Greco")
        self.chiara, self.roberto = operator("c_a944", "mobilita"), operator("c_a944", "tributi")
        self.elena, self.grazia = operator("c_a944"), operator("c_a662")
        self.nicola = operator("c_a662", "mobilita")
        self.refezione, self.acquedotto = partner("refezione"), partner("acquedotto")

    def appointment(self):
        """A place that Anna holds; she gives her others back first, because a person holds at most five."""
        for held in self.anna.get("/booking/v1/appointments", params={"state": "held"}, expect=200).json()["items"]:
            self.anna.post(f"/booking/v1/appointments/{held['id']}/cancellation", expect=200)
        return portico.hold(self.anna)

    def strangers(self):
        """Nobody of these may see what is Anna's with Bologna. They hold every scope of their kind."""
        return [self.paolo, self.citizen("Maria Lorusso"), self.nicola, self.grazia, self.acquedotto]

    def without_scope(self, caller, operation):
        """The same caller with a token of one scope that no alternative of the operation is content with."""
        wanted = set().union(*operation.security)
        other = next(scope for scope in caller.scope.split() if scope not in wanted | {"openid", "offline_access"})
        if caller in (self.refezione, self.acquedotto):
            return self.partner(caller.client_id, other)
        if caller.person.get("fiscal code"):
            return self.citizen(caller.name, other)
        office = next((o for o in ("mobilita", "anagrafe", "tributi")
                       if self.operator(caller.person["tenant"], o).sub == caller.sub), None)
        return self.operator(caller.person["tenant"], office, other)


@pytest.fixture(scope="session")
def world(stack, pagopa, mailbox, citizen, operator, partner, anonymous):
    """The control of the expired tokens stands here: what is minted is good once the gateway has heard of its key, unless it expired."""
    mint, anna = Mint(stack), citizen("Anna Bianchi")
    eventually(lambda: anna.with_token(mint.like(anna)).get("/identity/v1/me").status_code == 200, within=90, every=1)
    anna.with_token(mint.expired(anna)).get("/identity/v1/me", expect=401)
    yield World(mint, pagopa, mailbox, citizen, operator, partner, anonymous)
    mint.close()
