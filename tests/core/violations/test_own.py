"""Rules of a profile's own: what they are about, when they are told; and what is done about which violation."""

from typing import Any

from aisbx.types import Detection, Reaction
from aisbx.violations.own import Own, fits, wanted


def rule(**said: Any) -> Detection:
    return Detection(id="own", severity="high", means="does what it should not", **said)


def row(rule: str = "connection", severity: str = "low", **said: Any) -> dict[str, object]:
    told: dict[str, object] = {"source": "network", "what": "connect", "arguments": {"host": "a.example", "port": 443}}
    return {**told, "rule": rule, "severity": severity, **said}


def test_a_rule_is_about_what_all_that_it_names_fits() -> None:
    assert fits(rule(source="network"), row())
    assert not fits(rule(source="syscall"), row())
    assert fits(rule(what=("conn*",)), row())
    assert not fits(rule(what=("mount", "umount2")), row())
    assert fits(rule(rules=("connection",), arguments=(("host", ("*.example", "b.*")), ("port", ("443",)))), row())
    assert not fits(rule(arguments=(("host", ("*.org",)),)), row())
    assert not fits(rule(arguments=(("path", ("*",)),)), row())
    assert not fits(rule(arguments=(("path", ("*",)),)), row(arguments=None))


def ids(own: Own, now: float, *rows: dict[str, object]) -> list[str]:
    return [found.id for each in rows for found in own.add(now, each)]


def test_a_rule_is_told_when_enough_came_in_time_and_once_then() -> None:
    own = Own([rule(source="network", count=3, seconds=5.0)])
    assert ids(own, 0.0, row(), row()) == []
    assert ids(own, 6.0, row(), row()) == []
    assert ids(own, 7.0, row(), row(), row()) == ["own"]
    assert ids(own, 13.0, row(), row(), row()) == ["own"]


def test_a_rule_may_count_values_by_themselves_for_each_of_others() -> None:
    own = Own([rule(source="network", distinct="port", within="host", count=3)])
    ports = [row(arguments={"host": host, "port": port}) for port in (1, 2) for host in ("a", "b", "c")]
    assert ids(own, 0.0, *ports, *ports) == []
    assert ids(own, 0.0, row(arguments={"host": "b", "port": 3})) == ["own"]


def test_a_rule_may_be_about_what_comes_after_something_else() -> None:
    own = Own([rule(source="network", first="protected-file", seconds=5.0)])
    planted = row("protected-file", "high", source="file", what="quarantined")
    assert ids(own, 0.0, row(), planted) == []
    assert ids(own, 6.0, row()) == []
    assert ids(own, 7.0, planted, planted) == []
    assert ids(own, 8.0, row()) == ["own"]


def test_a_rules_own_reaction_goes_before_those_of_severities_which_add_up() -> None:
    reactions = [
        Reaction(on="medium", do=("alert",)),
        Reaction(on="critical", do=("kill",)),
        Reaction(on="mount", do=("record",)),
    ]
    assert wanted(reactions, "connection", "low") == ()
    assert wanted(reactions, "keyring", "high") == ("alert",)
    assert wanted(reactions, "kernel-code", "critical") == ("alert", "kill")
    assert wanted(reactions, "mount", "high") == ("record",)
