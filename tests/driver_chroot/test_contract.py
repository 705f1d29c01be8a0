"""The chroot driver against the contract."""

import pytest
from aisbx.plugins import Plugins
from aisbx.testing import DriverContract
from aisbx.types import Driver


@pytest.fixture(scope="module")
def chroot(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """One driver for all tests: it probes once and keeps its compiled filters."""
    cache = tmp_path_factory.mktemp("cache")
    cache.chmod(0o700)
    return Plugins().get("driver", "chroot", {"cache_dir": str(cache)})


class TestChroot(DriverContract):
    @pytest.fixture
    def driver(self, chroot: Driver) -> Driver:
        return chroot
