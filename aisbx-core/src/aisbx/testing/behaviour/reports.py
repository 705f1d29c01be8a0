"""What a driver says before anything runs."""

import os

import pytest

from aisbx.errors import StateError
from aisbx.testing.behaviour.base import Base, sandbox_of
from aisbx.testing.scene import Scene
from aisbx.types import CONTROLS, Driver, Level


class Reports(Base, contract=True):
    """`probe`, `check`, and what is observed."""

    def test_the_driver_says_whether_it_can_work_and_if_not_what_to_do(self, driver: Driver) -> None:
        """`probe` never raises, and a refusal comes with its reason and remedy."""
        probe = driver.probe()
        assert driver.name
        assert probe.usable or (probe.reason and probe.remedy)
        assert probe.usable, f"the kit needs a driver that works here: {probe.reason}; {probe.remedy}"

    def test_the_report_gives_a_mechanism_for_each_claim_and_a_reason_for_each_lack(
        self, driver: Driver, scene: Scene
    ) -> None:
        """A claim without a mechanism, or a lack without a reason, tells nobody anything."""
        enforcement = driver.check(scene.spec())
        for state in enforcement.states:
            assert state.control in CONTROLS
            assert state.mechanism or state.level is Level.NONE, f"{state.control} is claimed, but by what?"
            assert state.reason or state.level is Level.FULL, f"{state.control} is not full, but why?"

    def test_the_report_is_the_same_when_asked_twice_and_makes_nothing(self, driver: Driver, scene: Scene) -> None:
        """`check` looks; it does not touch the workspace or the home."""
        before = sorted(os.listdir(scene.workspace) + os.listdir(scene.home))
        assert driver.check(scene.spec()) == driver.check(scene.spec())
        assert sorted(os.listdir(scene.workspace) + os.listdir(scene.home)) == before

    def test_what_is_observed_is_no_weaker_than_what_was_planned(self, driver: Driver, scene: Scene) -> None:
        """A control that was FULL before the sandbox was made is FULL in it."""
        planned = driver.check(scene.spec())
        with sandbox_of(driver, scene) as sandbox:
            weaker = [
                state.control
                for state in planned.states
                if state.level is Level.FULL and sandbox.enforcement[state.control].level is not Level.FULL
            ]
        assert not weaker

    def test_a_sandbox_that_is_not_there_cannot_be_attached(self, driver: Driver) -> None:
        """Neither one that never was nor one of another driver."""
        with pytest.raises(StateError):
            driver.attach("no-such-sandbox")
