"""Pause and resume a sandbox that lasts: by its cgroup of version 2, else by SIGSTOP to each of its processes.

The freezer of version 1 is no choice: what it has frozen can't be killed (cgroup-v1/freezer-subsystem.rst), so the
sandbox could not be ended either. With SIGSTOP the first process is spared, so that the time to live goes on counting.
"""

import os
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from aisbx.errors import StateError, UsageError

from aisbx_linux.cgroup.below import limited
from aisbx_linux.lasting import copying, pause
from aisbx_linux.lasting.identity import send_to, started
from aisbx_linux.lasting.observe import members

_QUIET = 0.02
"""Seconds for which no process may have come: one that is just joining is seen once it has become its command."""
_PATIENCE = 10.0
_STEP = 0.004
_FREEZE, _EVENTS = "cgroup.freeze", "cgroup.events"
_STOPPED = frozenset("TtZX")


class TreeFreezer:
    """A `Freezer` of one sandbox."""

    def __init__(self, home: str, first: int, groups: list[str]) -> None:
        """`home` is its private directory, `first` its first process, `groups` the directories of its cgroups."""
        self._home = home
        self._first = first
        self._group = next((group for group in map(limited, groups) if os.path.exists(f"{group}/{_FREEZE}")), "")

    @property
    def mechanism(self) -> str:
        """By what it is done."""
        return "cgroup v2, cgroup.freeze" if self._group else "SIGSTOP to each process"

    @property
    def paused(self) -> bool:
        """Whether it is paused; who has paused it to copy its layer may have been killed, then it goes on."""
        return pause.paused(self._home) and not copying.over(self._home, wait=False)

    def pause(self) -> None:
        """Stop every process; UsageError where it is paused, StateError where they come faster than they can be."""
        self._pause(b"pausing\n")

    @contextmanager
    def still(self) -> Generator[None]:
        """Have every process stand still meanwhile, also where this one is killed before the end; errors as `pause`."""
        copies = copying.begin(self._home)
        try:
            self._pause(copying.note(self._group))
            try:
                yield
            finally:
                self.resume()
        finally:
            os.close(copies)

    def _pause(self, beginning: bytes) -> None:
        held = self._hold()
        try:
            if os.fstat(held).st_size:
                raise UsageError(f"{pause.PAUSED} already", hint="aisbx resume")
            stopped: list[tuple[int, int]] = []
            try:
                os.pwrite(held, beginning, 0)
                stopped = self._freeze() if self._group else self._stop()
                rows = "".join(f"{pid} {born}\n" for pid, born in stopped).encode() or b"none\n"
                os.pwrite(held, rows, len(beginning))
            except BaseException as error:
                self._let_go(stopped)
                os.ftruncate(held, 0)
                if isinstance(error, OSError):
                    raise StateError(
                        f"it cannot be noted: {error.strerror}", hint="see whether there is room"
                    ) from error
                raise
        finally:
            os.close(held)

    def resume(self) -> None:
        """Let those go on that `pause` has stopped; UsageError where it is not paused."""
        held = self._hold()
        try:
            size = os.fstat(held).st_size
            if not size:
                raise UsageError("the sandbox is not paused", hint="see: aisbx ls")
            rows = [line.split() for line in os.pread(held, size, 0).splitlines()[1:]]
            known = [(int(row[0]), int(row[1])) for row in rows if len(row) == len(("pid", "born"))]
            if not rows:  # whoever paused it was killed meanwhile: nobody knows whom it stopped
                known = [(pid, started(pid)) for pid, _ in members(self._first)]
            self._let_go(known)
            os.ftruncate(held, 0)
        finally:
            os.close(held)

    def _let_go(self, stopped: list[tuple[int, int]]) -> None:
        if self._group:
            Path(self._group, _FREEZE).write_text("0", encoding="ascii")
        for born in stopped:
            send_to(born, signal.SIGCONT)

    def _hold(self) -> int:
        try:
            return pause.hold(self._home)
        except OSError as error:
            raise StateError(f"{error.filename}: {error.strerror}", hint="see where it lies") from error

    def _freeze(self) -> list[tuple[int, int]]:
        Path(self._group, _FREEZE).write_text("1", encoding="ascii")
        until = time.monotonic() + _PATIENCE
        while b"frozen 1" not in Path(self._group, _EVENTS).read_bytes():
            if time.monotonic() > until:
                Path(self._group, _FREEZE).write_text("0", encoding="ascii")
                raise StateError("the sandbox does not stop", hint="one of its processes may hang in the kernel")
            time.sleep(_STEP)
        return []

    def _stop(self) -> list[tuple[int, int]]:
        """Stop all, again and again until none has come for a while; what was stopped before is left out."""
        stopped: list[tuple[int, int]] = []
        until = time.monotonic() + _PATIENCE
        quiet = time.monotonic() + _QUIET
        while time.monotonic() < quiet:
            fresh = [(pid, started(pid)) for pid, _ in members(self._first) if pid != self._first and _goes(pid)]
            for born in fresh:
                send_to(born, signal.SIGSTOP)
            stopped += [born for born in fresh if born not in stopped]
            if fresh:
                quiet = time.monotonic() + _QUIET
            if time.monotonic() > until:
                for born in stopped:
                    send_to(born, signal.SIGCONT)
                raise StateError("the sandbox does not stop: its processes become more too fast", hint="aisbx destroy")
            time.sleep(_STEP)
        return stopped


def _goes(pid: int) -> bool:
    """Tell whether a process is neither stopped nor at its end.

    One that waits in the kernel with SIGSTOP pending goes nowhere either: it stops before it gets out. A parent
    waits so for a child that was stopped between vfork(2) and execve(2).
    """
    try:
        rows = dict(line.split(b":", 1) for line in Path(f"/proc/{pid}/status").read_bytes().splitlines())
    except OSError:
        return False
    state = rows[b"State"].split()[0].decode()
    return state not in _STOPPED and not (state == "D" and int(rows[b"ShdPnd"], 16) >> signal.SIGSTOP - 1 & 1)
