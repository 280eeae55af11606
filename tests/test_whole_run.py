"""Looks back on a whole run of the tests."""
import pytest
from support import clients, contracts, events


def test_every_operation_was_called():
    """Each operation of each contract answered 2xx or 3xx at least once, except those that only sibling services call."""
    never = [repr(operation) for operation in contracts.operations()
             if not operation.internal and repr(operation) not in clients.called]
    assert not never, f"operations that no test called with success: {', '.join(never)}"


@pytest.mark.parametrize("service", contracts.SERVICES)
def test_every_event_is_as_documented(stack, service):
    """Whatever the run has made the service emit is in openapi/events.yaml, in that form, and a CloudEvent."""
    told = events.emitted(stack, service)
    wrong = [f"{', '.join(events.violations(event))}: {event}" for event in told if events.violations(event)]
    assert not wrong, f"{len(wrong)} of {len(told)} events, the first: {wrong[0]}"
    assert all(events.is_a_cloudevent(event) for event in told)
