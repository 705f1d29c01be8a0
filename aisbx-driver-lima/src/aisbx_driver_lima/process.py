"""A command in the guest: relays its streams, byte for byte, between the caller's descriptors and the connection."""

import select
import signal
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from aisbx.errors import AbortedError, AisbxError, UsageError
from aisbx.types import ExitStatus, Stdio, Usage, exit_status

from aisbx_driver_lima.asking import refused
from aisbx_driver_lima.guest import frames
from aisbx_driver_lima.guest.frames import Channel, ClosedError
from aisbx_driver_lima.relay import Relay
from aisbx_driver_lima.terminal import Raw
from aisbx_driver_lima.told import NONSENSE, ended, parse
from aisbx_driver_lima.waker import Waker

_RELAYED = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGKILL")
"""Signals that the launcher in the guest passes on to its command; the last one ends it."""


class LimaProcess:
    """A command whose connection is its life: when that closes, the guest ends it.

    For one thread at a time, but for `signal`, `kill` and `resize`: from any, and from a signal's handler.
    """

    def __init__(
        self, channel: Channel, stdio: Stdio, settle: Callable[[], list[str]], done: Callable[[Channel], None]
    ) -> None:
        """`settle` does what is to be done after the result has come; it gives the findings, or raises AbortedError.

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
        self._relay = Relay(channel, stdio.stdin, stdio.stdout, stdio.stderr, stdio.capture)
        self._raw: Raw | None = None
        if stdio.terminal and isinstance(stdio.stdin, int):
            self._raw = Raw(stdio.stdin)
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
        """End it by closing the connection: the guest ends it then, and nobody waits for that."""
        if not self.over:
            self._error = AbortedError("the sandbox was closed")
            self._channel.close()

    @property
    def over(self) -> bool:
        """Whether it has ended, and the connection is its own no more."""
        return self._status is not None or self._error is not None

    @property
    def begun(self) -> bool:
        """Whether something of it may have run."""
        return self._relay.begun

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
            self._relay.take()
            if self._relay.answer is not None:
                self._answered(*self._relay.answer)
            else:
                self._await(until)
        except ClosedError as error:
            self._lost(error)

    def _await(self, until: float | None) -> None:
        wait = None if until is None else max(0.0, until - time.monotonic()) * 1000
        if self._raw is not None:
            wait = self._raw.EVERY if wait is None else min(wait, self._raw.EVERY)
        self._relay.turn([(self._waker.fileno(), select.POLLIN, self._waker.sleep)], wait)
        if self._raw is not None and (size := self._raw.changed()) is not None:
            self._orders.append(_sized(*size))
        self._send_orders()
        self._channel.flush()

    def _answered(self, kind: bytes, data: bytes) -> None:
        if kind == frames.FAILED:
            self._error = refused(data)
            self._done(self._channel)
        else:
            self._ended(data)

    def _ended(self, data: bytes) -> None:
        try:
            result = ended(parse(data), time.monotonic() - self._began, self._relay.streams)
            self._status = exit_status(result)
        except AisbxError as error:
            self._error = error
        except NONSENSE as error:
            self._error = AbortedError(f"the guest did not say how the command ended: {error}")
        findings: list[str] = []
        try:
            findings = self._settle()
        except AbortedError as error:  # what it wrote is lost, which no exit code says
            self._status, self._error = None, self._error or error
        self._done(self._channel)
        if self._status is not None:
            self._status = replace(self._status, findings=(*self._status.findings, *findings))
        elif self._error is not None:
            self._error.findings = (*self._error.findings, *findings)

    def _lost(self, error: Exception) -> None:
        self._channel.close()
        if self._status is None and self._error is None:
            self._error = AbortedError(f"the guest has gone: {error}", hint="see: aisbx-driver-lima status")


def _sized(rows: int, columns: int) -> tuple[bytes, bytes]:
    return frames.SIZE, struct.pack(">HH", rows, columns)
