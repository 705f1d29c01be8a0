"""What other parts refuse is told in the one shape of a violation, and nothing else is."""

import json
from typing import Any

import pytest
from aisbx.audit.read import Record
from aisbx.errors import AdmissionError, AuthError, PolicyError, TrustError, UsageError
from aisbx.profiles import rules
from aisbx.violations.derive import violations_of

MEMBERS = {
    *("time", "kind", "id", "run", "principal", "host", "sandbox", "severity", "rule", "means", "source", "what"),
    *("arguments", "pid", "pid_inside", "program", "errno", "why", "grant", "hint", "times", "of", "seq"),
}


def record(kind: str, **more: Any) -> Record:
    row = {"time": 5.0, "kind": kind, "run": "r1", "principal": "uid:7", "host": "cli", "argv": ["sh", "-c", "x"]}
    return Record({**row, "seq": 3, "mac": "ab" * 32, **more})


def told(kind: str, **more: Any) -> list[dict[str, Any]]:
    rows = [dict(one.data) for one in violations_of(record(kind, **more))]
    for row in rows:
        json.dumps(row)
        assert set(row) == MEMBERS
        assert (row["time"], row["kind"], row["principal"], row["of"]) == (5.0, "violation", "uid:7", kind)
    return rows


def refused(error: Any) -> dict[str, Any]:
    return {"error": error.as_record()}


def of_net(**egress: Any) -> dict[str, Any]:
    (row,) = told(
        "egress.refused", run="work", sandbox="work", egress={"rule": "", "reason": "no rule allows it", **egress}
    )
    return row


def test_a_connection_that_the_proxy_refuses() -> None:
    row = of_net(host="evil.example", port=443, via="connect", before=4)
    assert (row["rule"], row["severity"], row["source"], row["what"]) == ("connection", "low", "network", "connect")
    assert (row["sandbox"], row["run"], row["times"]) == ("work", "", 5)
    assert row["arguments"] == {"host": "evil.example", "port": 443, "via": "connect"}
    assert (row["why"], row["grant"]) == ("no rule allows it", 'network: {allow: ["evil.example:443"]}')
    row = of_net(host="x.example", port=1, rule="deny x.example", reason="a rule denies it")
    assert (row["why"], row["grant"]) == ("a rule denies it (deny x.example)", "")
    assert of_net(host="q.example", via="dns")["what"] == "lookup"


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({"rule": "*.x.example GET /a*", "method": "PUT", "path": "/b/c.d"}, "*.x.example PUT /b/c.d"),
        ({"rule": "a.x.example:80 GET", "method": "PUT", "path": "/"}, "a.x.example:80 PUT /"),
        ({"rule": "a.x.example", "address": "10.0.0.1", "network": "private", "method": "GET"}, "10.0.0.1:80"),
        ({"rule": "a.x.example", "address": "fd00::1", "network": "private"}, "[fd00::1]:80"),
        ({"address": "10.0.0.1", "network": "private"}, "a.x.example:80"),
        ({"rule": "a.x.example GET /a*", "method": "GET", "path": "/b/../c"}, ""),
        ({"rule": "a.x.example GET /a*", "method": "GET", "path": "/%61"}, ""),
        ({"rule": "a.x.example GET /a*", "method": "GET", "path": '/"], deny'}, ""),
        ({"rule": "a.x.example GET /a*"}, ""),
        ({"rule": "deny a.x.example /b", "method": "GET", "path": "/b"}, ""),
    ],
)
def test_the_smallest_change_that_would_allow_a_request(said: dict[str, Any], rule: str) -> None:
    granted = of_net(host="a.x.example", port=80, **said)["grant"]
    assert granted == (f'network: {{allow: ["{rule}"]}}' if rule else "")
    if rule:
        assert rules.spelled([rule]) == (rule,)


@pytest.mark.parametrize(
    ("network", "rule", "severity"),
    [
        ("metadata", "cloud-metadata", "high"),
        ("private", "private-network", "medium"),
        ("own", "private-network", "medium"),
    ],
)
def test_where_a_connection_leads_makes_it_graver(network: str, rule: str, severity: str) -> None:
    row = of_net(host="10.0.0.1", port=80, network=network)
    assert (row["rule"], row["severity"]) == (rule, severity)


def test_each_limit_that_a_command_met_and_nothing_of_one_that_met_none() -> None:
    assert told("exec.end", sandbox="work", timed_out=False, oom_killed=False, findings=[]) == []
    rows = told("exec.end", sandbox="work", timed_out=True, oom_killed=True, pids_limited=True)
    assert [(row["what"], row["rule"]) for row in rows] == [
        ("wall_time", "wall-time"),
        ("memory", "limit"),
        ("pids", "limit"),
    ]
    assert {(row["sandbox"], row["run"], row["program"], row["source"]) for row in rows} == {
        ("work", "r1", "sh", "limit")
    }
    assert len({row["id"] for row in rows}) == 3
    assert [row["id"] for row in rows] == [
        row["id"] for row in told("exec.end", sandbox="work", timed_out=True, oom_killed=True, pids_limited=True)
    ]


@pytest.mark.parametrize(
    ("finding", "rule", "path", "why"),
    [
        (
            "quarantined .git/hooks/pre-commit (git runs it): moved to /q",
            "protected-file",
            ".git/hooks/pre-commit",
            "git runs it",
        ),
        ("restored .envrc (it was removed)", "protected-file", ".envrc", "it was removed"),
        ("cannot quarantine a/.husky: Is a directory", "protected-file-left", "a/.husky", ""),
        (
            "not applied: .mcp.json: the host would execute it: agents",
            "kept-back",
            ".mcp.json",
            "the host would execute it: agents",
        ),
    ],
)
def test_protected_files_that_were_planted_or_changed(finding: str, rule: str, path: str, why: str) -> None:
    (row,) = told("run.end", findings=["its changes are kept for a review: aisbx diff x", finding])
    assert (row["rule"], row["source"], row["arguments"], row["hint"]) == (rule, "file", {"path": path}, False)
    assert row["why"] == (why or finding)
    (row,) = told("sandbox.destroy", run="work", findings=[finding])
    assert (row["sandbox"], row["run"]) == ("work", "")


def test_what_policies_and_trust_refuse_and_no_mistake_of_a_user() -> None:
    (row,) = told("exec.refused", sandbox="work", **refused(PolicyError("net.curl: no", hint="ask")))
    assert (row["rule"], row["source"], row["why"], row["grant"]) == ("policy", "policy", "net.curl: no", "ask")
    (row,) = told("run.refused", **refused(TrustError("it asks for more", hint="trust it")))
    assert (row["rule"], row["what"]) == ("untrusted", "project")
    assert told("run.refused", **refused(UsageError("no such option", hint="see --help"))) == []
    assert told("sandbox.create") == told("egress.allowed", egress={"host": "a"}) == []


def test_what_happens_at_the_door_of_a_host() -> None:
    (row,) = told("auth.denied", client="203.0.113.9", **refused(AuthError("this key is not known", hint="make one")))
    assert (row["rule"], row["source"], row["arguments"]) == ("unauthenticated", "auth", {"client": "203.0.113.9"})
    limited = AdmissionError("uid:7 may ask 100 times a minute (run)", retry_after=1.0)
    assert [row["rule"] for row in told("limit.denied", **refused(limited))] == ["rate"]
    assert [(row["rule"], row["severity"]) for row in told("anomaly", **refused(limited))] == [("unusual", "high")]
    assert [row["rule"] for row in told("anomaly", what="names", **refused(limited))] == ["name-scan"]
    assert [row["rule"] for row in told("scope.denied", what="exec", **refused(PolicyError("scope.run: no")))] == [
        "scope"
    ]
