"""What comes with it for others to read: alert rules, a dashboard, units."""

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from tests.house.support import ROOT
from tests.supervisor.conftest import Served, until

PLACE = Path(ROOT) / "aisbx-supervisor"
_NAME = re.compile(r"\baisbx_[a-z_]+")
_SERIES = ("_bucket", "_count", "_sum")
SEEN = {
    "AisbxSupervisorDown": ("up{job='aisbx',instance='a'}", "0x30", "1x30"),
    "AisbxServerErrors": ("aisbx_requests_total{status='500',instance='a'}", "0+60x30", "0+1x30"),
    "AisbxDenials": ("aisbx_denials_total{kind='auth.denied',instance='a'}", "0+120x30", "0+6x30"),
    "AisbxAnomaly": ("aisbx_denials_total{kind='anomaly',instance='a'}", "0x15 1x15", "0x30"),
    "AisbxViolations": ("aisbx_violations_total{rule='mount',severity='high',instance='a'}", "0x15 1x15", "0x30"),
    "AisbxOutOfMemory": ("aisbx_limits_total{limit='memory',instance='a'}", "0+2x30", "0x30"),
    "AisbxSlow": ("aisbx_pool_waiting{instance='a'}", "3x30", "0x30"),
}
"""Of each alert, a series by the minute, with values that it fires at after twenty minutes, and with others."""
PLANTED = "sys.mount"
"""A rule that a test of the same service told of."""
NEW = ("aisbx_violations_total{rule='mount',severity='high',instance='a'}", "_x15 1x15", "_x5 1x25")
"""The same of a rule that was never told of before."""
LABELS = {
    "AisbxSupervisorDown": {"instance": "a", "job": "aisbx"},
    "AisbxAnomaly": {"instance": "a", "kind": "anomaly"},
    "AisbxViolations": {"instance": "a", "rule": "mount"},
}


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
    # Each that is asked for its increase is there before anything happens.
    assert {'aisbx_violations_total{rule="mount",severity="high"}', 'aisbx_denials_total{kind="anomaly"}'} <= {
        line.rpartition(" ")[0] for line in served.ask("GET", "/metrics", key="").body.decode().splitlines()
    }
    assert asked <= told
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}
        assert rule["annotations"].keys() == {"summary", "description"}


@pytest.fixture(scope="module")
def promtool() -> Callable[..., None]:
    """Ask Prometheus's own tool; what it does not accept fails."""
    found = shutil.which("promtool")
    if found is None:
        assert "prometheus" not in os.environ.get("AISBX_REQUIRE", "").split(","), "there is no promtool"
        pytest.skip("promtool (Debian's package prometheus) is not installed")

    def ask(*words: str, cwd: Path = PLACE / "prometheus", given: bytes = b"") -> None:
        done = subprocess.run([found, *words], input=given, cwd=cwd, capture_output=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()

    return ask


def test_promtool_accepts_what_is_scraped_and_what_is_shipped(served: Served, promtool: Callable[..., None]) -> None:
    promtool("check", "metrics", given=served.ask("GET", "/metrics", key="").body)
    promtool("check", "config", "prometheus.yaml")
    promtool("check", "rules", "alerts.yaml")


def test_each_alert_fires_where_it_should_and_nowhere_else(promtool: Callable[..., None], tmp_path: Path) -> None:
    rules = yaml.safe_load((PLACE / "prometheus/alerts.yaml").read_text())
    known = {rule["alert"]: rule for group in rules["groups"] for rule in group["rules"]}
    assert SEEN.keys() == known.keys()
    cases: list[dict[str, Any]] = []
    for alert, (series, bad, good) in (*SEEN.items(), ("AisbxViolations", NEW)):
        for values, fires in ((bad, True), (good, False)):
            told = known[alert]
            labels = {"severity": told["labels"]["severity"], **LABELS.get(alert, {"instance": "a"})}
            annotations = {key: re.sub(r"\{\{.*?\}\}", "a", text) for key, text in told["annotations"].items()}
            expected = [{"exp_labels": labels, "exp_annotations": annotations}] if fires else []
            cases.append(
                {
                    "interval": "1m",
                    "input_series": [{"series": series, "values": values}],
                    "alert_rule_test": [{"eval_time": "20m", "alertname": alert, "exp_alerts": expected}],
                }
            )
    text = yaml.safe_dump({"rule_files": [str(PLACE / "prometheus/alerts.yaml")], "tests": cases})
    (tmp_path / "cases.yaml").write_text(text)
    promtool("test", "rules", "cases.yaml", cwd=tmp_path)


@pytest.fixture
def prometheus(served: Served, tmp_path: Path) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """Have a Prometheus that scrapes the service as the configuration says, only oftener; gives what a query does."""
    program = shutil.which("prometheus")
    if program is None:
        assert "prometheus" not in os.environ.get("AISBX_REQUIRE", "").split(","), "there is no prometheus"
        pytest.skip("prometheus is not installed")
    config = yaml.safe_load((PLACE / "prometheus/prometheus.yaml").read_text())
    job = config["scrape_configs"][0]
    job["scrape_interval"] = "1s"
    job["static_configs"][0]["targets"] = [f"127.0.0.1:{served.port}"]
    config["rule_files"] = [str(PLACE / "prometheus/alerts.yaml")]
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(config))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    argv = [program, f"--config.file={tmp_path}/prometheus.yaml", f"--storage.tsdb.path={tmp_path}/data"]
    argv += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=tmp_path)

    def query(expression: str) -> list[dict[str, Any]]:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", f"/api/v1/query?{urlencode({'query': expression})}")
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert answer["status"] == "success", (expression, answer)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def ready() -> bool:
        assert process.poll() is None, (tmp_path / "log").read_text()
        with suppress(OSError, ValueError):
            return bool(query('up{job="aisbx"} == 1'))
        return False

    try:
        assert until(ready), (tmp_path / "log").read_text()
        yield query
    finally:
        process.kill()
        process.wait()


def test_a_real_prometheus_scrapes_it_and_answers_what_alerts_and_dashboard_ask(
    served: Served, box: str, prometheus: Callable[[str], list[dict[str, Any]]]
) -> None:
    served.run(box, "true")
    route = 'aisbx_requests_total{route="/api/v1/sandboxes/{name}/exec",status="200"}'
    assert until(lambda: bool(prometheus(route)))
    rules = yaml.safe_load((PLACE / "prometheus/alerts.yaml").read_text())
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        found = [row for row in prometheus(rule["expr"]) if row["metric"].get("rule") != PLANTED]
        assert not found, rule["alert"]  # all is well
    board = json.loads((PLACE / "prometheus/dashboard.json").read_text())
    for target in (target for panel in board["panels"] for target in panel["targets"]):
        prometheus(target["expr"])
    assert float(prometheus("aisbx_active_connections")[0]["value"][1]) > 0
    assert prometheus('aisbx_sandbox_starts_total{profile="shell"}')


def test_the_units_say_what_the_service_needs() -> None:
    unit = ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(PLACE / "systemd/aisbx-supervisor.service")
    assert unit["Service"]["KillMode"] == "process"
    assert unit["Service"]["NoNewPrivileges"] == "yes"
    assert unit["Service"]["CapabilityBoundingSet"] == ""
    assert "RestrictNamespaces" not in unit["Service"]  # sandboxes are namespaces
    assert "RestrictSUIDSGID" not in unit["Service"]  # systemd closes openat2(2) by it, and nothing can be opened
