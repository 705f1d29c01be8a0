"""The processes of a sandbox that lasts, seen from the host: by the namespace that they count in."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock

from aisbx.errors import StateError
from aisbx.types import Consumption, ProcessRow

_STATES = {"R": "running", "S": "sleeping", "D": "waiting", "T": "stopped", "t": "traced", "Z": "ended", "I": "idle"}
_STARTED = 19
_TIMES, _RESIDENT = slice(11, 15), 21
"""In proc_pid_stat(5), behind the name: utime, stime, cutime, cstime; rss, in pages."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_FRESH = 1.0
"""Seconds for which one look at all processes of the machine does for every sandbox that is asked about."""
_TICKS = os.sysconf("SC_CLK_TCK")


def members(first: int) -> Iterator[tuple[int, int]]:
    """Give the processes that count in the namespace of a sandbox's first one: number on the host, number inside.

    Those that are just joining can't be looked into and are not among them; nor are those that have ended.
    """
    try:
        namespace = os.readlink(f"/proc/{first}/ns/pid")
    except OSError:
        return
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.readlink(f"/proc/{name}/ns/pid") == namespace:
                    yield int(name), _inside(name)
            except OSError:
                continue  # it has ended, or is somebody else's


def processes(first: int) -> list[ProcessRow]:
    """Give what there is to know of each, but the first, by number inside."""
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    rows: list[ProcessRow] = []
    for process, inside in members(first):
        if process == first:
            continue
        with suppress(OSError):
            rows.append(_row(process, inside, boot))
    return sorted(rows, key=lambda row: row.pid)


def send(first: int, inside: int, number: int) -> None:
    """Send a signal to the process that has a number inside; StateError where there is none."""
    for process, counted in members(first):
        if counted == inside and process != first:
            with suppress(ProcessLookupError):
                descriptor = os.pidfd_open(process)
                try:
                    if (process, inside) in members(first):  # still the same: its number is taken while this is open
                        signal.pidfd_send_signal(descriptor, number)
                        return
                finally:
                    os.close(descriptor)
    raise StateError(f"there is no process {inside} in the sandbox", hint="see: aisbx ps")


def consumption(first: int) -> Consumption:
    """Give what the processes use that count in the namespace of a sandbox's first one."""
    try:
        namespace = os.readlink(f"/proc/{first}/ns/pid")
    except OSError:
        return Consumption(0.0, 0)
    ticks = pages = 0
    for process in _families.get(namespace):
        with suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
            ticks += sum(map(int, fields[_TIMES]))
            pages += int(fields[_RESIDENT])
    return Consumption(ticks / _TICKS, pages * _PAGE)


class _Families:
    """The processes of every namespace: one walk over all of them, whoever asks for which."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[str, list[str]] = {}
        self._at = -_FRESH

    def get(self, namespace: str) -> list[str]:
        """Give the numbers on the host of those that count in a namespace."""
        with self._lock:
            if time.monotonic() - self._at >= _FRESH:
                self._known = {}
                for name in os.listdir("/proc"):
                    if name.isdigit():
                        with suppress(OSError):  # it has ended, or is somebody else's
                            self._known.setdefault(os.readlink(f"/proc/{name}/ns/pid"), []).append(name)
                self._at = time.monotonic()
            return self._known.get(namespace, [])


_families = _Families()


def _inside(process: str) -> int:
    for line in Path(f"/proc/{process}/status").read_bytes().splitlines():
        if line.startswith(b"NSpid:"):
            return int(line.split()[-1])
    raise ProcessLookupError


def _row(process: int, inside: int, boot: float) -> ProcessRow:
    fields = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
    words = Path(f"/proc/{process}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    argv = tuple(word.decode(errors="surrogateescape") for word in words)
    if argv == ("",):
        argv = (Path(f"/proc/{process}/comm").read_bytes().decode(errors="surrogateescape").rstrip("\n"),)
    state = fields[0].decode()
    return ProcessRow(
        pid=inside,
        state=_STATES.get(state, state),
        started=round(boot + int(fields[_STARTED]) / _TICKS, 2),
        argv=argv,
    )
