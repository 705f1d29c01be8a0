"""What the tests of behaviour share: the fixtures, and ways to run a program inside."""

import contextlib
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from aisbx.testing.scene import Scene
from aisbx.testing.ways import ways
from aisbx.testing.whole import Contract
from aisbx.types import (
    Command,
    Driver,
    ExitStatus,
    LastingDriver,
    Process,
    ReleasableSandbox,
    Sandbox,
    SandboxSpec,
    Stdio,
)

SECONDS = 30.0
"""No command of these tests takes longer."""


class Base(Contract, contract=True):
    """The driver under test and a scene for it."""

    python: ClassVar[str] = "/usr/bin/python3"
    """A Python 3 inside the sandbox; attacks and checks are programs of it."""

    scenes: ClassVar[type[Scene]] = Scene
    """What the host's side is, for drivers whose sandboxes get a copy of the workspace."""

    @pytest.fixture
    def driver(self) -> Driver:
        """Give the driver; the one thing that an author must write."""
        pytest.fail(f"{type(self).__name__} gives no fixture `driver`")

    @pytest.fixture
    def scene(self) -> Iterator[Scene]:
        """Give a host with a home and a workspace."""
        with self.scenes() as scene:
            yield scene

    def run(
        self, driver: Driver, scene: Scene, program: str, *arguments: str, stdio: Stdio | None = None
    ) -> list[ExitStatus]:
        """Run a Python program inside, on every way there is."""
        argv = (self.python, "-I", "-S", "-c", program, *arguments)
        return [
            way(scene.spec(), Command(argv=argv), stdio or Stdio(), Path(scene.state), SECONDS)
            for way in ways(driver).values()
        ]

    @contextlib.contextmanager
    def running(self, driver: Driver, scene: Scene, program: str, stdio: Stdio | None = None) -> "Generator[Process]":
        """Start a Python program inside, and end it."""
        with sandbox_of(driver, scene) as sandbox:
            yield sandbox.spawn(Command(argv=(self.python, "-I", "-S", "-c", program)), stdio or Stdio())

    def said(self, sandbox: Sandbox, program: str, *arguments: str) -> str:
        """Run a Python program in a sandbox that is there, to its good end, and give what it printed."""
        argv = (self.python, "-I", "-S", "-c", program, *arguments)
        status = sandbox.spawn(Command(argv=argv), Stdio()).wait(SECONDS)
        assert status is not None
        assert status.code == 0, status.stderr.data
        return status.stdout.data.decode()


@contextlib.contextmanager
def sandbox_of(driver: Driver, scene: Scene) -> "Generator[Sandbox]":
    """Open a sandbox for the scene's ordinary spec, and close it."""
    sandbox = driver.open(scene.spec(), Path(scene.state))
    try:
        yield sandbox
    finally:
        sandbox.close()


@contextlib.contextmanager
def standing(driver: Driver, scene: Scene, spec: SandboxSpec | None = None) -> "Generator[Sandbox]":
    """Make a sandbox that lasts where the driver has such, open one where not; end it."""
    if not isinstance(driver, LastingDriver):
        with sandbox_of(driver, scene) as sandbox:
            yield sandbox
        return
    home, kept = Path(tempfile.mkdtemp(prefix="lasting-", dir=scene.state)), Path(scene.state)
    try:
        sandbox = driver.create(spec or scene.spec(), home, kept, 0.0)
        try:
            yield sandbox
        finally:
            if isinstance(sandbox, ReleasableSandbox):
                sandbox.release()
    finally:
        driver.end(home)


def until(ready: Callable[[], bool]) -> None:
    """Wait for something to happen inside."""
    end = time.monotonic() + SECONDS
    while not ready():
        assert time.monotonic() < end, "nothing happened inside"
        time.sleep(0.01)
