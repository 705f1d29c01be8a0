"""The real set-up of a clean checkout: once, also when two start at the same time, and again after an interruption."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from .support import copy_checkout, run

pytestmark = pytest.mark.slow

SCRIPT = ["./aisbx", "--help"]


def start(checkout: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        SCRIPT,
        cwd=checkout,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.timeout(600)
def test_two_first_uses_at_once_set_up_once_and_later_ones_start_at_once(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    first, second = start(checkout), start(checkout)
    outputs = [process.communicate(timeout=500) for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outputs
    said = "".join(err for _, err in outputs)
    assert said.count("1/3 creating the environment") == 1
    assert said.count("ready after") == 1
    later = run(SCRIPT, cwd=checkout)
    assert (later.returncode, later.stderr) == (0, "")
    assert "run" in later.stdout

    # The developers' tools come on top of the same environment, and only when they are asked for.
    assert not (checkout / ".venv/bin/ruff").exists()
    types = run(["./dev", "types", "--version"], cwd=checkout, timeout=500)
    assert types.returncode == 0, types.stderr
    assert "creating the environment" not in types.stderr
    assert "basedpyright" in types.stdout + types.stderr

    # An edited pyproject.toml refreshes it, without making a user's environment out of a developer's.
    (checkout / "aisbx-profiles/pyproject.toml").touch()
    again = run(SCRIPT, cwd=checkout)
    assert "refreshing" in again.stderr
    assert (checkout / ".venv/.aisbx-dev").exists()
    assert not (checkout / "uv.lock").exists()


@pytest.mark.timeout(600)
def test_a_set_up_that_was_killed_is_done_again(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    process = start(checkout)
    assert process.stderr is not None
    for line in process.stderr:
        if "2/3" in line:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    done = run(SCRIPT, cwd=checkout, timeout=500)
    assert done.returncode == 0, done.stderr
    assert "1/3 creating the environment" in done.stderr
