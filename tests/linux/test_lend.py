"""What a command does not read of a pipe stays in it."""

import os
from pathlib import Path

import pytest
from aisbx_linux.lend import Input


def test_a_pipe_is_left_alone_when_nobody_reads_any_more() -> None:
    source, writer = os.pipe()
    reader, target = os.pipe()
    os.write(writer, b"three\n")
    relay = Input(source, target)
    os.close(reader)  # the command has ended, before anything was lent to it
    relay.step_on()
    assert relay.wants() == (-1, 0)
    os.close(writer)
    assert os.read(source, 100) == b"three\n"
    os.close(source)


@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_nothing_is_taken_once_it_is_closed_though_it_was_reported_ready(kind: str, tmp_path: Path) -> None:
    if kind == "pipe":
        source, writer = os.pipe()
        os.write(writer, b"three\n")
        os.close(writer)
    else:
        (tmp_path / "lines").write_bytes(b"three\n")
        source = os.open(tmp_path / "lines", os.O_RDONLY)
    reader, target = os.pipe()
    relay = Input(source, target)
    relay.close()  # the tool's report of the end was ready in the same poll, and was served first
    relay.step_on()
    assert os.read(source, 100) == b"three\n"
    os.close(source)
    os.close(reader)
