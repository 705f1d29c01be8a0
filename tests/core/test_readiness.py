"""What can be read from is found whatever its number is."""

import fcntl
import os
import resource
from collections.abc import Iterator

import pytest
from aisbx.readiness import readable


@pytest.fixture
def high() -> Iterator[tuple[int, int]]:
    """A pipe whose reading end select(2) does not take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    reader, writer = os.pipe()
    try:
        found = fcntl.fcntl(reader, fcntl.F_DUPFD_CLOEXEC, 1500)
        yield found, writer
        os.close(found)
    finally:
        os.close(reader)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_descriptor_above_those_of_select(high: tuple[int, int]) -> None:
    reader, writer = high
    assert readable([reader], 0) == []
    os.write(writer, b"x")
    assert readable([reader]) == [reader]
    os.read(reader, 1)
    os.close(writer)
    assert readable([reader]) == [reader], "its end is something to read"
