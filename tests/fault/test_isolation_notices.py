"""The isolation test is itself put to the test: with the row security of one table off, or one policy gone, it must fail."""
import os
import subprocess
import sys

import pytest
from support.contracts import ROOT

# Where policies alone keep strangers out. The register is not among them: its statements name the tenant as well.
TABLES = [("dossier", "practices"), ("dossier", "documents"), ("payments", "positions"), ("notifications", "notices"),
          ("booking", "appointments")]


def failures_of_the_isolation_test(stack, service):
    """Which of its tests fail for the operations of that service."""
    done = subprocess.run([sys.executable, "-m", "pytest", "-c", ROOT / "tests/pytest.ini", ROOT / "tests/isolation", "-k",
                           f"{service}.", "--tb=line"], capture_output=True, text=True, timeout=300,
                          env=os.environ | {"PORTICO_TEST_STATE": str(stack.state)})
    return [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("service,table", TABLES)
def test_it_notices_that_row_security_is_off(stack, service, table):
    with stack.without_row_security(service, table):
        failed = failures_of_the_isolation_test(stack, service)
    print(f"\n{service}.{table} without row security:", *failed, sep="\n  ")
    assert failed, f"nothing fails although {service}.{table} is open to everybody"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("service,table", [("dossier", "practices"), ("notifications", "notices"), ("protocol", "registrations")])
def test_it_notices_that_a_policy_is_gone(stack, service, table):
    for policy in stack.policies_of_callers(service, table):
        with stack.without_policy(service, table, policy):
            failed = failures_of_the_isolation_test(stack, service)
        print(f"\n{service}.{table} without its policy {policy}:", *failed, sep="\n  ")
        assert failed, f"nothing fails although the policy {policy} of {service}.{table} is gone"
