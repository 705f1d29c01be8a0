"""What the tests of behaviour share: the fixtures, and ways to run a program inside."""

import contextlib
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from aisbx.testing.scene import Scene
from aisbx.testing.ways import ways
from aisbx.testing.whole import Contract
from aisbx.types import Command, Driver, ExitStatus, Process, Sandbox, Stdio

SECONDS = 30.0
"""No command of these tests takes longer."""


class Base(Contract, contract=True):
    """The driver under test and a scene for it."""

    python: ClassVar[str] = "/usr/bin/python3"
    """A Python 3 inside the sandbox; attacks and checks are programs of it."""

    @pytest.fixture
    def driver(self) -> Driver:
        """Give the driver; the one thing that an author must write."""
        pytest.fail(f"{type(self).__name__} gives no fixture `driver`")

    @pytest.fixture
    def scene(self) -> Iterator[Scene]:
        """Give a host with a home and a workspace."""
        with Scene() as scene:
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


@contextlib.contextmanager
def sandbox_of(driver: Driver, scene: Scene) -> "Generator[Sandbox]":
    """Open a sandbox for the scene's ordinary spec, and close it."""
    sandbox = driver.open(scene.spec(), Path(scene.state))
    try:
        yield sandbox
    finally:
        sandbox.close()


def until(ready: Callable[[], bool]) -> None:
    """Wait for something to happen inside."""
    end = time.monotonic() + SECONDS
    while not ready():
        assert time.monotonic() < end, "nothing happened inside"
        time.sleep(0.01)
