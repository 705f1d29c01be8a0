"""How each benchmark is tried: once, in a home of its own, that it leaves as it was."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def figures(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Give what `./dev bench ARGUMENTS --json` tells, once its exit code fits and the user's home is as it was."""

    def take(*arguments: str) -> dict[str, Any]:
        home = tmp_path / "home"
        home.mkdir()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks", *arguments, "--json"],
            cwd=ROOT,
            env={**os.environ, "HOME": str(home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (0 if result["ok"] else 1)
        assert not list(home.iterdir())
        return result

    return take
