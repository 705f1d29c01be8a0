"""The Lima driver against the contract, in a real machine. The workspace is a copy that applies itself at the end."""

from typing import ClassVar

import pytest
from aisbx.testing import DriverContract
from aisbx.testing.scene import Scene
from aisbx.types import Driver

from tests.driver_lima.guest import GuestScene


class TestLima(DriverContract):
    scenes: ClassVar[type[Scene]] = GuestScene

    @pytest.fixture
    def driver(self, lima: Driver) -> Driver:
        GuestScene.driver = lima
        return lima
