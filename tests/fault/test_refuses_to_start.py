"""What is wrong at the start is said in one clear sentence and ends the start; nothing half runs."""
import re
import shutil
import subprocess

import pytest
from support.contracts import ROOT, SERVICES


def start(stack, name, **changed):
    """Starts the service a second time, on another port, with some settings changed; gives its exit status and what it said."""
    settings = {**stack.environment(name), "PORTICO_LISTEN": "127.0.0.1:0", **changed}
    done = subprocess.run([stack.binary(name)], env=settings, capture_output=True, text=True, timeout=30)
    return done.returncode, [line for line in done.stderr.splitlines() if line.strip()]


def says_why(outcome, *words):
    status, lines = outcome
    assert status != 0, "it started"
    assert status > 0, f"it died of signal {-status}: {lines}"
    assert len(lines) == 1, f"not one sentence: {lines}"
    assert all(re.search(word, lines[0]) for word in words), f"{lines[0]!r} does not speak of {words}"


@pytest.mark.parametrize("name", SERVICES)
class TestRefusesToStart:
    def test_on_a_missing_database(self, stack, name):
        database = stack.environment(name)["PORTICO_DATABASE"]
        says_why(start(stack, name, PORTICO_DATABASE=database.replace(f"dbname=portico_{name}", "dbname=portico_nowhere")),
                 "database")

    def test_on_a_database_server_that_is_not_there(self, stack, name):
        says_why(start(stack, name, PORTICO_DATABASE=f"host=127.0.0.1 port=1 dbname=portico_{name} user=portico_{name}"),
                 "database")

    def test_on_an_unknown_setting(self, stack, name):
        says_why(start(stack, name, PORTICO_DATABSE="typo"), "PORTICO_DATABSE")

    def test_on_an_operation_that_nothing_serves(self, stack, name, tmp_path):
        contracts = tmp_path / "openapi"
        shutil.copytree(ROOT / "openapi", contracts)
        contract = contracts / f"{name}.yaml"
        text = contract.read_text()
        assert "operationId: showStatus" in text
        contract.write_text(text.replace("operationId: showStatus", "operationId: showNothing", 1))
        says_why(start(stack, name, PORTICO_CONTRACTS=str(contracts)), "show(Nothing|Status)")

    def test_on_a_handler_that_the_contract_does_not_know(self, stack, name, tmp_path):
        contracts = tmp_path / "openapi"
        shutil.copytree(ROOT / "openapi", contracts)
        contract = contracts / f"{name}.yaml"
        contract.write_text(re.sub(r"^  /status:\n(    .*\n|\n)+", "", contract.read_text(), flags=re.M))
        says_why(start(stack, name, PORTICO_CONTRACTS=str(contracts)), "showStatus")


@pytest.mark.parametrize("changed, words", [
    ({"PORTICO_SAML_KEY_FILE": None}, ["PORTICO_SAML_KEY"]), ({"PORTICO_SAML_CERTIFICATE_FILE": None}, ["PORTICO_SAML_CERTIFICATE"]),
    ({"PORTICO_SAML_KEY_FILE": "PORTICO_FEDERATION_KEY_FILE"}, ["PORTICO_SAML_KEY", "certificate"]),
    ({"PORTICO_SPID_REGISTRY_CERTIFICATE_FILE": None}, ["PORTICO_SPID_REGISTRY_CERTIFICATE"]),
    ({"PORTICO_CIE_REGISTRY_CERTIFICATE_FILE": None}, ["PORTICO_CIE_REGISTRY"]), ({"PORTICO_CIE_PROVINCE": ""}, ["PORTICO_CIE_PROVINCE"]),
    ({"PORTICO_SPID_AGGREGATOR_VAT": ""}, ["PORTICO_SPID_AGGREGATOR_VAT"])])
def test_identity_on_half_a_federation(stack, changed, words):
    """SPID or CIE that lacks a key, its certificate or what the metadata must say is none."""
    settings = {**stack.environment("identity"), "PORTICO_LISTEN": "127.0.0.1:0"}
    for name, value in changed.items():
        if value is None:
            del settings[name]
        else:
            settings[name] = stack.environment("spid")[value] if value.startswith("PORTICO_") else value
    done = subprocess.run([stack.binary("identity")], env=settings, capture_output=True, text=True, timeout=30)
    assert done.returncode > 0 and all(word in done.stdout + done.stderr for word in words), done.stdout + done.stderr


def test_the_gateway_refuses_an_unknown_setting(stack):
    says_why(start(stack, "gateway", PORTICO_UPSTREEMS="typo"), "PORTICO_UPSTREEMS")


def test_notifications_on_a_system_that_does_not_know_the_time_in_italy(stack):
    """Each appointment would be told an hour or two early."""
    says_why(start(stack, "notifications", TZDIR="/nonexistent"), "Europe/Rome")
