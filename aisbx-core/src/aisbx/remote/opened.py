"""A sandbox of a supervisor, open for many commands; and a command that runs there with its streams here."""

import os
import threading
from contextlib import nullcontext, suppress
from typing import Any

from aisbx.errors import AisbxError, StateError
from aisbx.remote import asked, told
from aisbx.remote.inside import RemoteInside
from aisbx.remote.server import Server, path_of
from aisbx.remote.terminal import taken
from aisbx.store import Record
from aisbx.types import Captured, Command, Enforcement, ExitStatus, Outcome, Principal, Stdio, Usage

LARGEST = 4 << 20
"""Bytes of input that go with a command in one piece."""
_CAPTURED = 64 << 20
"""Bytes of each stream in an answer, at most."""
_CHUNK = 1 << 16
_STREAMS = {"stdout": 1, "stderr": 2}


class RemoteOpened:
    """In place of `aisbx.engine.opened.Opened`."""

    far = True
    sandbox = None
    """There is nothing of it here."""

    def __init__(self, server: Server, record: Record, held: Enforcement) -> None:
        """Keep what is known of it."""
        self.record = record
        self.held = held
        self.server = server
        self.place = path_of("sandboxes", record.name)

    def inside(self) -> RemoteInside:
        """Give what else can be done with it."""
        return RemoteInside(self.server, self.record.name)

    def start(self, command: Command, stdio: Stdio, _principal: Principal, _host: str) -> "RemoteStarted":
        """Start a command; an AisbxError says why it may not be, or cannot be."""
        return RemoteStarted(self, command, stdio)

    def shortest(self, _principal: Principal, _host: str, _capture: int) -> None:
        """There is no shorter way."""

    def execute(self, command: Command, stdio: Stdio, principal: Principal, host: str) -> Outcome:
        """Run a command to its end; an AisbxError says why it did not run."""
        given = stdio.known
        small = not isinstance(stdio.stdin, int) and len(given or b"") <= LARGEST
        if not stdio.captured or stdio.stderr is not None or not small:
            return self.start(command, stdio, principal, host).wait()
        body = {**asked.of_command(command), "capture": min(stdio.capture, _CAPTURED)}
        if given is not None:
            body |= asked.of_input(given)
        return told.outcome(self.server.post(f"{self.place}/exec", body), self.held)

    def release(self) -> None:
        """Nothing is held here."""


class RemoteStarted:
    """A command that was started. One thread waits for it."""

    def __init__(self, opened: RemoteOpened, command: Command, stdio: Stdio) -> None:
        """Start it."""
        body = {**asked.of_command(command), "stdin": stdio.stdin is not None, "terminal": stdio.terminal}
        made = opened.server.post(f"{opened.place}/processes", body)
        self.process = RemoteProcess(opened.server, f"{opened.place}/processes/{made['id']}")
        self._opened = opened
        self._stdio = stdio
        self._run: str = made["id"]

    def wait(self) -> Outcome:
        """Relay until the end; raises why it did not run. Left in the middle, it is ended."""
        stdio, process = self._stdio, self.process
        kept = {1: _Kept(stdio.stdout, stdio.capture), 2: _Kept(stdio.stderr, stdio.capture)}
        if stdio.terminal:
            kept[1] = kept[2] = _Kept(stdio.stdout, 0)
        end: dict[str, Any] = {}
        try:
            with taken(process.resize) if stdio.terminal else nullcontext():
                if stdio.stdin is not None:
                    threading.Thread(target=self._feed, args=(stdio.stdin,), daemon=True).start()
                for kind, data, _ in self._opened.server.follow(process.place):
                    if kind == "end":
                        end = data
                    elif kind in _STREAMS:
                        kept[_STREAMS[kind]].take(told.data(data), data.get("missing") or 0)
        except BaseException:
            with suppress(AisbxError):
                process.kill()
            raise
        return self._outcome(end, kept[1], kept[2])

    def _outcome(self, end: dict[str, Any], out: "_Kept", errors: "_Kept") -> Outcome:
        row: dict[str, Any] = end.get("result") or {}
        if "error" in row or "exit_code" not in row:
            error = row.get("error") or {"message": "nobody knows how it ended"}
            raise StateError(f"the command {self._run}: {error['message']}")
        more = row["output"]["dropped"] + row["output"]["lost"]
        record = self._opened.record
        return Outcome(
            run=self._run,
            status=told.status(row, stdout=out.given(more), stderr=errors.given(0)),
            profile=record.profile,
            driver=record.driver,
            enforcement=self._opened.held,
            captured=self._stdio.captured,
        )

    def _feed(self, given: int | bytes) -> None:
        with suppress(AisbxError, OSError):  # it has ended, or takes no more: its own matter
            if isinstance(given, bytes):
                for start in range(0, len(given), LARGEST):
                    self.process.write(given[start : start + LARGEST])
            else:
                while data := os.read(given, _CHUNK):
                    self.process.write(data)
            self.process.end_input()


class RemoteProcess:
    """A command that runs there, as `aisbx.types.Process`."""

    def __init__(self, server: Server, place: str) -> None:
        """`place` is its path below the API."""
        self.place = place
        self._server = server

    def wait(self, timeout: float | None = None) -> ExitStatus | None:
        """Whoever started it waits, by `RemoteStarted.wait`."""
        del timeout
        raise StateError("a command of a supervisor is waited for by who started it", hint="use RemoteStarted.wait")

    def write(self, data: bytes) -> None:
        """Give it input; returns when it has all of it."""
        self._server.post(f"{self.place}/input", asked.of_bytes(data))

    def end_input(self) -> None:
        """Let it see the end of its input."""
        self._server.post(f"{self.place}/input", {"end": True})

    def signal(self, number: int) -> None:
        """Send it, and all that came of it, a signal; nothing happens when it has ended."""
        self._server.post(f"{self.place}/signal", {"signal": number})

    def kill(self) -> None:
        """End it and all that came of it; nothing happens when it has ended."""
        self._server.delete(self.place)

    def resize(self, rows: int, columns: int) -> None:
        """Tell its pty the new size; UsageError where it has none."""
        self._server.post(f"{self.place}/resize", {"rows": rows, "columns": columns})

    def usage(self) -> Usage:
        """Give what it has used; nothing is known before its end."""
        result = self._server.get(self.place)["result"]
        return Usage(**result["usage"]) if result and "usage" in result else Usage()


class _Kept:
    """Where one stream goes: to a descriptor, or kept as far as there is room."""

    def __init__(self, descriptor: int | None, room: int) -> None:
        self._descriptor = descriptor
        self._room = room
        self._data = bytearray()
        self._dropped = 0

    def take(self, data: bytes, missing: int) -> None:
        """Pass on or keep some, behind so many bytes that are not to be had any more."""
        self._dropped += missing
        if self._descriptor is not None:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            return
        fits = data[: self._room - len(self._data)]
        self._data += fits
        self._dropped += len(data) - len(fits)

    def given(self, more: int) -> Captured:
        """Give what was kept; `more` bytes were dropped before they came here."""
        return Captured(bytes(self._data), self._dropped + more)
