"""The same sandboxes made here and by a supervisor, each in a home of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aisbx import Sandbox

from tests.supervisor.conftest import MUCH, Home, clear, serving


@dataclass
class Way:
    """One of both: what makes a sandbox, and finds it, there."""

    home: Home
    project: Path
    making: dict[str, Any]
    finding: dict[str, Any] = field(default_factory=dict[str, Any])

    def make(self, name: str = "", **options: Any) -> Sandbox:
        return Sandbox.create(name, **self.making, **self.finding, **options)

    @property
    def words(self) -> list[str]:
        """Those of a command line before the command."""
        return ["--remote", self.finding["remote"]] if self.finding else []

    @property
    def here(self) -> "Way":
        """The same home, without a supervisor: what its host's own user does."""
        return Way(self.home, self.project, {"profile": "shell", "workspace": str(self.project)})

    def aisbx(self, *words: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        argv = [sys.executable, "-I", "-m", "aisbx", *self.words, *words]
        return subprocess.run(
            argv, cwd=self.project, env=self.home.env, input=given, capture_output=True, check=False, timeout=60
        )


@pytest.fixture(scope="package", params=["here", "there"])
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    home = Home(tmp_path_factory.mktemp(request.param).resolve())
    project = home.path / "project"
    project.mkdir()
    before = {name: os.environ.get(name) for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    with pytest.MonkeyPatch.context() as patch:
        for name in before:
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(home.path))
        if request.param == "here":
            yield Way(home, project, {"profile": "shell", "workspace": str(project)})
        else:
            # As short as a socket's name must be, wherever temporary directories are.
            socket = (
                f"/proc/self/fd/{os.open(home.path, os.O_PATH)}/s" if len(str(home.path)) > 80 else f"{home.path}/s"
            )
            options = ("--profile", "shell", "--workspace", str(project), "--uds", socket)
            with serving(home, *options, env=MUCH) as served:
                yield Way(home, project, {}, {"remote": served.address})
    clear(home)
