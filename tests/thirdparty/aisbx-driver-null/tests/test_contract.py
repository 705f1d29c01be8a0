"""The driver against the contract that every driver of aisbx has to keep."""

import sys
from typing import ClassVar

import pytest
from aisbx.admission import require, unmet
from aisbx.errors import ControlError
from aisbx.plugins import Plugins
from aisbx.testing import DriverContract
from aisbx.testing.scene import Scene
from aisbx.types import CONTROLS, Driver


class TestNull(DriverContract):
    python = sys.executable  # commands run on the host, so its own Python is there
    waive: ClassVar = {"test_a_terminal_has_the_size_it_is_given": "the null driver gives no terminals"}

    @pytest.fixture
    def driver(self) -> Driver:
        return Plugins().get("driver", "null")


def test_every_spec_is_refused_unless_each_control_is_given_up_by_name() -> None:
    from dataclasses import replace

    driver = Plugins().get("driver", "null")
    with Scene() as scene:
        spec = scene.spec()
        asked = [state.control for state in unmet(spec, driver.check(spec))]
        assert set(spec.required_controls()) <= set(asked)
        for control in asked:
            without = replace(spec, lowered=frozenset(asked) - {control})
            with pytest.raises(ControlError, match=control):
                require(without, driver.check(without))
        lowered = replace(spec, lowered=frozenset(CONTROLS))
        require(lowered, driver.check(lowered))
