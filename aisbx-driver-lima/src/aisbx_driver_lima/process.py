"""A command in the guest: relays its streams, byte for byte, between the caller's descriptors and the connection."""

import json
import os
import select
import signal
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from aisbx.errors import AbortedError, AisbxError, UsageError
from aisbx.types import Captured, ExitStatus, Stdio, Usage

from aisbx_driver_lima.asking import refused
from aisbx_driver_lima.guest import frames
from aisbx_driver_lima.guest.frames import CHUNK, WINDOW, Channel, ClosedError
from aisbx_driver_lima.printing import Printing
from aisbx_driver_lima.status import read
from aisbx_driver_lima.terminal import Raw
from aisbx_driver_lima.waker import Waker

_RELAYED = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGKILL")
"""Signals that the launcher in the guest passes on to its command; the last one ends it."""
_BROKEN = select.POLLERR | select.POLLHUP | select.POLLNVAL if hasattr(select, "poll") else 0
_STREAMS = {frames.OUTPUT: "stdout", frames.ERRORS: "stderr"}


class LimaProcess:
    """A command whose connection is its life: when that closes, the guest ends it.

    For one thread at a time, but for `signal`, `kill` and `resize`: from any, and from a signal's handler.
    """

    def __init__(
        self, channel: Channel, stdio: Stdio, settle: Callable[[], list[str]], done: Callable[[Channel], None]
    ) -> None:
        """`settle` does what is to be done after the result has come, and gives the findings.

        `done` gets the connection when all has come that it had to bring.
        """
        self._channel = channel
        self._stdio = stdio
        self._settle = settle
        self._done = done
        self._began = time.monotonic()
        self._orders: deque[tuple[bytes, bytes]] = deque()
        """Frames that others than the thread that waits have put."""
        self._turn = threading.Lock()
        """Held by whoever uses the connection."""
        self._waker = Waker()
        self._status: ExitStatus | None = None
        self._error: AisbxError | None = None
        self._under_way = 0
        given = stdio.stdin
        self._given = given if isinstance(given, bytes) else b""
        self._source = given if isinstance(given, int) else -1
        self._fed = given is None
        self._captured: dict[bytes, bytearray] = {kind: bytearray() for kind in _STREAMS}
        self._dropped = dict.fromkeys(_STREAMS, 0)
        self._shut: set[bytes] = set()
        self._printing: tuple[bytes, Printing] | None = None
        """What the caller has not taken yet: no further frame is looked at before."""
        self._at_end = False
        self._raw: Raw | None = None
        if stdio.terminal and isinstance(given, int):
            self._raw = Raw(given)
            self._size(*self._raw.size())

    def wait(self, timeout: float | None = None) -> ExitStatus | None:
        """Relay until the end; None when `timeout` seconds passed first; raises what kept the command from running."""
        until = None if timeout is None else time.monotonic() + timeout
        if self._raw is not None and self._status is None and self._error is None:
            self._raw.enter()
        try:
            while self._status is None and self._error is None:
                if until is not None and time.monotonic() >= until:
                    return None
                with self._turn:
                    self._step(until)
                self._pass_on()
        finally:
            if self._raw is not None:
                self._raw.leave()
        if self._error is not None:
            raise self._error
        return self._status

    def signal(self, number: int) -> None:
        """Send a signal to the command; UsageError for one that does not get into the guest."""
        if self._status is not None or self._error is not None:
            return
        if number not in {getattr(signal, name) for name in _RELAYED if hasattr(signal, name)}:
            hint = f"send one of {', '.join(_RELAYED)}"
            raise UsageError(f"driver lima: signal {number} does not get into the guest", hint=hint)
        self._say(frames.SIGNAL, bytes([number]))

    def kill(self) -> None:
        """End the command and all that came of it."""
        self.signal(signal.SIGKILL)

    def resize(self, rows: int, columns: int) -> None:
        """Give its pty a size in cells; UsageError where it has none."""
        if not self._stdio.terminal:
            raise UsageError("the command has no terminal", hint="start it with one")
        self._size(rows, columns)

    def usage(self) -> Usage:
        """Give what it used; known once it has ended."""
        return self._status.usage if self._status is not None else Usage()

    def end(self) -> None:
        """End it by closing the connection, and wait until the guest has ended it."""
        if not self.over:
            self._error = AbortedError("the sandbox was closed")
            self._channel.close()

    @property
    def over(self) -> bool:
        """Whether it has ended, and the connection is its own no more."""
        return self._status is not None or self._error is not None

    def _size(self, rows: int, columns: int) -> None:
        self._say(*_sized(rows, columns))

    def _say(self, kind: bytes, data: bytes) -> None:
        self._orders.append((kind, data))
        self._waker.wake()
        self._pass_on()

    def _pass_on(self) -> None:
        """Send what was put; nothing is done where somebody uses the connection, who is woken, and does it then."""
        while self._orders and not self.over and self._turn.acquire(blocking=False):
            try:
                self._send_orders()
                self._channel.flush()
            except ClosedError as error:
                self._lost(error)
            finally:
                self._turn.release()

    def _send_orders(self) -> None:
        while self._orders:
            self._channel.put(*self._orders.popleft())

    def _step(self, until: float | None) -> None:
        """Wait for one thing to happen, and serve it."""
        try:
            self._take_all()
            if not self.over:
                self._await(until)
        except ClosedError as error:
            self._lost(error)

    def _await(self, until: float | None) -> None:
        wait = None if until is None else max(0.0, until - time.monotonic()) * 1000
        if self._raw is not None:
            wait = self._raw.EVERY if wait is None else min(wait, self._raw.EVERY)
        steps, wanted = self._steps(), dict[int, int]()
        for descriptor, events, _ in steps:
            wanted[descriptor] = wanted.get(descriptor, 0) | events
        poller = select.poll()
        for descriptor, events in wanted.items():
            poller.register(descriptor, events)
        ready = dict(poller.poll(wait))
        for descriptor, events, step in steps:
            if ready.get(descriptor, 0) & (events | _BROKEN):
                step()
        if self._raw is not None and (size := self._raw.changed()) is not None:
            self._orders.append(_sized(*size))
        self._send_orders()
        self._channel.flush()

    def _steps(self) -> list[tuple[int, int, Callable[[], None]]]:
        """Give what is waited for: descriptor, events of poll(2), and the step to take."""
        steps: list[tuple[int, int, Callable[[], None]]] = [(self._waker.fileno(), select.POLLIN, self._waker.sleep)]
        if not self._fed and self._under_way < WINDOW:
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
        self._channel.put(frames.INPUT, data)
        self._under_way += len(data)
        self._fed = not data

    def _read(self) -> None:
        try:
            data = os.read(self._source, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # EIO: a terminal that has gone
        self._channel.put(frames.INPUT, data)
        self._under_way += len(data)
        self._fed = not data

    def _hear(self) -> None:
        self._at_end = not self._channel.pull()

    def _take_all(self) -> None:
        """Look at the frames that are here, as far as the caller takes what they hold."""
        while not self.over and self._printing is None and (found := self._channel.frame()) is not None:
            self._take(*found)
        if self._at_end and not self.over and self._printing is None:
            raise ClosedError("it closed the connection")

    def _take(self, kind: bytes, data: bytes) -> None:
        if kind in _STREAMS:
            self._printed(kind, data)
        elif kind == frames.TAKEN:
            self._under_way -= int.from_bytes(data[:4], "big")
        elif kind == frames.RESULT:
            self._ended(data)
        elif kind == frames.FAILED:
            self._error = refused(data)
            self._done(self._channel)
        else:
            raise ClosedError(f"it sent {kind!r}")

    def _printed(self, kind: bytes, data: bytes) -> None:
        target = self._stdio.stdout if kind == frames.OUTPUT else self._stdio.stderr
        if kind in self._shut:
            return
        if target is None:
            kept = self._captured[kind]
            room = max(0, self._stdio.capture - len(kept))
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
            self._channel.put(frames.SHUT, kind)

    def _ended(self, data: bytes) -> None:
        try:
            self._status = read(json.loads(data), time.monotonic() - self._began, self._streams())
        except AisbxError as error:
            self._error = error
        except (ValueError, TypeError, KeyError) as error:
            self._error = AbortedError(f"the guest did not say how the command ended: {error}")
        findings = self._settle()
        self._done(self._channel)
        if self._status is not None:
            self._status = replace(self._status, findings=(*self._status.findings, *findings))
        elif self._error is not None:
            self._error.findings = (*self._error.findings, *findings)

    def _streams(self) -> dict[str, Captured]:
        return {name: Captured(bytes(self._captured[kind]), self._dropped[kind]) for kind, name in _STREAMS.items()}

    def _lost(self, error: Exception) -> None:
        self._channel.close()
        if self._status is None and self._error is None:
            self._error = AbortedError(f"the guest has gone: {error}", hint="see: aisbx-driver-lima status")


def _sized(rows: int, columns: int) -> tuple[bytes, bytes]:
    return frames.SIZE, struct.pack(">HH", rows, columns)
