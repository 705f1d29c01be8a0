"""The command line as people use it: a real process, in a home and a project of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Cli:
    """Runs `python -m aisbx`; `home` and `project` are fresh directories."""

    home: Path
    project: Path
    environ: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def config(self) -> Path:
        return self.home / ".config" / "aisbx"

    @property
    def state(self) -> Path:
        return self.home / ".local" / "state" / "aisbx"

    @property
    def env(self) -> dict[str, str]:
        base = {"HOME": str(self.home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "USER": "somebody"}
        return base | self.environ

    def argv(self, *arguments: str) -> list[str]:
        # -I as the launcher does: neither PYTHONPATH nor the project may add modules to ours.
        return [sys.executable, "-I", "-m", "aisbx", *arguments]

    def raw(self, *arguments: str, cwd: str | Path | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.argv(*arguments),
            cwd=cwd or self.project,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )

    def __call__(self, *arguments: str, cwd: str | Path | None = None) -> subprocess.CompletedProcess[str]:
        done = self.raw(*arguments, cwd=cwd)
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def json(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run with `--json`: one object on stdout, nothing on stderr."""
        done = self(*arguments, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        assert not done.stderr
        assert done.stdout.count("\n") == 1
        return json.loads(done.stdout)

    def refused(self, *arguments: str, code: str, exit_code: int = 125) -> str:
        """Run what must be refused: one line on stderr, nothing on stdout; gives that line."""
        done = self(*arguments)
        assert done.returncode == exit_code, done.stdout + done.stderr
        assert not done.stdout
        assert done.stderr.startswith(f"aisbx: {code}: "), done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def write_audit(self, *records: dict[str, object] | bytes) -> None:
        lines = [record if isinstance(record, bytes) else json.dumps(record).encode() + b"\n" for record in records]
        self.state.mkdir(parents=True, exist_ok=True)
        (self.state / "audit.jsonl").write_bytes(b"".join(lines))

    def keep_output(self, run: str, data: bytes) -> None:
        (self.state / "runs").mkdir(parents=True, exist_ok=True)
        (self.state / "runs" / f"{run}.log").write_bytes(data)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    home = tmp_path / "home"
    project = home / "project"
    project.mkdir(parents=True)
    os.chmod(home, 0o700)
    return Cli(home, project)


def record(number: int, **more: object) -> dict[str, object]:
    """An audit record as the engine writes them."""
    return {
        "v": 1,
        "time": 1_790_000_000.0 + number,
        "kind": "run.end",
        "run": f"run{number:04}",
        "principal": "uid:1000",
        "host": "cli",
        "argv": ["true"],
        "profile": "base",
        "driver": "bwrap",
        "exit_code": 0,
        "signal": None,
        "timed_out": False,
        "duration": 0.25,
    } | more
