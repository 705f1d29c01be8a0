"""Our own files cannot be written: a command that fills the disk must not get away with anything by that."""

import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from .conftest import CORE, World

PLANT = "git init -q sub && printf '#!/bin/sh\\n' >sub/.git/hooks/pre-commit && chmod +x sub/.git/hooks/pre-commit"


def test_a_log_that_cannot_be_kept_ends_neither_the_run_nor_the_look_at_the_workspace(
    world_of: Callable[[str], World],
) -> None:
    world = world_of("lean")
    world.warm()
    (world.state / "runs").rmdir()
    (world.state / "runs").write_text("")
    command = ("--", "sh", "-c", f"{PLANT}; echo one; echo two")
    done = world.execute(
        world.lean(*command),
    )
    assert (done.returncode, done.stdout) == (0, b"one\ntwo\n"), done.stderr
    told = done.stderr.decode().splitlines()
    assert [line.split(":")[1].split()[0] for line in told] == ["quarantined", "output"], told
    assert "it is not kept any more: Not a directory" in told[1]
    assert not (world.project / "sub/.git/hooks/pre-commit").exists()
    assert world.records()[-1]["argv"] == list(command[1:])


def test_a_run_whose_record_cannot_be_written_is_no_success_and_is_not_run_again(world: World) -> None:
    log = world.state / "audit.jsonl"
    world.warm()
    log.write_text(f'{{"v":1,"pad":"{"x" * (8 << 20)}"}}\n')
    before = log.stat().st_size

    def full() -> None:  # the log cannot grow by a whole record; what else is written is shorter than it is
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (before + 50, before + 50))

    done = world.execute(
        world.argv("--", "sh", "-c", "echo >>count"),
        preexec_fn=full,
    )
    assert done.returncode == 125, done.stderr
    assert b"this run has no record; the command itself ended with 0" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert (world.project / "count").read_text() == "\n"
    assert log.stat().st_size == before, "half a record is left"


def test_a_log_that_is_not_ours_is_refused_in_one_line_with_a_plan_at_hand_too(
    world_of: Callable[[str], World],
) -> None:
    world = world_of("lean")
    world.warm()
    log = world.state / "audit.jsonl"
    log.unlink()
    log.mkdir()
    # The lean front as it is, with what it hands over to when there can be no record.
    door = str(Path(CORE) / "aisbx" / "cli" / "fast.py")
    done = world.execute(
        [sys.executable, "-I", "-S", door, "run", "--", "touch", "ran"],
    )
    assert done.returncode == 125
    assert done.stderr.startswith(b"aisbx: state: the audit log cannot be written: "), done.stderr
    assert not (world.project / "ran").exists()


def test_stdin_without_an_offset_is_no_end_of_the_run(world: World) -> None:
    path = world.project / "path"
    path.write_text("text")
    stdin = os.open(path, os.O_PATH)
    try:
        done = world.run("sh", "-c", "echo out; exit 3", stdin=stdin)
    finally:
        os.close(stdin)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"")
