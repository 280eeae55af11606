"""What an operator's Prometheus is given: pages that it can read, and alerts about metrics that are there."""
import re
import shutil
import subprocess

import pytest
import requests
from support.contracts import ROOT, SERVICES

ALERTS = ROOT / "deploy/monitoring/alerts.yml"


@pytest.fixture
def promtool():
    return shutil.which("promtool") or pytest.skip("no promtool (package prometheus): its view of the alerts is NOT checked")


def page(stack, name):
    return requests.get(stack.url(name) + "/metrics", timeout=10).text


def test_alerts_speak_of_metrics_that_are_there(stack):
    pages = "".join(page(stack, name) for name in [*SERVICES, "gateway"])
    families = set(re.findall(r"# TYPE (\w+) ", pages))
    for source in [*ROOT.glob("libcommon/*.c"), *ROOT.glob("services/*/*.c"), *ROOT.glob("gateway/*.c")]:
        families |= set(re.findall(r'metrics_count\(\s*"(\w+)"', source.read_text()))      # on the page from the first one on
    named = {name.removesuffix("_bucket") for name in re.findall(r"\bportico_\w+", ALERTS.read_text())}
    assert len(named) > 10 and named <= families, named - families


def test_promtool_takes_the_alerts(promtool):
    done = subprocess.run([promtool, "check", "rules", ALERTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["gateway", "dossier"])
def test_promtool_takes_the_pages(promtool, stack, name):
    done = subprocess.run([promtool, "check", "metrics"], input=page(stack, name), capture_output=True, text=True)
    faults = [line for line in (done.stdout + done.stderr).splitlines() if "no help text" not in line]
    assert faults == [], faults
