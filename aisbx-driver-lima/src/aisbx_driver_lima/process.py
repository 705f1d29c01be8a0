"""A command in the guest: relays its streams, byte for byte, between the caller's descriptors and the connection."""

import json
import os
import select
import signal
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from aisbx.errors import AbortedError, AisbxError, UsageError
from aisbx.types import Captured, ExitStatus, Stdio, Usage, exit_status

from aisbx_driver_lima.asking import refused
from aisbx_driver_lima.guest import frames
from aisbx_driver_lima.guest.frames import CHUNK, WINDOW, Channel, ClosedError
from aisbx_driver_lima.terminal import Raw

_RELAYED = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGKILL")
"""Signals that the launcher in the guest passes on to its command; the last one ends it."""
_STREAMS = {frames.OUTPUT: "stdout", frames.ERRORS: "stderr"}


class LimaProcess:
    """A command whose connection is its life: when that closes, the guest ends it. For one thread at a time."""

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
                self._step(until)
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
        self._say(frames.SIZE, struct.pack(">HH", rows, columns))

    def _say(self, kind: bytes, data: bytes) -> None:
        try:
            self._channel.put(kind, data)
            self._channel.flush()
        except ClosedError as error:
            self._lost(error)

    def _step(self, until: float | None) -> None:
        """Wait for one thing to happen, and serve it."""
        poller = select.poll()
        wants_input = not self._fed and self._under_way < WINDOW
        if wants_input and self._source < 0:
            self._feed()
        events = select.POLLIN | (select.POLLOUT if self._channel.unsent else 0)
        poller.register(self._channel.fileno(), events)
        if wants_input and self._source >= 0:
            poller.register(self._source, select.POLLIN)
        wait = None if until is None else max(0.0, until - time.monotonic()) * 1000
        if self._raw is not None:
            wait = self._raw.EVERY if wait is None else min(wait, self._raw.EVERY)
        try:
            for descriptor, _ in poller.poll(wait):
                if descriptor == self._source:
                    self._read()
                else:
                    self._hear()
            self._channel.flush()
        except ClosedError as error:
            self._lost(error)
        if self._raw is not None and (size := self._raw.changed()) is not None:
            self._size(*size)

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
        more = self._channel.pull()
        while self._status is None and self._error is None and (found := self._channel.frame()) is not None:
            self._take(*found)
        if not more and self._status is None and self._error is None:
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
        view = memoryview(data)
        try:
            while view:
                view = view[_write(target, view) :]
        except OSError:  # EPIPE: nobody takes it any more, and the command is told as it would be here
            self._shut.add(kind)
            self._channel.put(frames.SHUT, kind)

    def _ended(self, data: bytes) -> None:
        try:
            self._status = self._read_status(json.loads(data))
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

    def _read_status(self, told: dict[str, Any]) -> ExitStatus:
        """Give what the guest says, checked: whoever has taken it over can lie, but not make this side fall."""
        failure = told.get("failure")
        status = exit_status(
            {
                "code": int(told["code"]) & 0xFF,
                "signal": int(told.get("signal", 0)),
                "timed_out": told.get("timed_out") is True,
                "oom_killed": told.get("oom_killed") is True,
                "pids_limited": told.get("pids_limited") is True,
                "duration": time.monotonic() - self._began,
                "user_seconds": float(told.get("user_seconds", 0.0)),
                "system_seconds": float(told.get("system_seconds", 0.0)),
                "max_rss_bytes": int(told.get("max_rss_bytes", 0)),
                "stdout": b"",
                "stderr": b"",
                "stdout_bytes": 0,
                "stderr_bytes": 0,
                "stdout_dropped": 0,
                "stderr_dropped": 0,
                "findings": [str(line) for line in told.get("findings", ())],
                "failure": None if failure is None else (str(failure[0]), str(failure[1]), str(failure[2])),
            }
        )
        streams = {
            name: Captured(bytes(self._captured[kind]), self._dropped[kind] + int(told.get(f"{name}_dropped", 0)))
            for kind, name in _STREAMS.items()
        }
        return replace(status, stdout=streams["stdout"], stderr=streams["stderr"])

    def _lost(self, error: Exception) -> None:
        self._channel.close()
        if self._status is None and self._error is None:
            self._error = AbortedError(f"the guest has gone: {error}", hint="see: aisbx-driver-lima status")


def _write(target: int, view: memoryview) -> int:
    """Write what the descriptor takes; wait for room where it does not block."""
    try:
        return os.write(target, view)
    except BlockingIOError:
        poller = select.poll()
        poller.register(target, select.POLLOUT)
        poller.poll()
        return 0
