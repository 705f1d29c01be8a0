"""The chroot driver against the contract, and against what docs/kit-results-chroot.json says of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from aisbx.testing import DriverContract
from aisbx.types import Driver

from tests.recorded import compared

RESULTS = Path(__file__).parents[2] / "docs/kit-results-chroot.json"


class TestChroot(DriverContract):
    @pytest.fixture
    def driver(self, chroot: Driver) -> Driver:
        return chroot

    @pytest.fixture(autouse=True)
    def as_recorded(self, request: pytest.FixtureRequest) -> Iterator[None]:
        """What the documents say was seen is what is seen here and now."""
        yield from compared(request, RESULTS)
