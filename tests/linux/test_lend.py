"""What a command does not read of a pipe stays in it."""

import os

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
