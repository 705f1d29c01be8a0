"""Which caches a sandbox has at this moment: it shows in the mounts and descriptors of its processes (proc(5)).

A lock would cost every run something and this costs only who asks.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from aisbx.errors import StateError
from aisbx.regions import plain

DEVICE, ROOT, POINT = 2, 3, 4
"""Fields of a line of mountinfo, from 0: major:minor, what of the file system a mount shows, and where."""
Shown = tuple[str, str]
"""A file system, and a path in it."""


def in_use(folder: Path) -> frozenset[str]:
    """Give the names of those directories in a folder that a process has mounted or open.

    What was moved shows under its new name, so who moves first and asks then misses no run. A process in another PID
    namespace than ours is not seen. StateError where nothing can be seen at all.
    """
    if sys.platform != "linux":
        return frozenset()
    path = os.path.realpath(folder)
    try:
        processes = [entry for entry in os.listdir("/proc") if entry.isdigit()]
        device, shown = _shown(path)
    except OSError as error:
        raise StateError("what is in use cannot be seen: there is no /proc", hint="mount /proc") from error
    found: set[str] = set()
    own = str(os.getpid())
    for process in processes:
        for other, root in _mounted(process):
            if other == device and root.startswith(f"{shown}/"):
                found.add(root[len(shown) + 1 :].split("/", 1)[0])
        for held in () if process == own else _open(process):
            if held.startswith(f"{path}/"):
                found.add(held[len(path) + 1 :].split("/", 1)[0])
    return frozenset(found)


def _shown(path: str) -> Shown:
    """Say on what file system a real path lies, and where there: mounts of it name it so wherever they are."""
    best: tuple[int, Shown] = (-1, ("", ""))
    for device, root, at in _lines("self"):
        point = at.rstrip("/")
        if path == point or path.startswith(f"{point}/"):
            best = max(best, (len(point), (device, root.rstrip("/") + path[len(point) :])), key=lambda each: each[0])
    if best[0] < 0:
        raise FileNotFoundError(path)  # a root directory that is no mount: chroot(2)
    return best[1]


def _mounted(process: str) -> Iterator[Shown]:
    with suppress(OSError):  # a process that ends, or is none of ours, has nothing to show
        for device, root, _ in _lines(process):
            yield device, root


def _lines(process: str) -> Iterator[tuple[str, str, str]]:
    with open(f"/proc/{process}/mountinfo", "rb") as lines:
        for line in lines:
            fields = line.split(b" ", POINT + 1)
            yield fields[DEVICE].decode(), plain(fields[ROOT]), plain(fields[POINT])


def _open(process: str) -> Iterator[str]:
    """Give what a process has open: a launch opens what it is to mount before it does."""
    with suppress(OSError):
        for descriptor in os.listdir(f"/proc/{process}/fd"):
            with suppress(OSError):
                yield os.readlink(f"/proc/{process}/fd/{descriptor}")
