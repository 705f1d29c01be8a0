"""Make root directories from small archives."""

from collections.abc import Callable
from pathlib import Path

import pytest
from aisbx_linux.roots.make import make_root
from aisbx_linux.seccomp import compile_filter

from tests.linux.roots import systems

Make = Callable[[Path, str], bool]


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the origin of a system that has a shell, and `/etc/ssl/certs/ours`."""
    return systems.system(tmp_path_factory.mktemp("system") / "system.tar")


@pytest.fixture(scope="session")
def program() -> bytes:
    return compile_filter(("base",))


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def make(program: bytes, told: list[str]) -> Make:
    return lambda place, origin: make_root(place, origin, program, told.append)
