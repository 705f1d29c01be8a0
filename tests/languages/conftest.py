"""A project of somebody's, and `aisbx run` in it with this machine's own toolchains."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

WORK = Path(__file__).parent / "work"
PATH = "/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin"


@dataclass
class Project:
    """A home and a directory in it; nothing of whoever runs the tests is in reach but what `environ` names."""

    home: Path
    directory: Path
    environ: dict[str, str] = field(default_factory=dict[str, str])

    def run(
        self, profile: str, *command: str, options: Sequence[str] = (), environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "-m", "aisbx", "run", "-p", profile, *options, "--", *command],
            cwd=self.directory,
            env={**self.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    def say(self, profile: str, *command: str, options: Sequence[str] = ()) -> str:
        """Run a command that must succeed, and give what it printed."""
        done = self.run(profile, *command, options=options)
        assert done.returncode == 0, f"{done.stderr[-4000:]}\n{done.stdout[-4000:]}"
        return done.stdout

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def copy(self, name: str, as_name: str = "") -> Path:
        """Put a file or directory of `work` into the project."""
        target = self.directory / (as_name or name)
        target.parent.mkdir(parents=True, exist_ok=True)
        source = WORK / name
        shutil.copytree(source, target, dirs_exist_ok=True) if source.is_dir() else shutil.copy(source, target)
        return target

    @property
    def cache(self) -> Path:
        """The one cache that was kept in this home."""
        (kept,) = (self.home / ".cache/aisbx/projects").iterdir()
        return kept

    def another(self, name: str) -> "Project":
        """Give another project of the same user."""
        directory = self.directory.parent / name
        directory.mkdir()
        return Project(self.home, directory, self.environ)


def make(place: Path) -> Project:
    home = place / "home"
    directory = home / "work" / "project"
    directory.mkdir(parents=True)
    return Project(home, directory, {"HOME": str(home), "PATH": PATH, "LANG": "C.UTF-8"})


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make(tmp_path)


@pytest.fixture(scope="module")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make(tmp_path_factory.mktemp("kept"))


@pytest.fixture
def warm(_kept: Project) -> Project:
    """A project that is empty, but whose cache has what the tests before left: compilers take a minute without."""
    for path in _kept.directory.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return _kept


def need(tool: str, *more: str) -> str:
    """Give the path of a tool of this machine.

    `.ci/run` installs all that these tests use, so there a missing one is a failure (AISBX_REQUIRE); elsewhere nobody
    has every language.
    """
    found = shutil.which(tool, path=os.pathsep.join((PATH, *more)))
    if found is None:
        if "languages" in os.environ.get("AISBX_REQUIRE", "").split(","):
            pytest.fail(f"{tool} should be on this machine and is not")
        pytest.skip(f"{tool} is not on this machine")
    return found
