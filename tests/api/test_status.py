"""What every service has: its health by the interoperability guidelines."""
import pytest
from support.contracts import operations


@pytest.mark.parametrize("operation", [o for o in operations() if o.id == "showStatus"], ids=repr)
def test_show_status(anonymous, operation):
    answer = anonymous.get(operation.path, expect=200)
    assert answer.json()["status"] == 200
    assert anonymous.head(operation.path, expect=200).content == b""
