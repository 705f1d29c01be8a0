"""Streams of a command in the guest, byte for byte, between the caller's descriptors and the connection.

Builtin modules only: `aisbx exec` loads this from a plan, and programs use the same (`process`).
"""

import select
import sys

if sys.platform == "win32":
    import os as posix
else:
    import posix

from aisbx_driver_lima.guest.channel import (
    BEGUN,
    CHUNK,
    ERRORS,
    FAILED,
    INPUT,
    OUTPUT,
    RESULT,
    SHUT,
    TAKEN,
    WINDOW,
    Channel,
    ClosedError,
)
from aisbx_driver_lima.printing import Printing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Step = tuple[int, int, Callable[[], None]]
    """Descriptor, events of poll(2), and what to do then."""

_BROKEN = select.POLLERR | select.POLLHUP | select.POLLNVAL if hasattr(select, "poll") else 0
STREAMS = {OUTPUT: "stdout", ERRORS: "stderr"}


class Relay:
    """What is under way to and from one command."""

    def __init__(
        self,
        channel: Channel,
        stdin: "int | bytes | None",
        stdout: "int | None",
        stderr: "int | None",
        capture: int,
    ) -> None:
        """Move nothing yet. The streams are as in `Stdio`, `capture` is how many bytes of each are kept at most."""
        self._channel = channel
        self._given = stdin if isinstance(stdin, bytes) else b""
        self._source = stdin if isinstance(stdin, int) else -1
        self._fed = stdin is None
        self._under_way = 0
        self._targets = {OUTPUT: stdout, ERRORS: stderr}
        self._capture = capture
        self._captured = {kind: bytearray() for kind in STREAMS}
        self._dropped = dict.fromkeys(STREAMS, 0)
        self._shut: set[bytes] = set()
        self._printing: tuple[bytes, Printing] | None = None
        """What the caller has not taken yet: no further frame is looked at before."""
        self._at_end = False
        self.begun = False
        """Whether something of the command may have run."""
        self.answer: tuple[bytes, bytes] | None = None
        """`RESULT` or `FAILED` with its data: the last frame that is of the command."""

    @property
    def streams(self) -> "dict[str, tuple[bytes, int]]":
        """Give what was captured of each stream, and how many bytes were not kept."""
        return {name: (bytes(self._captured[kind]), self._dropped[kind]) for kind, name in STREAMS.items()}

    def take(self) -> None:
        """Look at the frames that are here, as far as the caller takes what they hold; ClosedError."""
        while self.answer is None and self._printing is None and (found := self._channel.frame()) is not None:
            self._take(*found)
        if self._at_end and self.answer is None and self._printing is None:
            raise ClosedError("it closed the connection")

    def turn(self, others: "Iterable[Step]", wait: "float | None" = None) -> None:
        """Wait until something can be done, `wait` milliseconds at most, and do it, also of `others`; ClosedError."""
        steps, wanted = [*others, *self._steps()], dict[int, int]()
        for descriptor, events, _ in steps:
            wanted[descriptor] = wanted.get(descriptor, 0) | events
        poller = select.poll()
        for descriptor, events in wanted.items():
            poller.register(descriptor, events)
        ready = dict(poller.poll(wait))
        for descriptor, events, step in steps:
            if ready.get(descriptor, 0) & (events | _BROKEN):
                step()

    def _steps(self) -> "list[Step]":
        steps: list[Step] = []
        if not self._fed and max(self._under_way, len(self._channel.unsent)) < WINDOW:
            if self._source >= 0:
                steps.append((self._source, select.POLLIN, self._read))
            else:
                self._feed()
        if self._printing is not None:
            steps.append((self._printing[1].target, select.POLLOUT, self._print))
        elif not self._at_end:
            steps.append((self._channel.fileno(), select.POLLIN, self._hear))
        if self._channel.unsent:
            steps.append((self._channel.fileno(), select.POLLOUT, self._channel.flush))
        return steps

    def _feed(self) -> None:
        data, self._given = self._given[:CHUNK], self._given[CHUNK:]
        self._send(data)

    def _read(self) -> None:
        try:
            data = posix.read(self._source, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # EIO: a terminal that has gone
        self._send(data)

    def _send(self, data: bytes) -> None:
        self._channel.put(INPUT, data)
        self._under_way += len(data)
        self._fed = not data

    def _hear(self) -> None:
        self._at_end = not self._channel.pull()

    def _take(self, kind: bytes, data: bytes) -> None:
        self.begun |= kind != FAILED
        if kind in STREAMS:
            self._printed(kind, data)
        elif kind == TAKEN:
            self._under_way -= int.from_bytes(data[:4], "big")
        elif kind in {RESULT, FAILED}:
            self.answer = kind, data
        elif kind != BEGUN:
            raise ClosedError(f"it sent {kind!r}")

    def _printed(self, kind: bytes, data: bytes) -> None:
        if kind in self._shut:
            return
        target = self._targets[kind]
        if target is None:
            kept = self._captured[kind]
            room = max(0, self._capture - len(kept))
            kept += data[:room]
            self._dropped[kind] += max(0, len(data) - room)
            return
        self._printing = (kind, Printing(target, data))
        self._print()

    def _print(self) -> None:
        if self._printing is None:
            return
        kind, printing = self._printing
        try:
            if printing.go_on():
                self._printing = None
        except OSError:  # EPIPE: nobody takes it any more, and the command is told as it would be here
            self._printing = None
            self._shut.add(kind)
            self._channel.put(SHUT, kind)
