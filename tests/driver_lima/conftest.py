"""A real machine is booted only by `./dev lima`, one for all tests; there, what it needs and is missing is a failure.

In the gate (AISBX_REQUIRE names lima) the kit takes a few of its attacks there, on one way: under emulation all of
them take the better part of an hour, and in the guest they meet the code that bubblewrap's kit has attacked.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from aisbx.plugins import Plugins
from aisbx.testing import ATTACKS, contract
from aisbx.testing.ways import Way
from aisbx.testing.ways import ways as every
from aisbx.types import Driver

GATE = "lima" in os.environ.get("AISBX_REQUIRE", "").split(",")
_HERE = Path(__file__).parent
_AGAIN = "test_the_attack_works_unconfined"  # no driver has a part in that
_IN_GATE = (
    *("fs:host-hidden/secret", "fs:protected/new-hook", "net:deny/tcp", "net:allowlist/proxied"),
    *("proc:no-survivors/launcher-killed", "limit:memory/one"),
)
"""Of the kit's attacks."""
assert set(_IN_GATE) <= set(ATTACKS), "a gate would take fewer of them, and say nothing"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--lima", action="store_true", help="boot a virtual machine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("--lima", default=False)
    records = bool(config.getoption("--record-results", default=""))  # which needs to see the attacks work, too
    dropped = [
        item for item in items if item.path.parent == _HERE and not _runs(item, machine=bool(wanted), records=records)
    ]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]


def _runs(item: pytest.Item, *, machine: bool, records: bool) -> bool:
    attacks = item.path.name == "test_contract.py"
    if not machine:
        return not attacks and "lima" not in getattr(item, "fixturenames", ())
    if GATE and attacks:
        return "attack_fails" in item.name and any(f"[{name}]" in item.name for name in _IN_GATE)
    if GATE:
        return "lima" in getattr(item, "fixturenames", ())
    return records or not item.name.startswith(_AGAIN)


@pytest.fixture(autouse=True)
def one_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(driver: Driver) -> dict[str, Way]:
        return {"opened": every(driver)["opened"]}

    if GATE:
        monkeypatch.setattr(contract, "ways", opened)


@pytest.fixture(scope="session")
def lima() -> Iterator[Driver]:
    """One machine for all tests, which is gone when they have ended."""
    cache = Path(tempfile.mkdtemp(prefix="al-"))  # short: sockets lie in it
    settings: dict[str, object] = {"cache_dir": str(cache)}
    if image := os.environ.get("AISBX_DRIVERS__LIMA__IMAGE"):  # as for `aisbx` itself; else the usual place
        settings["image"] = image
    driver = Plugins().get("driver", "lima", settings)
    probed = driver.probe()
    assert probed.usable, f"{probed.reason}; {probed.remedy}"
    try:
        yield driver
    finally:
        driver.machine.remove()  # pyright: ignore[reportAttributeAccessIssue]  (only this driver has one)
        while cache.exists():
            shutil.rmtree(cache, ignore_errors=True)  # ssh, which ends with the machine, removes its sockets itself
