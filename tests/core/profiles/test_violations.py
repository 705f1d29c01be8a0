"""What a profile says of violations: rules of its own, and what is done; what is wrong is said when it is read."""

import pytest
from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.profiles import load_profile
from aisbx.types import Detection, Reaction

from tests.core.profiles.test_load import load, lookup


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


KNOCK = "violations:\n  rules: [{id: knock, severity: low, means: knocks, source: network}]\n"


def test_a_profile_reacts_to_the_rules_of_those_it_extends_as_they_do_unless_it_says_otherwise() -> None:
    base = f"{KNOCK}  reactions: {{knock: alert, high: kill}}\n"
    kept = load("extends: q\n", q=base)
    assert kept.reactions == (Reaction(on="high", do=("kill",)), Reaction(on="knock", do=("alert",)))
    changed = load("extends: r\nviolations: {reactions: {knock: pause}}\n", r="extends: q\n", q=base)
    assert changed.reactions == (Reaction(on="high", do=("kill",)), Reaction(on="knock", do=("pause",)))
    assert [each.id for each in changed.detections] == ["knock"]


def test_what_a_restriction_that_it_extends_does_is_done_whatever_a_profile_says() -> None:
    base = f"restriction: true\n{KNOCK}  reactions: {{knock: kill}}\n"
    found = load("extends: q\nviolations: {reactions: {knock: alert}}\n", q=base)
    assert found.reactions == (Reaction(on="knock", do=("alert", "kill")),)


def test_a_rule_of_a_profile_that_is_not_extended_is_none_to_react_to() -> None:
    with pytest.raises(ProfileError, match="of one that it extends"):
        load_profile(
            ["p+q"], lookup(p="violations: {reactions: {knock: pause}}\n", q=KNOCK), Inputs({"HOME": "/home/me"})
        )


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
        ("violations:\n  reactions: {mont: kill}\n", 2, "violations.reactions.mont", "is neither a severity nor"),
        ("violations:\n  reactions: {mount: stop}\n", 2, "violations.reactions.mount", "'record', 'alert'"),
    ],
)
def test_what_is_wrong_is_said_with_line_and_key(text: str, line: int, key: str, what: str) -> None:
    with pytest.raises(ProfileError, match=what) as caught:
        load(text)
    assert (caught.value.file, caught.value.line, caught.value.key) == ("p.yaml", line, key)
