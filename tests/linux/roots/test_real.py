"""A root of Debian's packages, made for real from a mirror. (That of a host takes minutes: docs/rootfs.md.)"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.linux.roots.conftest import Make

ROOT = Path(__file__).parents[3]
REFUSED = """
import sys
from pathlib import Path
from aisbx.errors import StateError
from aisbx_linux.roots.make import make_root
from aisbx_linux.seccomp import compile_filter
try:
    make_root(Path(sys.argv[1]), "debian", compile_filter(("base",)), print)
except StateError as error:
    print(error)
"""
needs_mmdebstrap = pytest.mark.skipif(
    shutil.which("mmdebstrap") is None and "CI" not in os.environ, reason="mmdebstrap is not here"
)


def says(root: Path, *argv: str) -> str:
    """Give what a command prints in a root directory."""
    aisbx = [str(Path(sys.executable).parent / "aisbx"), "run", "--rootfs", str(root), "-p", "shell", "--", *argv]
    work = root.parent / "work"
    work.mkdir(exist_ok=True)
    done = subprocess.run(
        aisbx, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False, cwd=work
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@needs_mmdebstrap
def test_debian_is_made_from_its_packages_and_runs(make: Make, told: list[str], tmp_path: Path) -> None:
    root = tmp_path / "debian"
    assert make(root, "debian")
    assert [line for line in told if line.startswith("installing Debian")]
    assert "ID=debian" in says(root, "cat", "/usr/lib/os-release")
    assert "Debian 'dpkg'" in says(root, "dpkg", "--version")
    assert (root / "var/lib/dpkg/info/bash.list").read_text()
    assert {(root / name).lstat().st_uid for name in (".", "usr/bin/bash", "etc/passwd")} == {os.geteuid()}
    assert not make(root, "debian")


@needs_mmdebstrap
def test_that_there_can_be_no_namespaces_is_said(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "tests.driver_chroot.less", "all", sys.executable, "-c", REFUSED]
    done = subprocess.run(
        [*argv, str(tmp_path / "root")], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert "mmdebstrap ended with 127: E: what it runs in cannot be made: " in done.stdout, done.stderr
    assert os.listdir(tmp_path) == []
