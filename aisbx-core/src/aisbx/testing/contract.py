"""What every driver owes: subclass `DriverContract`, give the fixture `driver`, run pytest."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from aisbx.admission import require, unmet
from aisbx.errors import ControlError, UsageError
from aisbx.testing.attack import Attack
from aisbx.testing.attacks import ATTACKS
from aisbx.testing.behaviour import BEHAVIOUR, Behaviour
from aisbx.testing.record import ATTACK, CONTROL, UNCONFINED
from aisbx.testing.results import HELD, REFUSED
from aisbx.testing.scene import Scene
from aisbx.testing.specs import asking_for
from aisbx.testing.unconfined import Unconfined
from aisbx.testing.ways import LASTING, opened, perform, ways
from aisbx.testing.whole import Contract
from aisbx.types import CONTROLS, Driver, Level, SandboxSpec, Stdio

_EVERY = [pytest.param(attack, id=attack.id) for attack in ATTACKS.values()]
_PROVABLE = [pytest.param(attack, id=attack.id) for attack in ATTACKS.values() if not attack.unprovable()]


def _nowhere(_name: str, _value: object) -> None:
    """Take what a test says when pytest does not run it."""


_ORDER = [Level.NONE, Level.PARTIAL, Level.FULL]


class DriverContract(Behaviour, contract=True):
    """Each control that the driver claims is attacked; each that it does not claim must lead to a refusal.

    An author gives the fixture `driver`, and `python` if the sandbox has its Python elsewhere:

        class TestAcme(DriverContract):
            @pytest.fixture
            def driver(self):
                return AcmeDriver({})
    """

    TESTS: ClassVar[frozenset[str]] = frozenset(
        {
            *BEHAVIOUR,
            "test_the_attack_works_unconfined",
            "test_the_attack_fails_or_the_spec_is_refused",
            "test_what_is_not_claimed_is_refused",
        }
    )
    UNWAIVABLE: ClassVar[frozenset[str]] = Contract.UNWAIVABLE | {
        "test_the_attack_works_unconfined",
        "test_the_attack_fails_or_the_spec_is_refused",
        "test_what_is_not_claimed_is_refused",
    }

    _record: Callable[[str, object], None] = staticmethod(_nowhere)

    @pytest.fixture(autouse=True)
    def _recorded(self, record_property: Callable[[str, object], None]) -> None:
        """Let `aisbx.testing.record`, and any other report of pytest's, tell what was seen."""
        self._record = record_property

    @pytest.mark.parametrize("attack", _PROVABLE)
    def test_the_attack_works_unconfined(self, attack: Attack) -> None:
        """An attack that fails anyway proves nothing about a sandbox."""
        result = perform(attack, opened(Unconfined()), host_python())
        assert result.breached, f"{attack.id} proves nothing here ({attack.sentence}): {result.what}"
        self._record(UNCONFINED, attack.id)

    @pytest.mark.parametrize("attack", _EVERY)
    def test_the_attack_fails_or_the_spec_is_refused(self, driver: Driver, attack: Attack) -> None:
        """Claimed → the attack fails, on every way into the sandbox. Not claimed → nobody gets that far."""
        with self.scenes() as scene:
            facts = attack.stage(scene)
            spec = attack.shape(scene, scene.spec())
            try:
                state = driver.check(spec)[attack.control]
            except UsageError:  # it takes what is no control, and what this driver has not
                self._nobody_gets_in(driver, spec, attack, scene, facts)
                return
            if _ORDER.index(state.level) < _ORDER.index(attack.holds_from):
                assert attack.control in [missing.control for missing in unmet(spec, driver.check(spec))]
                self._record(ATTACK, f"{attack.id} {state.level} {REFUSED}")
                return
        for name, way in ways(driver).items():
            if name in LASTING and attack.kills_launcher:
                continue  # a sandbox that lasts outlives whoever asked for the command
            result = perform(attack, way, self.python, self.scenes)
            assert result.breached is not None, f"{attack.id} proved nothing ({name}): {result.what}"
            assert not result.breached, (
                f"{attack.control} is claimed {state.level} by {state.mechanism!r}, but the inside could "
                f"{attack.sentence} ({name}): {result.what}"
            )
        self._record(ATTACK, f"{attack.id} {state.level} {HELD}")

    def _nobody_gets_in(
        self, driver: Driver, spec: SandboxSpec, attack: Attack, scene: Scene, facts: Mapping[str, object]
    ) -> None:
        command, home = attack.command(scene, facts, self.python), Path(scene.state)
        for way in ways(driver).values():
            with pytest.raises(UsageError):
                way(spec, command, Stdio(), home, attack.seconds)
        self._record(ATTACK, f"{attack.id} {Level.NONE} {REFUSED}")

    @pytest.mark.parametrize("control", CONTROLS)
    def test_what_is_not_claimed_is_refused(self, driver: Driver, control: str) -> None:
        """A spec that asks for a control is admitted only if the driver says FULL."""
        with self.scenes() as scene:
            spec = asking_for(control, scene)
            assert control in spec.required_controls()
            enforcement = driver.check(spec)
            missing = unmet(spec, enforcement)
            claimed = enforcement[control].level is Level.FULL
            assert claimed == (control not in [state.control for state in missing])
            if missing:
                with pytest.raises(ControlError) as refusal:
                    require(spec, enforcement)
                assert refusal.value.control == missing[0].control
            ordinary = driver.check(scene.spec())[control]
            how = "; ".join(filter(None, (ordinary.mechanism, ordinary.reason)))
            self._record(CONTROL, f"{control} {ordinary.level} {'admitted' if claimed else 'refused'} {how}".strip())


def host_python() -> str:
    """Give a Python of the host that needs nothing of an environment: the control experiment's."""
    import sys

    return os.path.realpath(sys.executable)
