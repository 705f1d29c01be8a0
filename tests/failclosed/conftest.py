"""A home, a project and a bubblewrap of their own, and `aisbx` in a worse world: anew, by a plan, and the doctor."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
FAST = str(HERE.parents[1] / "aisbx-core" / "src" / "aisbx" / "cli" / "fast.py")
PYTHON = [sys.executable, "-I"]


@dataclass
class Place:
    """`bwrap` is a copy: a user namespace does not show whose the system's is."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def project(self) -> Path:
        return self.root / "project"

    @property
    def bwrap(self) -> Path:
        return self.root / "bwrap"

    @property
    def state(self) -> Path:
        return self.home / ".local" / "state" / "aisbx"

    @property
    def cache(self) -> Path:
        return self.home / ".cache" / "aisbx"

    @property
    def plans(self) -> list[str]:
        return os.listdir(self.cache / "plans") if (self.cache / "plans").is_dir() else []

    def enter(self, world: tuple[str, ...], command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PYTHON, str(HERE / "worlds.py"), *world, "--", *command],
            cwd=self.project,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def run(self, *world: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run a command that leaves `ran` in the project, as the installed command would: by a plan if there is one."""
        return self.enter(world, [*PYTHON, "-S", FAST, "run", *options, "--", "touch", "ran"])

    def ran(self) -> bool:
        """Tell whether a command ran, and forget it."""
        found = (self.project / "ran").exists()
        (self.project / "ran").unlink(missing_ok=True)
        return found

    def warm(self, *options: str) -> None:
        """Leave a plan; and without a worse world, all works."""
        done = self.run("as-it-is", options=options)
        assert (done.returncode, done.stderr) == (0, "")
        assert self.ran()
        assert self.plans

    def doctor(self, *world: str) -> tuple[bool, list[dict[str, Any]]]:
        """Give whether runs would be admitted, and the rows that stand against it."""
        done = self.enter(world, [*PYTHON, "-m", "aisbx", "doctor", "--json"])
        assert done.stderr == ""
        told = json.loads(done.stdout)
        assert done.returncode == (0 if told["ready"] else 125)
        return told["ready"], [row for row in told["rows"] if row["needed"] and row["state"] not in {"ok", "info"}]


@pytest.fixture
def place() -> Iterator[Place]:
    # Not pytest's own: root's sandboxes are somebody else, who must be able to reach the tool.
    root = Path(tempfile.mkdtemp(prefix="aisbx-failclosed-"))
    root.chmod(0o755)
    made = Place(root)
    made.home.mkdir(mode=0o700)
    made.project.mkdir()
    tool = shutil.which("bwrap", path="/usr/bin:/usr/local/bin")
    assert tool, "these tests need a bubblewrap"
    shutil.copy(tool, made.bwrap)
    made.bwrap.chmod(0o755)
    made.environ = {
        "HOME": str(made.home),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        # They would stand in where bubblewrap is made useless.
        "AISBX_DISABLE_PLUGINS": "aisbx-driver-chroot,aisbx-driver-lima",
        "AISBX_DRIVERS__BWRAP__PATH": str(made.bwrap),
    }
    try:
        yield made
    finally:
        shutil.rmtree(root)
