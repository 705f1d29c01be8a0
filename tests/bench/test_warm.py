"""The benchmark of commands of lasting sandboxes gives every figure, and leaves nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_it_gives_every_figure_and_leaves_the_users_home_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--warm", "--rounds", "1", "--alive", "2", "--json"],
        cwd=ROOT,
        env={**os.environ, "HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    result = json.loads(done.stdout)
    assert done.returncode == (0 if result["ok"] else 1)
    assert all(row["figure"] > 0 for row in result["rows"])
    assert len([row for row in result["rows"] if row["at_most"] or row["at_least"]]) == 10
    assert not list(home.iterdir())
