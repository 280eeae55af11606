"""What every service has: its health by the interoperability guidelines."""
import pytest
from support.contracts import SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_show_status(anonymous, service):
    answer = anonymous.get(f"/{service}/v1/status", expect=200)
    assert answer.json()["status"] == 200
    assert anonymous.head(f"/{service}/v1/status", expect=200).content == b""
