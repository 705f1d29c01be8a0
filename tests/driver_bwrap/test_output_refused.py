"""A caller's descriptor that takes no more output: the command writes to a pipe of ours, so we have to tell."""

import json
import os
import subprocess
from collections.abc import Sequence
from typing import IO, Any

import pytest

from .conftest import World

WORDS = {"stdout": "echo lost", "stderr": "echo lost >&2"}


def into_full(
    world: World, stream: str, script: str, options: Sequence[str] = ()
) -> subprocess.CompletedProcess[bytes]:
    other = "stderr" if stream == "stdout" else "stdout"
    with open("/dev/full", "wb") as full:
        how: dict[str, int | IO[Any]] = {"stdin": subprocess.DEVNULL, stream: full, other: subprocess.PIPE}
        return world.run("sh", "-c", script, options=options, **how)


@pytest.mark.parametrize("options", [[], ["--output", "1M"]], ids=["unbounded", "bounded"])
def test_a_full_disk_behind_stdout_is_told_and_is_no_success(world: World, options: list[str]) -> None:
    done = into_full(world, "stdout", "echo lost", options)
    line = b"aisbx: output: stdout could not be written: No space left on device; the command itself ended with 0\n"
    assert (done.returncode, done.stderr) == (125, line)
    assert world.records()[-1]["exit_code"] == 125
    assert world.records()[-1]["kind"] == "run.end"


def test_a_full_disk_behind_stderr_is_no_success(world: World) -> None:
    done = into_full(world, "stderr", "echo kept; echo lost >&2")
    assert (done.returncode, done.stdout) == (125, b"kept\n")
    assert any("stderr could not be written" in finding for finding in world.records()[-1]["findings"])


def test_a_command_that_goes_on_writing_ends_as_refused_too(world: World) -> None:
    assert into_full(world, "stdout", "yes").returncode == 125


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_failure_of_the_commands_own_keeps_its_code(world: World, stream: str) -> None:
    assert into_full(world, stream, f"{WORDS[stream]}; exit 7").returncode == 7


def test_nothing_is_told_where_nothing_was_written(world: World) -> None:
    done = into_full(world, "stdout", "true")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("script", ["echo lost", "yes"])
def test_a_reader_that_has_gone_ends_the_run_as_sigpipe_ends_a_command(world: World, script: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = world.run("sh", "-c", script, stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_terminal_that_is_gone_is_told(world: World) -> None:
    master, slave = os.openpty()
    os.close(master)
    try:
        done = world.run("echo", "lost", stdout=slave, stderr=subprocess.PIPE)
    finally:
        os.close(slave)
    assert done.returncode == 125
    assert b"stdout could not be written: Input/output error" in done.stderr


def test_an_object_that_cannot_be_printed_is_told(world: World) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            world.full("--json", "--", "echo", "lost"),
            cwd=world.project,
            env=world.environ,
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert done.returncode == 125
    assert done.stderr.count(b"\n") == 1
    assert b"stdout cannot be written: No space left on device" in done.stderr


@pytest.mark.parametrize("closed", [1, 2])
def test_a_closed_descriptor_discards_as_the_null_device_does(world: World, closed: int) -> None:
    world = World(world.home, world.project, "full", world.environ)  # the lean front hands this over
    argv = world.argv("--", "sh", "-c", "echo out; echo err >&2")
    done = world.execute(
        ["sh", "-c", f'"$@" {closed}>&-', "sh", *argv],
    )
    streams = {1: (b"", b"err\n"), 2: (b"out\n", b"")}
    assert (done.returncode, (done.stdout, done.stderr)) == (0, streams[closed])
    assert json.dumps(world.records()[-1]["findings"]) == "[]"
