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
from aisbx.testing.results import HELD, REFUSED, UNPROVED, Seen, Tried, kind_of_user, load
from aisbx.types import Driver

pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None and "bwrap" not in os.environ.get("AISBX_REQUIRE", "").split(","),
    reason="bubblewrap is not installed",
)


RESULTS = Path(__file__).parents[2] / "docs/kit-results.json"
# How far these hold depends on whether cgroups can be made here.
BY_MACHINE = {"limit:memory", "limit:pids", "limit:cpus"}


def difference(name: str, text: str, recorded: dict[str, Seen]) -> str:
    """Say how what a test has just seen differs from the record; empty if it does not."""
    if name not in (ATTACK, CONTROL):
        return ""
    key, *now = text.split()
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
        yield
        if request.config.getoption("record_results", None) is None:
            recorded = load(RESULTS)[kind_of_user()]
            found = [difference(name, str(value), recorded) for name, value in request.node.user_properties]
            assert not any(found), found


def test_another_result_than_the_recorded_one_is_noticed() -> None:
    recorded = load(RESULTS)[kind_of_user()]
    assert difference(ATTACK, "net:deny/tcp full held", recorded) == ""
    assert difference(ATTACK, "net:deny/tcp none refused", recorded)
    assert difference(CONTROL, "net:deny full admitted", recorded) == ""
    assert difference(CONTROL, "net:deny full refused", recorded)
    tcp = replace(recorded["net:deny"], attacks={**recorded["net:deny"].attacks, "tcp": Tried("partial", REFUSED)})
    assert difference(ATTACK, "net:deny/tcp full held", {**recorded, "net:deny": tcp})
