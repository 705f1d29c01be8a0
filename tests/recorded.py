"""What the documents say that the kit saw of a driver is what is seen here and now."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from aisbx.testing.record import ATTACK, CONTROL
from aisbx.testing.results import HELD, UNPROVED, Seen, kind_of_user, load

# How far these hold depends on whether cgroups can be made here.
BY_MACHINE = {"limit:memory", "limit:pids", "limit:cpus"}


def difference(name: str, text: str, recorded: dict[str, Seen]) -> str:
    """Say how what a test has just seen differs from the record; empty if it does not."""
    if name not in (ATTACK, CONTROL):
        return ""
    key, *now = text.split()[:3]
    control, _, attack = key.partition("/")
    if control in BY_MACHINE:
        return ""
    seen = recorded[control]
    then = [seen.level, seen.asked]
    if name == ATTACK:
        tried = seen.attacks[attack]
        # Whether it can work unconfined is this machine's matter, not the driver's.
        then = [tried.level, HELD if tried.outcome == UNPROVED else tried.outcome]
    return "" if now == then else f"{key} is {now}, and was {then} when ./dev kit recorded it"


def compared(request: pytest.FixtureRequest, path: Path) -> Iterator[None]:
    """Compare, when a test has ended, unless what it saw is being recorded."""
    yield
    if request.config.getoption("record_results", None) is None:
        recorded = load(path)[kind_of_user()]
        found = [difference(name, str(value), recorded) for name, value in request.node.user_properties]
        assert not any(found), found
