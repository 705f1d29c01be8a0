"""A temporary home that this process lives in while it measures what it does itself."""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from aisbx import Sandbox

from benchmarks.world import World


@contextmanager
def entered() -> Generator[World]:
    """Give a world whose variables and project this process has until the end; its sandboxes are destroyed then."""
    before, environ = os.getcwd(), dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="aisbx-bench-") as directory:
        world = World(Path(directory).resolve(), None)
        os.environ.clear()
        os.environ.update(world.environ)
        os.chdir(world.project)
        try:
            yield world
        finally:
            for name in Sandbox.names():
                Sandbox.attach(name).destroy(discard=True)
            os.chdir(before)
            os.environ.clear()
            os.environ.update(environ)
