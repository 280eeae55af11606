"""Looks back on a whole run of the tests."""
from support import clients, contracts


def test_every_operation_was_called():
    """Each operation of each contract answered 2xx or 3xx at least once, except those that only sibling services call."""
    never = [repr(operation) for operation in contracts.operations()
             if not operation.internal and repr(operation) not in clients.called]
    assert not never, f"operations that no test called with success: {', '.join(never)}"
