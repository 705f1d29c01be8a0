"""What a profile says of violations: rules of its own, and what is done; what is wrong is said when it is read."""

import pytest
from aisbx.errors import ProfileError
from aisbx.types import Detection, Reaction

from tests.core.profiles.test_load import load


def test_rules_and_reactions_arrive_in_one_form() -> None:
    found = load(
        """
violations:
  rules:
    - {id: knock, severity: high, means: knocks, source: network, arguments: {host: "*.org"}, count: 3, seconds: 2}
  reactions: {knock: [kill, alert], medium: record}
"""
    )
    (rule,) = found.detections
    assert rule == Detection(
        id="knock",
        severity="high",
        means="knocks",
        source="network",
        arguments=(("host", ("*.org",)),),
        count=3,
        seconds=2.0,
    )
    assert found.reactions == (Reaction(on="knock", do=("alert", "kill")), Reaction(on="medium", do=("record",)))


def test_a_restriction_may_have_them_and_own_ones_replace_those_that_are_extended() -> None:
    text = "restriction: true\nviolations: {reactions: {high: kill}}\n"
    assert load(text, base="description: x\n").reactions == (Reaction(on="high", do=("kill",)),)
    found = load("extends: q\nviolations: {reactions: {high: alert}}\n", q="violations: {reactions: {high: kill}}\n")
    assert found.reactions == (Reaction(on="high", do=("alert",)),)


RULES = "violations:\n  rules:\n    - "


@pytest.mark.parametrize(
    ("text", "line", "key", "what"),
    [
        (f"{RULES}{{id: x, severity: grave, means: y}}\n", 3, "violations.rules.0.severity", "'info'"),
        (f"{RULES}{{id: mount, severity: low, means: y, what: [x]}}\n", 3, "violations.rules.0", "already"),
        (f"{RULES}{{id: x, severity: low, means: y}}\n", 3, "violations.rules.0", "about nothing"),
        (
            f"{RULES}{{id: x, severity: low, means: y, rules: [z]}}\n",
            3,
            "violations.rules.0.rules",
            "there is no rule 'z'",
        ),
        (f"{RULES}{{id: x, severity: low, means: y, what: [z], at: 1}}\n", 3, "violations.rules.0.at", "no such key"),
        ("violations:\n  reactions: {mont: kill}\n", 1, "violations", "reactions.mont is neither"),
        ("violations:\n  reactions: {mount: stop}\n", 2, "violations.reactions.mount", "'record', 'alert'"),
    ],
)
def test_what_is_wrong_is_said_with_line_and_key(text: str, line: int, key: str, what: str) -> None:
    with pytest.raises(ProfileError, match=what) as caught:
        load(text)
    assert (caught.value.file, caught.value.line, caught.value.key) == ("p.yaml", line, key)
