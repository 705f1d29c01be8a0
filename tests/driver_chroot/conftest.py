"""In the gate, the kit takes one way into chroot's sandboxes: the others are the code that bubblewrap's take.

And it does not show a second time that the attacks work where nothing confines them: no driver has a part in that.
"""

import os
from pathlib import Path

import pytest
from aisbx.plugins import Plugins
from aisbx.testing import contract
from aisbx.testing.ways import Way
from aisbx.testing.ways import ways as every
from aisbx.types import Driver

GATE = "chroot" in os.environ.get("AISBX_REQUIRE", "").split(",")
_HERE = Path(__file__).parent
_AGAIN = "test_the_attack_works_unconfined"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    again = [item for item in items if GATE and item.path.parent == _HERE and item.name.startswith(_AGAIN)]
    if again:
        config.hook.pytest_deselected(items=again)
        items[:] = [item for item in items if item not in again]


@pytest.fixture(autouse=True)
def one_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def planned(driver: Driver) -> dict[str, Way]:
        return {"planned": every(driver)["planned"]}

    if GATE:
        monkeypatch.setattr(contract, "ways", planned)


@pytest.fixture(scope="session")
def chroot(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """One driver for all tests: it probes once and keeps its compiled filters."""
    cache = tmp_path_factory.mktemp("cache")
    cache.chmod(0o700)
    driver = Plugins().get("driver", "chroot", {"cache_dir": str(cache)})
    probed = driver.probe()
    if not (probed.usable or GATE):
        pytest.skip(probed.reason)
    assert probed.usable, f"AISBX_REQUIRE names chroot: {probed.reason}; {probed.remedy}"
    return driver
