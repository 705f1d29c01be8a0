"""The host's half of a command: the other end of its connection is held by the test, in the place of a guest."""

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from aisbx.errors import AbortedError
from aisbx.types import ExitStatus, Stdio
from aisbx_driver_lima.guest import frames
from aisbx_driver_lima.guest.frames import CHUNK, Channel, ClosedError
from aisbx_driver_lima.process import LimaProcess

SECONDS = 20.0
ENDED = json.dumps({"code": 9}).encode()


@dataclass
class Both:
    guest: Channel
    ours: Channel

    def process(self, stdio: Stdio) -> LimaProcess:
        return LimaProcess(self.ours, stdio, list, Channel.close)


@pytest.fixture
def both() -> Iterator[Both]:
    ours, theirs = socket.socketpair()
    made = Both(Channel(theirs), Channel(ours))
    yield made
    made.guest.close()
    made.ours.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for descriptor in ends:
        os.close(descriptor)


def waiting(process: LimaProcess) -> tuple[threading.Thread, list[ExitStatus | None]]:
    found: list[ExitStatus | None] = []
    thread = threading.Thread(target=lambda: found.append(process.wait(SECONDS)), daemon=True)
    thread.start()
    return thread, found


def test_a_signal_gets_in_from_another_thread_while_nobody_takes_what_the_command_prints(
    both: Both, pipe: tuple[int, int]
) -> None:
    reader, writer = pipe
    process = both.process(Stdio(stdout=writer))
    printed = os.urandom(CHUNK)
    thread, found = waiting(process)
    for _ in range(2):  # more than the pipe takes
        both.guest.send(frames.OUTPUT, printed)
    held = os.read(reader, 1)  # it has begun to print
    process.signal(signal.SIGTERM)
    assert both.guest.receive(SECONDS) == (frames.SIGNAL, bytes([signal.SIGTERM]))
    both.guest.send(frames.RESULT, ENDED)
    while len(held) < 2 * CHUNK:
        held += os.read(reader, CHUNK)
    thread.join(SECONDS)
    assert held == printed * 2
    assert [status and status.code for status in found] == [9]


def test_a_signal_is_on_its_way_although_nobody_waits_for_the_command(both: Both) -> None:
    both.process(Stdio()).signal(signal.SIGHUP)
    assert both.guest.receive(SECONDS) == (frames.SIGNAL, bytes([signal.SIGHUP]))


def test_what_was_printed_before_a_guest_goes_is_printed_and_then_it_is_said_that_it_has_gone(
    both: Both, pipe: tuple[int, int]
) -> None:
    reader, writer = pipe
    process = both.process(Stdio(stdout=writer))
    both.guest.send(frames.OUTPUT, b"last words")
    both.guest.close()
    with pytest.raises(AbortedError, match="the guest has gone"):
        process.wait(SECONDS)
    assert os.read(reader, 99) == b"last words"


@pytest.mark.parametrize(
    "told",
    [
        *(b"[]", b"5", b"[" * 100_000, b'{"code": Infinity}', b'{"code": 1e999}', b'{"code": "1"}'),
        *(b'{"code": 1, "user_seconds": NaN}', b'{"code": 1, "user_seconds": "inf"}', b'{"code": 1, "findings": 7}'),
        *(b'{"code": 1, "failure": "ab"}', b'{"code": 1, "failure": ["no code of ours", "", ""]}'),
    ],
)
def test_what_is_no_end_of_a_command_is_an_error_of_ours(both: Both, told: bytes) -> None:
    both.guest.send(frames.RESULT, told)
    with pytest.raises(AbortedError, match="did not say how the command ended"):
        both.process(Stdio()).wait(SECONDS)


def test_a_guest_that_says_it_took_what_it_did_not_read_has_no_more_kept_for_it_here(both: Both) -> None:
    source = os.open("/dev/zero", os.O_RDONLY)
    process = both.process(Stdio(stdin=source))
    for _ in range(4):
        both.guest.send(frames.TAKEN, b"\xff" * 4)
    try:
        assert process.wait(0.2) is None
    finally:
        os.close(source)
    assert frames.WINDOW <= len(both.ours.unsent) < frames.WINDOW + 2 * CHUNK


def test_a_stream_that_nobody_takes_is_shut_and_the_command_goes_on(both: Both) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = both.process(Stdio(stdout=writer))
    both.guest.send(frames.OUTPUT, b"for nobody")
    both.guest.send(frames.RESULT, ENDED)
    try:
        status = process.wait(SECONDS)
    finally:
        os.close(writer)
    assert status is not None
    assert status.code == 9


def test_input_waits_for_the_guest_to_pass_it_on(both: Both) -> None:
    given = os.urandom(frames.WINDOW + CHUNK)
    thread, found = waiting(both.process(Stdio(stdin=given)))
    taken = b""
    while len(taken) < frames.WINDOW:
        taken += both.guest.receive(SECONDS)[1]
    with pytest.raises(ClosedError, match="timed out"):
        both.guest.receive(0.1)
    both.guest.send(frames.TAKEN, len(taken).to_bytes(4, "big"))
    while (frame := both.guest.receive(SECONDS))[1]:
        taken += frame[1]
    both.guest.send(frames.RESULT, ENDED)
    thread.join(SECONDS)
    assert taken == given
    assert [status and status.code for status in found] == [9]


def test_where_what_it_wrote_is_lost_its_code_is_none(both: Both) -> None:
    def lost() -> list[str]:
        raise AbortedError("what was written is lost")

    process = LimaProcess(both.ours, Stdio(), lost, Channel.close)
    both.guest.send(frames.RESULT, ENDED)
    with pytest.raises(AbortedError, match="is lost"):
        process.wait(SECONDS)
