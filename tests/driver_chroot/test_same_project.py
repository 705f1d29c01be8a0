"""The same project, profile and command line, whatever makes the walls: docs/drivers.md."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    place = tmp_path.resolve() / "home" / "project"
    place.parent.mkdir()
    shutil.copytree(ROOT / "examples", place)
    return place


def test_the_example_says_the_same_by_each_driver(project: Path) -> None:
    """A read-only workspace is what a virtual machine has of the same."""

    def said(driver: str) -> str:
        argv = [Path(sys.executable).parent / "aisbx", "run", "-d", driver, "-p", "python-dev", "-w", ".:ro", "--"]
        environ = {"HOME": str(project.parent), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        done = subprocess.run(
            [*argv, "python", "hello.py"],
            cwd=project,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    by_bwrap = said("bwrap")
    assert f"directory  {project}" in by_bwrap
    assert "network    no" in by_bwrap
    assert said("chroot") == by_bwrap
