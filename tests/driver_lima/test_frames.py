"""Frames between host and guest."""

import socket
from collections.abc import Iterator

import pytest
from aisbx_driver_lima.guest import frames
from aisbx_driver_lima.guest.frames import Channel, ClosedError, TreeReader, TreeWriter


@pytest.fixture
def pair() -> Iterator[tuple[Channel, Channel]]:
    one, other = (Channel(each) for each in socket.socketpair())
    yield one, other
    one.close()
    other.close()


def test_frames_arrive_whole_and_in_order(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    one.send(frames.OUTPUT, bytes(range(256)) * 200)
    one.send(frames.ERRORS)
    one.close()
    assert other.receive() == (frames.OUTPUT, bytes(range(256)) * 200)
    assert other.receive() == (frames.ERRORS, b"")
    with pytest.raises(ClosedError):
        other.receive()


def test_a_frame_that_claims_gigabytes_is_none(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    one.socket.sendall(b"1\xff\xff\xff\xff")
    with pytest.raises(ClosedError, match="4294967295 bytes"):
        other.receive()


def test_a_tree_ends_where_it_says_and_takes_no_more_than_allowed(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    writer = TreeWriter(one)
    writer.write(b"x" * 100_000)
    writer.end()
    one.send(frames.RESULT, b"next")
    reader = TreeReader(other, 100_000)
    assert len(reader.read(70_000) + reader.read(70_000)) == 100_000
    reader.drain()
    assert other.receive() == (frames.RESULT, b"next")
    writer.write(b"x" * 101)
    with pytest.raises(ValueError, match="larger"):
        TreeReader(other, 100).read(101)


def test_a_frame_of_another_kind_in_a_tree_is_no_tree(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    one.send(frames.SIGNAL, b"\x0f")
    with pytest.raises(ClosedError):
        TreeReader(other, 100).read(1)
