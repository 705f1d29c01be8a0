"""`aisbx run` both ways: through the full command line, and through the lean front with a plan at hand."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CORE = str(Path(__file__).parents[2] / "aisbx-core" / "src")
NOT_LEAN = 99
"""Exit code of the lean front in these tests where it would have handed over to the full command line."""
_LEAN = (
    "import sys; sys.path.insert(0, sys.argv[1]); import aisbx.cli.lean as lean;"
    f"lean.full = lean.prepare = lambda *_: {NOT_LEAN}; lean.main(sys.argv[2:])"
)


# A directory that has just changed is looked at again for two seconds, which the compiled front leaves to Python.
_SETTLED = (
    "import sys, runpy, aisbx_linux.protect.scan as scan; scan.RACY = 0; sys.argv[0] = 'aisbx';"
    "runpy.run_module('aisbx', run_name='__main__')"
)
FRONT = Path(sys.executable).parent / "aisbx-front"


needs_front = pytest.mark.skipif(
    not FRONT.exists() and "machine" not in os.environ.get("AISBX_REQUIRE", "").split(","),
    reason="the compiled front needs a C compiler at set-up",
)


@dataclass
class World:
    """A home and a project of their own, and `aisbx` in them."""

    home: Path
    project: Path
    way: str
    environ: Mapping[str, str]
    warmed: list[Sequence[str]] = field(default_factory=list[Sequence[str]])

    @property
    def state(self) -> Path:
        return self.home / ".local" / "state" / "aisbx"

    @property
    def plans(self) -> Path:
        return self.home / ".cache" / "aisbx" / "plans"

    def argv(self, *arguments: str) -> list[str]:
        """Give the command line of `aisbx run`, by this world's way."""
        return {"lean": self.lean, "front": self.front, "full": self.full}[self.way](*arguments)

    def front(self, *arguments: str) -> list[str]:
        """Give the command line by the compiled front; what it does not carry out itself goes to the lean front."""
        return [str(FRONT), sys.executable, f"{CORE}/aisbx/cli/fast.py", "run", *arguments]

    def full(self, *arguments: str) -> list[str]:
        return [sys.executable, "-I", "-m", "aisbx", "run", *arguments]

    def lean(self, *arguments: str) -> list[str]:
        return [sys.executable, "-I", "-S", "-c", _LEAN, CORE, "run", *arguments]

    def warm(self, *options: str) -> None:
        """Let the full way leave a plan for these options; and it must leave one."""
        argv = self.full(*options, "--", "true")
        if self.way == "front":
            argv[2:4] = ["-c", _SETTLED]
        done = subprocess.run(
            argv,
            cwd=self.project,
            env=self.environ,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()

    def execute(self, argv: Sequence[str], **how: Any) -> subprocess.CompletedProcess[bytes]:
        """Run a command line in this world, once."""
        how = {"stdin": subprocess.DEVNULL, "capture_output": True} | how
        return subprocess.run(argv, cwd=self.project, env=self.environ, timeout=60, check=False, **how)

    def run(self, *command: str, options: Sequence[str] = (), **how: Any) -> subprocess.CompletedProcess[bytes]:
        how = {"stdin": subprocess.DEVNULL} | how if "input" not in how else how
        how = {"capture_output": True} | how if "stdout" not in how else how
        for _ in range(3):
            if self.way == "lean" or (self.way == "front" and options not in self.warmed):
                self.warm(*options)
                self.warmed.append(options)
            done = subprocess.run(
                self.argv(*options, "--", *command),
                cwd=self.project,
                env=self.environ,
                timeout=60,
                check=False,
                **how,
            )
            # Another test can make a plan stale by what it does to the machine; then nothing has run.
            if done.returncode != NOT_LEAN:
                return done
        raise AssertionError("every plan is stale at once")

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.state / "audit.jsonl").read_text().splitlines()]


@pytest.fixture
def world_of(tmp_path: Path) -> Callable[[str], World]:
    def make(way: str) -> World:
        home, project = tmp_path / "home", tmp_path / "project"
        home.mkdir()
        project.mkdir()
        environ = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        return World(home, project, way, environ)

    return make


@pytest.fixture(params=["full", "lean", pytest.param("front", marks=needs_front)])
def world(request: pytest.FixtureRequest, world_of: Callable[[str], World]) -> World:
    return world_of(request.param)
