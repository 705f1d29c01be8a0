"""A run that goes wrong in its midst is not told as one that never began, and what it left behind is told."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from .conftest import World

PLANT = "mkdir .vscode; echo {} > .vscode/tasks.json; touch ran; echo; "
BROKEN = """
import os, sys
from aisbx_linux import launch
step = launch.Launch._step
def broken(self, until):
    if self.wires is not None and os.path.exists("ran"):
        raise RuntimeError("the loop is broken")
    return step(self, until)
launch.Launch._step = broken
"""
UNRECORDED = """
import sys
from aisbx.plan import run
def full(*_):
    raise OSError(28, "No space left on device")
run.append = full
"""
MAIN = "from aisbx.cli.app import main; sys.exit(main(sys.argv[1:]))"


def spoilt(world: World, how: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-c", how + MAIN, "run", *words],
        cwd=world.project,
        env=world.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_run_that_cannot_be_served_any_more_is_no_run_that_never_began(world_of: Callable[[str], World]) -> None:
    world = world_of("full")
    done = spoilt(world, BROKEN, "--", "sh", "-c", f"{PLANT} sleep 60")
    first, second, *more = done.stderr.splitlines()
    assert (done.returncode, more) == (125, [])
    assert first.startswith("aisbx: aborted: the loop is broken; hint: ")
    assert "planned anew" not in first
    assert second.startswith("aisbx: quarantined .vscode")
    assert not (world.project / ".vscode").exists()
    (record,) = world.records()
    assert (record["kind"], record["exit_code"], record["error"]["code"]) == ("run.end", 125, "aborted")
    assert record["findings"]
    kept = [plan.name for plan in world.plans.iterdir() if not plan.name.startswith("native-")]
    assert len(kept) == 1, "the plan was not to blame"


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_was_planted_is_told_where_the_record_is_lost(
    world_of: Callable[[str], World], options: tuple[str, ...]
) -> None:
    done = spoilt(world_of("full"), UNRECORDED, *options, "--", "sh", "-c", PLANT)
    assert done.returncode == 125
    if options:
        error = json.loads(done.stdout)["error"]
        assert (error["code"], done.stderr) == ("state", "")
        (finding,) = error["findings"]
    else:
        line, finding = done.stderr.splitlines()
        assert line.startswith("aisbx: state: ")
    assert "quarantined .vscode" in finding
