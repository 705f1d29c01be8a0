"""Every promise is attacked, and the ids that reports carry stay what they are."""

import re
from pathlib import Path

import pytest
from aisbx.testing import ATTACKS
from aisbx.types import CONTROLS, LIMITS

ROOT = Path(__file__).parents[2]
# Promises with many roads around them; one attack would prove too little.
SEVERAL = {
    "fs:host-hidden": 5,
    "fs:readonly-runtime": 5,
    "fs:protected": 5,
    "fs:private-tmp": 3,
    "net:deny": 5,
    "net:allowlist": 5,
    "net:host-sockets": 5,
    "secret:proxied": 3,
    "proc:isolated": 3,
    "proc:no-survivors": 3,
    "ipc:isolated": 4,
    "sys:filter": 25,
    "sys:no-userns": 5,
    "desc:clean": 4,
    "info:host": 9,
    "limit:memory": 4,
    "limit:pids": 3,
}


@pytest.mark.parametrize("control", CONTROLS)
def test_every_control_is_attacked(control: str) -> None:
    found = [attack for attack in ATTACKS.values() if attack.control == control]
    assert len(found) >= SEVERAL.get(control, 1)


def test_every_limit_has_a_control() -> None:
    assert {control for _, control in LIMITS.values()} == {name for name in CONTROLS if name.startswith("limit:")}


def test_every_attack_says_what_it_does_and_is_named_once() -> None:
    sentences = [attack.sentence for attack in ATTACKS.values()]
    assert all(sentences)
    assert len(set(sentences)) == len(sentences)
    assert all(re.fullmatch(r"[a-z]+:[a-z-]+/[a-z0-9-]+", name) for name in ATTACKS)


def test_no_list_of_attacks_loses_one_to_an_equal_id() -> None:
    from aisbx.testing import attacks

    assert len(attacks.EVERY) == len(ATTACKS)


def test_no_attack_is_marked_as_skipped_anywhere_in_the_kit() -> None:
    for path in (ROOT / "aisbx-core" / "src" / "aisbx" / "testing").rglob("*.py"):
        text = path.read_text()
        skips = re.findall(r"pytest\.(?:skip|importorskip|xfail)\(|mark\.(?:skip|skipif|xfail)\b", text)
        # The one place: a test that an author waived by name and with a reason, which no attack can be.
        assert len(skips) == (path.name == "whole.py"), path.name
