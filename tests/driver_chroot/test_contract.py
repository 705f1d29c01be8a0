"""The chroot driver against the contract."""

import pytest
from aisbx.testing import DriverContract
from aisbx.types import Driver


class TestChroot(DriverContract):
    @pytest.fixture
    def driver(self, chroot: Driver) -> Driver:
        return chroot
