"""Streams pass byte for byte, and through them the inside reaches nothing of the caller's."""

import hashlib
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from .conftest import World

BLOB = bytes(range(256)) * 4096 * 3 + b"end"


def test_a_megabyte_of_any_bytes_comes_back_through_pipes(world: World) -> None:
    done = world.run("cat", input=BLOB)
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(BLOB).digest()


def test_a_megabyte_of_any_bytes_comes_back_through_files(world: World, tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(BLOB)
    with source.open("rb") as stdin, target.open("wb") as stdout:
        done = world.run("cat", stdin=stdin, stdout=stdout)
    assert done.returncode == 0
    assert target.read_bytes() == BLOB


def test_stdout_and_stderr_stay_apart(world: World) -> None:
    done = world.run("sh", "-c", "echo out; echo err >&2")
    assert (done.stdout, done.stderr) == (b"out\n", b"err\n")


def test_fifty_megabytes_pass_through(world: World) -> None:
    done = world.run("head", "-c", str(50 << 20), "/dev/zero")
    assert len(done.stdout) == 50 << 20


@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_a_loop_over_lines_keeps_the_lines_that_the_command_does_not_read(world: World, kind: str) -> None:
    if world.way != "full":
        world.warm()
    lines = world.project / "lines"
    lines.write_text("one\ntwo\nthree\n")
    start = f"cat {lines} |" if kind == "pipe" else ""
    end = "" if kind == "pipe" else f"< {lines}"
    script = f"{start} while read line; do {shlex.join(world.argv('--', 'true'))} || exit 9; echo got $line; done {end}"
    done = subprocess.run(
        ["sh", "-c", script], cwd=world.project, env=world.environ, capture_output=True, timeout=60, check=False
    )
    assert done.stdout == b"got one\ngot two\ngot three\n", done.stderr


@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_what_the_command_leaves_unread_is_there_for_the_next_reader(world: World, kind: str) -> None:
    if world.way != "full":
        world.warm()
    lines = world.project / "lines"
    lines.write_text("one\ntwo\nthree\n")
    reader = shlex.join(world.argv("--", "sh", "-c", "read line; echo inside $line"))
    script = f"cat {lines} | {{ {reader}; cat; }}" if kind == "pipe" else f"{{ {reader}; cat; }} < {lines}"
    done = subprocess.run(
        ["sh", "-c", script], cwd=world.project, env=world.environ, capture_output=True, timeout=60, check=False
    )
    assert done.stdout == b"inside one\ntwo\nthree\n", done.stderr


def test_a_file_behind_stdout_cannot_be_truncated_or_read_from_inside(world: World) -> None:
    target = world.home / "log"
    target.write_text("kept\n")
    attack = "truncate -s 0 /proc/self/fd/1; : > /proc/self/fd/1; echo added"
    with target.open("ab") as stdout:
        subprocess.run(["sh", "-c", attack], stdout=stdout, stderr=subprocess.DEVNULL, check=True)
    assert target.read_text() == "added\n", "the attack works on a descriptor that is passed in"
    target.write_text("kept\n")
    with target.open("ab") as stdout:
        world.run("sh", "-c", attack, stdout=stdout, stderr=subprocess.DEVNULL)
    assert target.read_text() == "kept\nadded\n"


def test_a_descriptor_that_the_caller_left_open_is_not_inside(world: World) -> None:
    secret = world.home / "secret"
    secret.write_text("the secret")
    descriptor = os.open(secret, os.O_RDONLY)
    try:
        probe = f"cat <&{descriptor}"
        unconfined = subprocess.run(["bash", "-c", probe], pass_fds=[descriptor], capture_output=True, check=False)
        assert unconfined.stdout == b"the secret", "the attack works without a sandbox"
        os.lseek(descriptor, 0, 0)
        done = world.run("bash", "-c", f"{probe}; ls /proc/self/fd", pass_fds=[descriptor])
    finally:
        os.close(descriptor)
    assert b"the secret" not in done.stdout
    assert done.stdout.split() == [b"0", b"1", b"2", b"3"]


def test_a_reader_that_goes_away_ends_the_writer(world: World) -> None:
    if world.way != "full":
        world.warm()
    script = f"{shlex.join(world.argv('--', 'yes'))} | head -n 1"
    done = subprocess.run(
        ["sh", "-c", script], cwd=world.project, env=world.environ, capture_output=True, timeout=60, check=False
    )
    assert done.stdout == b"y\n"


def test_output_beyond_the_bound_is_dropped_and_counted_and_the_command_goes_on(world: World) -> None:
    done = world.run("sh", "-c", "head -c 100000 /dev/zero; exit 7", options=["--output", "1000"])
    assert (done.returncode, len(done.stdout)) == (7, 1000)
    assert world.records()[-1]["output"] == {"stdout_bytes": 100000, "stderr_bytes": 0, "dropped": 99000}


def test_the_caller_s_flags_are_left_alone(world: World) -> None:
    reader, writer = os.pipe()
    try:
        world.run("echo", "hi", stdout=writer, stdin=reader)
        assert os.get_blocking(reader)
        assert os.get_blocking(writer)
    finally:
        os.close(reader)
        os.close(writer)
