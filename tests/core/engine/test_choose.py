"""Which driver is taken where none is named: one that holds all that is required, and the words that say why."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aisbx.doctor import SAMPLE
from aisbx.engine.prepare import Preparation
from aisbx.errors import DriverUnavailableError, UsageError
from aisbx.types import CONTROLS, ControlState, Driver, Enforcement, Level, Probe, RunRequest, SandboxSpec


@dataclass
class Stand:
    """A driver that holds everything but what it `lacks`."""

    name: str
    lacks: str = ""
    unusable: str = ""
    refuses: str = ""

    def probe(self) -> Probe:
        return Probe(
            usable=not self.unusable, reason=self.unusable, remedy=f"mend {self.name}" if self.unusable else ""
        )

    def check(self, spec: SandboxSpec) -> Enforcement:
        del spec
        if self.refuses:
            raise UsageError(self.refuses)
        return Enforcement.of(
            ControlState(name, Level.NONE if name == self.lacks else Level.FULL, reason="so") for name in CONTROLS
        )


def choose(*drivers: Stand, asked: str = "") -> tuple[str, str]:
    known = {driver.name: driver for driver in drivers}

    class Own(Preparation):
        def load(self, name: str, *, cache: str = "") -> Driver:
            del cache
            return cast("Driver", known[name])

    def names(_kind: str) -> list[str]:
        return list(known)

    settings, plugins = SimpleNamespace(driver="auto"), SimpleNamespace(names=names)
    prepared = Own({}, cast("Any", settings), cast("Any", plugins), cast("Any", None))
    driver, _, why = prepared.choose(replace(RunRequest(command=("true",), cwd="/"), driver=asked), SAMPLE)
    return driver.name, why


def test_the_preferred_of_two_that_hold_everything_is_taken() -> None:
    assert choose(Stand("chroot"), Stand("bwrap")) == ("bwrap", "it holds all that is required")


def test_one_that_holds_what_the_preferred_lacks_is_taken_and_said_why() -> None:
    assert choose(Stand("bwrap", lacks="sys:filter"), Stand("chroot")) == (
        "chroot",
        "it holds all that is required; bwrap: does not hold sys:filter here",
    )


def test_one_that_works_is_taken_where_the_preferred_does_not_or_refuses() -> None:
    assert choose(Stand("bwrap", unusable="not installed"), Stand("chroot"))[0] == "chroot"
    assert choose(Stand("bwrap", refuses="no allow-list"), Stand("chroot"))[0] == "chroot"


def test_where_none_holds_all_the_preferred_one_is_what_refuses() -> None:
    name, why = choose(Stand("bwrap", lacks="sys:filter"), Stand("chroot", lacks="net:deny"))
    assert name == "bwrap"
    assert why.startswith("none here holds all that is required: it does not hold sys:filter here; chroot: ")


def test_auto_by_name_takes_the_strongest_and_says_what_spoke_against_others() -> None:
    every = (Stand("chroot"), Stand("bwrap"), Stand("lima"))
    strongest = "it is the strongest that holds all that is required"
    assert choose(*every, asked="auto") == ("lima", strongest)
    assert choose(*every)[0] == "bwrap"
    absent = (*every[:2], Stand("lima", unusable="there is no limactl"))
    assert choose(*absent, asked="auto") == ("bwrap", f"{strongest}; lima: there is no limactl")
    live = (Stand("chroot"), Stand("bwrap", unusable="not installed"), Stand("lima", lacks="fs:workspace"))
    why = f"{strongest}; lima: does not hold fs:workspace here; bwrap: not installed"
    assert choose(*live, asked="auto") == ("chroot", why)


def test_one_that_is_named_is_taken_whatever_it_lacks() -> None:
    assert choose(Stand("bwrap"), Stand("chroot", lacks="net:deny"), asked="chroot")[0] == "chroot"


def test_where_none_works_each_says_why() -> None:
    with pytest.raises(DriverUnavailableError, match="bwrap: not installed; chroot: no Python") as caught:
        choose(Stand("bwrap", unusable="not installed"), Stand("chroot", unusable="no Python"))
    assert caught.value.hint == "mend bwrap; or mend chroot"


def test_what_the_preferred_refuses_is_told_where_no_other_takes_it() -> None:
    with pytest.raises(UsageError, match="no allow-list"):
        choose(Stand("bwrap", refuses="no allow-list"), Stand("chroot", unusable="no Python"))
