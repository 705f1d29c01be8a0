import os
import shutil

import pytest
from aisbx.plugins import Plugins
from aisbx.testing import DriverContract
from aisbx.types import Driver

pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None and "bwrap" not in os.environ.get("AISBX_REQUIRE", "").split(","),
    reason="bubblewrap is not installed",
)


@pytest.fixture(scope="module")
def bwrap(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """One driver for all tests: it probes once and keeps its compiled filters."""
    cache = tmp_path_factory.mktemp("cache")
    cache.chmod(0o700)
    return Plugins().get("driver", "bwrap", {"cache_dir": str(cache)})


class TestBwrap(DriverContract):
    @pytest.fixture
    def driver(self, bwrap: Driver) -> Driver:
        return bwrap
