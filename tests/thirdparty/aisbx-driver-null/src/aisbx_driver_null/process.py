"""A command of the host as a `Process`: two threads relay its output, `wait` reaps it."""

import os
import signal
import subprocess
import threading
import time
from typing import IO

from aisbx.errors import CommandNotExecutableError, CommandNotFoundError, UsageError
from aisbx.types import Captured, ExitStatus, Stdio, Usage

from aisbx_driver_null.launch import Launch

_CHUNK = 1 << 16
_SIGNAL_BASE = 128


class NullProcess:
    """One command that runs."""

    def __init__(self, launch: Launch, stdio: Stdio) -> None:
        """Start it; CommandNotFoundError and CommandNotExecutableError come from here."""
        if stdio.terminal:
            raise UsageError("the null driver gives no terminals", hint="redirect standard input or output")
        given = stdio.stdin
        # A driver that confines relays a caller's descriptor as well: inside, /proc/self/fd/0 opens the file anew.
        stdin = given if isinstance(given, int) else subprocess.DEVNULL if given is None else subprocess.PIPE
        self._started = time.monotonic()
        try:
            self._child = subprocess.Popen(
                launch.argv,
                env=launch.environment,
                cwd=launch.cwd,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise CommandNotFoundError(f"{launch.argv[0]}: not found") from error
        except OSError as error:
            raise CommandNotExecutableError(f"{launch.argv[0]}: {error.strerror}") from error
        self._out = _Pump(self._child.stdout, stdio.stdout, stdio.capture)
        self._err = _Pump(self._child.stderr, stdio.stderr, stdio.capture)
        self._threads = [threading.Thread(target=pump.run, daemon=True) for pump in (self._out, self._err)]
        if isinstance(given, bytes):
            self._threads.append(threading.Thread(target=_feed, args=(self._child.stdin, given), daemon=True))
        for thread in self._threads:
            thread.start()
        self._status: ExitStatus | None = None

    def wait(self, timeout: float | None = None) -> ExitStatus | None:
        """Give how it ended, or None after `timeout` seconds."""
        if self._status is None:
            try:
                code = self._child.wait(timeout)
            except subprocess.TimeoutExpired:
                return None
            for thread in self._threads:
                thread.join(1)  # a process that it left behind may keep a stream open for ever
            self._status = ExitStatus(
                code=code if code >= 0 else _SIGNAL_BASE - code,
                signal=max(0, -code),
                duration=time.monotonic() - self._started,
                stdout=self._out.captured(),
                stderr=self._err.captured(),
            )
        return self._status

    def signal(self, number: int) -> None:
        """Send a signal; `Popen` knows when it has ended."""
        self._child.send_signal(number)

    def kill(self) -> None:
        """End it, and what is still in its session."""
        if self._child.poll() is None:
            os.killpg(self._child.pid, signal.SIGKILL)

    def resize(self, rows: int, columns: int) -> None:
        """Refuse: there is no terminal."""
        raise UsageError(f"the command has no terminal that could have {rows} rows and {columns} columns")

    def usage(self) -> Usage:
        """Give nothing: it is not measured."""
        return Usage()

    def end(self) -> None:
        """Kill it if it still runs."""
        self._child.kill()
        self.wait()


class _Pump:
    """Relays one stream to a descriptor, or keeps a bounded part of it."""

    def __init__(self, source: IO[bytes] | None, target: int | None, bound: int) -> None:
        assert source is not None
        self._source = source
        self._target = target
        self._bound = bound
        self._kept = bytearray()
        self._dropped = 0

    def run(self) -> None:
        with self._source:
            while data := os.read(self._source.fileno(), _CHUNK):
                if self._target is None:
                    room = max(0, self._bound - len(self._kept))
                    self._kept += data[:room]
                    self._dropped += len(data) - len(data[:room])
                while self._target is not None and data:
                    data = data[os.write(self._target, data) :]

    def captured(self) -> Captured:
        return Captured(bytes(self._kept), self._dropped)


def _feed(target: IO[bytes] | None, data: bytes) -> None:
    assert target is not None
    try:
        with target:
            target.write(data)
    except BrokenPipeError:
        pass  # the command did not want it all
