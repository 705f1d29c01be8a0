"""A real machine is booted only where it is asked for, by `./dev lima` or AISBX_REQUIRE; there, a missing one fails."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from aisbx.plugins import Plugins
from aisbx.types import Driver

REQUIRED = "lima" in os.environ.get("AISBX_REQUIRE", "").split(",")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--lima", action="store_true", help="boot a virtual machine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if REQUIRED or config.getoption("--lima", default=False):
        return
    real = [item for item in items if "lima" in getattr(item, "fixturenames", ())]
    if real:
        config.hook.pytest_deselected(items=real)
        items[:] = [item for item in items if item not in real]


@pytest.fixture(scope="session")
def lima() -> Iterator[Driver]:
    """One machine for all tests, which is gone when they have ended."""
    cache = Path(tempfile.mkdtemp(prefix="al-"))  # short: sockets lie in it
    driver = Plugins().get(
        "driver", "lima", {"cache_dir": str(cache), "image": os.environ.get("AISBX_LIMA_IMAGE", "/")}
    )
    probed = driver.probe()
    assert probed.usable, f"{probed.reason}; {probed.remedy}"
    try:
        yield driver
    finally:
        driver.machine.remove()  # pyright: ignore[reportAttributeAccessIssue]  (only this driver has one)
        shutil.rmtree(cache)
