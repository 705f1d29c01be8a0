"""bubblewrap against the contract, and against what docs/kit-results.json says of it."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aisbx.plugins import Plugins
from aisbx.testing import DriverContract
from aisbx.testing.record import ATTACK, CONTROL
from aisbx.testing.results import REFUSED, Tried, kind_of_user, load
from aisbx.types import Driver

from tests.recorded import compared, difference

pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None and "bwrap" not in os.environ.get("AISBX_REQUIRE", "").split(","),
    reason="bubblewrap is not installed",
)

RESULTS = Path(__file__).parents[2] / "docs/kit-results.json"


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

    @pytest.fixture(autouse=True)
    def as_recorded(self, request: pytest.FixtureRequest) -> Iterator[None]:
        """What the documents say was seen is what is seen here and now."""
        yield from compared(request, RESULTS)


def test_another_result_than_the_recorded_one_is_noticed() -> None:
    recorded = load(RESULTS)[kind_of_user()]
    assert difference(ATTACK, "net:deny/tcp full held", recorded) == ""
    assert difference(ATTACK, "net:deny/tcp none refused", recorded)
    assert difference(CONTROL, "net:deny full admitted", recorded) == ""
    assert difference(CONTROL, "net:deny full refused", recorded)
    tcp = replace(recorded["net:deny"], attacks={**recorded["net:deny"].attacks, "tcp": Tried("partial", REFUSED)})
    assert difference(ATTACK, "net:deny/tcp full held", {**recorded, "net:deny": tcp})
