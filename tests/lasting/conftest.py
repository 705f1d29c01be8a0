"""`aisbx create`, `exec` and the rest, as people use them: real processes, in a home and a project of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Box:
    """A home and a project of their own, and `aisbx` in them."""

    home: Path
    project: Path

    @property
    def state(self) -> Path:
        return self.home / ".local" / "state" / "aisbx"

    @property
    def env(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "SECRET": "s3cr3t"}

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-I", "-m", "aisbx", *arguments]

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            self.argv(*arguments),
            cwd=self.project,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __call__(self, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            self.argv(*arguments),
            cwd=self.project,
            env=self.env,
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def out(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run what must succeed and give what it printed."""
        done = self(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def json(self, *arguments: str) -> dict[str, Any]:
        return json.loads(self.out(*arguments))

    def refused(self, *arguments: str, code: str, exit_code: int = 125) -> str:
        done = self(*arguments)
        assert done.returncode == exit_code, done.stdout + done.stderr
        assert done.stderr.startswith(f"aisbx: {code}: "), done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    home = tmp_path / "home"
    project = home / "project"
    project.mkdir(parents=True)
    os.chmod(home, 0o700)
    made = Box(home, project)
    yield made
    made("destroy", "--all")
    assert not list((made.state / "sandboxes").glob("*")), "something was left"


def sleepers(seconds: int) -> list[int]:
    """Give the pids of this host that sleep for just so long."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[:2] == [b"sleep", str(seconds).encode()]:
                found.append(int(entry.name))
    return found
