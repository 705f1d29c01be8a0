"""Wheels and environments that several tests look at, each made once."""

import sys
from pathlib import Path

import pytest

from .support import PROJECTS, ROOT, must, new_environment, once, pip


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel of each distribution, built from this checkout."""

    def build(target: Path) -> None:
        for project in PROJECTS:
            must([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, project])

    return once(tmp_path_factory, "wheels", build)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Path:
    """An environment as a user's: core, the bubblewrap driver and the profiles, from wheels."""

    def make(target: Path) -> None:
        new_environment(target)
        pip(target, "--require-hashes", "-r", ROOT / "requirements-run.lock")
        pip(target, "--no-index", "--find-links", wheels, "aisbx-core", "aisbx-driver-bwrap", "aisbx-profiles")

    return once(tmp_path_factory, "installed", make)


@pytest.fixture(scope="session")
def core_only(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Path:
    """An environment with the core and nothing else of ours."""

    def make(target: Path) -> None:
        new_environment(target)
        pip(target, "--require-hashes", "-r", ROOT / "requirements-run.lock")
        pip(target, "--no-index", "--find-links", wheels, "aisbx-core")

    return once(tmp_path_factory, "core_only", make)
