"""Every operation of every contract, tried by those who must not: without a token, with an expired, a tampered and a forged one,
without the scope, as another citizen, as another tenant's operator and partner. Generated from the contracts; the right call of
each operation is in recipes.py and is made last, so that every refusal is known to be about the caller and not about the request."""
import pytest
from support import contracts, tokens

from .recipes import RECIPES

PROTECTED = [operation for operation in contracts.operations() if not operation.public]
OUTSIDE = [operation for operation in PROTECTED if not operation.internal]
INTERNAL = [operation for operation in PROTECTED if operation.internal]


def test_every_protected_operation_has_a_recipe():
    assert sorted(RECIPES) == sorted(repr(operation) for operation in OUTSIDE)


@pytest.mark.parametrize("operation", OUTSIDE, ids=repr)
def test_isolation(operation, world):
    request = RECIPES[repr(operation)](world)
    caller = request.caller

    for what, token in {"no token": None, "an expired token": world.mint.expired(caller), "a tampered token": tokens.tampered(caller),
                        "an unsigned token": tokens.unsigned(caller), "a forged token": tokens.forged(caller)}.items():
        answer = request.send(caller.with_token(token))
        assert answer.status_code == 401, f"with {what}: {answer.status_code} {answer.text[:300]}"

    answer = request.send(world.without_scope(caller, operation))
    assert answer.status_code == 403, f"without the scope: {answer.status_code} {answer.text[:300]}"

    before = request.bystander and request.bystander()
    for stranger in world.strangers():
        must_not_reach(request, stranger)
    assert before == (request.bystander and request.bystander()), "a stranger's call changed what is not the stranger's"

    answer = request.send(caller)
    assert answer.status_code < 400, f"the right call itself fails: {answer.status_code} {answer.text[:1000]}"
    assert (request.secret or "") in answer.text, f"the right call does not show {request.secret}: {answer.text[:1000]}"


def must_not_reach(request, stranger):
    """What the request names is not there for a stranger; a list or a search is, without what is another's."""
    answer = request.attack(stranger)
    if request.names:
        assert answer.status_code in (403, 404, 422), f"{stranger.name}: {answer.status_code} {answer.text[:500]}"
    if request.secret and request.secret != request.names:
        assert request.secret not in answer.text, f"{stranger.name} sees {request.secret}: {answer.text[:1000]}"


@pytest.mark.parametrize("operation", INTERNAL, ids=repr)
def test_what_is_for_sibling_services_is_closed_to_the_outside(operation, world):
    example = "0192f000-0000-7000-8000-000000000001"
    path = "/".join(example if part.startswith("{") else part for part in operation.path.split("/"))
    for caller in [world.anonymous, world.anna, world.chiara, world.elena, world.refezione]:
        answer = caller.send(operation.method, path)
        assert answer.status_code in (401, 403, 404), f"{caller.name}: {answer.status_code} {answer.text[:300]}"
