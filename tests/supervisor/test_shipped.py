"""What comes with it for others to read: alert rules, a dashboard, units."""

import json
import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

from tests.house.support import ROOT
from tests.supervisor.conftest import Served

PLACE = Path(ROOT) / "aisbx-supervisor"
_NAME = re.compile(r"\baisbx_[a-z_]+")
_SERIES = ("_bucket", "_count", "_sum")


def names_of(text: str) -> set[str]:
    found = set(_NAME.findall(text))
    for ending in _SERIES:
        found = {name.removesuffix(ending) for name in found}
    return found


def test_rules_and_dashboard_ask_for_metrics_that_are_there(served: Served) -> None:
    told = set(re.findall(r"^# TYPE (\S+)", served.ask("GET", "/metrics", key="").body.decode(), re.MULTILINE))
    rules = yaml.safe_load((PLACE / "prometheus/alerts.yaml").read_text())
    asked = names_of(" ".join(rule["expr"] for group in rules["groups"] for rule in group["rules"]))
    board = json.loads((PLACE / "prometheus/dashboard.json").read_text())
    asked |= names_of(" ".join(target["expr"] for panel in board["panels"] for target in panel["targets"]))
    assert len(asked) > 10
    assert asked <= told
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}
        assert rule["annotations"].keys() == {"summary", "description"}


def test_promtool_accepts_what_is_scraped_and_the_rules(served: Served) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool (Debian's package prometheus) is not installed")
    metrics = served.ask("GET", "/metrics", key="")
    done = subprocess.run([promtool, "check", "metrics"], input=metrics.body, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run(
        [promtool, "check", "rules", str(PLACE / "prometheus/alerts.yaml")], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_units_say_what_the_service_needs() -> None:
    unit = ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(PLACE / "systemd/aisbx-supervisor.service")
    assert unit["Service"]["KillMode"] == "process"
    assert unit["Service"]["NoNewPrivileges"] == "yes"
    assert unit["Service"]["CapabilityBoundingSet"] == ""
    assert "RestrictNamespaces" not in unit["Service"]  # sandboxes are namespaces
