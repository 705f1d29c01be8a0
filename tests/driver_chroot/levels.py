"""The contract kit against what the chroot driver is where root is given less; `./dev levels` runs it.

AISBX_LEVEL names the level, and `less` has taken away what it does without.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aisbx.plugins import Plugins
from aisbx.testing import DriverContract
from aisbx.types import Driver, Enforcement, LocalDriver, LocalPlan, Probe, Sandbox, SandboxSpec
from aisbx_linux.roots.make import make_root
from aisbx_linux.seccomp import compile_filter

from tests.linux.roots import systems

LEVEL = os.environ.get("AISBX_LEVEL", "")
PYTHON = ("python3", "setsid", *systems.SHELL)


class Lesser:
    """The driver, but for sandboxes that last; without namespaces, with a root directory for all."""

    name = "chroot"

    def __init__(self, driver: LocalDriver, rootfs: str) -> None:
        self._driver = driver
        self._rootfs = rootfs

    def probe(self) -> Probe:
        return self._driver.probe()

    def check(self, spec: SandboxSpec) -> Enforcement:
        return self._driver.check(self._lesser(spec))

    def plan(self, spec: SandboxSpec) -> LocalPlan:
        return self._driver.plan(self._lesser(spec))

    def open(self, spec: SandboxSpec, home: Path) -> Sandbox:
        return self._driver.open(self._lesser(spec), home)

    def _lesser(self, spec: SandboxSpec) -> SandboxSpec:
        if LEVEL == "privileged" and spec.workspace is not None:
            os.chown(spec.workspace.path, 1234, 1234)  # in one of root's nothing could be written
        return replace(spec, rootfs=self._rootfs)

    def attach(self, handle: str) -> Sandbox:
        return self._driver.attach(handle)


@pytest.fixture(scope="session")
def lesser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    cache = tmp_path_factory.mktemp("cache")
    cache.chmod(0o700)
    driver = Plugins().get("driver", "chroot", {"cache_dir": str(cache)})
    assert isinstance(driver, LocalDriver)
    assert driver.probe().facts["level"].startswith(f"{LEVEL}: "), driver.probe()
    with tempfile.TemporaryDirectory(prefix="aisbx-levels-", dir="/var/tmp") as place:
        rootfs = ""
        if LEVEL == "plain":
            Path(place).chmod(0o755)
            rootfs = f"{place}/root"
            trees = [str(found) for found in Path("/usr/lib").glob("python3.*") if found.is_dir()]
            origin = systems.system(Path(place, "system.tar"), PYTHON, trees)
            make_root(Path(rootfs), origin, compile_filter(("base",)), print)
        yield Lesser(driver, rootfs)


class TestLesser(DriverContract):
    @pytest.fixture
    def driver(self, lesser: Driver) -> Driver:
        return lesser
