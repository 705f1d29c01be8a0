"""Make a root directory from one of three origins."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from aisbx.errors import StateError, UsageError

from aisbx_linux.roots.debian import DebianStream
from aisbx_linux.roots.host import HostStream
from aisbx_linux.roots.making import made_from, making, tidy
from aisbx_linux.roots.unpack import Bounds, Unpacking

ORIGINS = "debian, host or tar:FILE"
_MOST_OF = 0.9
"""What of the free space of a disk an archive may take."""


class Stream(Protocol):
    """Where a tar comes from."""

    def start(self, target: int) -> None:
        """Begin to write to a descriptor, which is closed at the end."""
        ...

    def finish(self) -> str:
        """Say, once its reader has ended, what kept it from being whole; "" for nothing."""
        ...

    def stop(self) -> None:
        """End it, once its reader has ended, whatever it is doing; nothing of it is left then."""
        ...


def make_root(place: Path, origin: str, program: bytes, told: Callable[[str], None]) -> bool:
    """Make the directory `place`, absolute, from `origin`; False where the same was made there already.

    `program` is the filter of what unpacks it, `told` gets lines for people. UsageError for an origin that cannot be
    had, StateError where something else is there, or it cannot be whole.
    """
    kind, _, name = origin.partition(":")
    if kind not in {"debian", "host", "tar"} or (kind == "tar") != bool(name):
        raise UsageError(f"--from: {origin!r} is no origin", hint=f"write {ORIGINS}")
    file, present = -1, made_from(place)
    if kind == "tar":
        if present is not None and not os.path.lexists(name):
            origin = _gone(name, present)
        else:
            file, origin = _file(name)
    try:
        if present == origin:
            tidy(place)
            told(f"{place} is there already, made from {origin}")
            return False
        if present is not None:
            raise StateError(f"{place} was made from {present}", hint="remove it first, or name another directory")
        with making(place, origin, told) as beside:
            stream = {"debian": lambda: DebianStream(beside, told), "host": HostStream}.get(kind, lambda: None)()
            counts = _fill(beside / "root", file, stream, program, told)
    finally:
        if file >= 0:
            os.close(file)
    left = f"; {counts['left_out']} devices and pipes were left out" if counts["left_out"] else ""
    told(f"made {place}: {counts['files']} files, {counts['bytes'] >> 20} MiB{left}")
    return True


def _file(name: str) -> tuple[int, str]:
    """Open an archive; gives the descriptor, and what tells it from others of the same name."""
    path = os.path.realpath(name)
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        found = os.fstat(file)
    except OSError as error:
        raise UsageError(f"--from: {name} cannot be read: {error.strerror}", hint=f"write {ORIGINS}") from error
    if not os.path.isfile(f"/proc/self/fd/{file}"):
        os.close(file)
        raise UsageError(f"--from: {name} is no file", hint=f"write {ORIGINS}")
    return file, f"tar:{path} ({found.st_size} bytes, {found.st_mtime_ns})"


def _gone(name: str, present: str) -> str:
    """Give what a directory was made from, where that is an archive of this name, which is there no longer."""
    named = f"tar:{os.path.realpath(name)} ("
    return present if present.startswith(named) else named + "gone)"


def bounds_of(root: Path) -> Bounds:
    """Give what an archive may be that is unpacked in this directory."""
    return Bounds(min(Bounds().size, int(shutil.disk_usage(root).free * _MOST_OF)))


def _fill(root: Path, file: int, stream: Stream | None, program: bytes, told: Callable[[str], None]) -> dict[str, int]:
    reader, writer = (file, -1) if stream is None else os.pipe2(os.O_CLOEXEC)
    unpacking = Unpacking(reader, root, program, bounds_of(root))
    try:
        if stream is not None:
            os.close(reader)
            stream.start(writer)
        try:
            counts = unpacking.wait(told)
        except StateError as error:
            unpacking.end()
            if problem := _broken(stream):  # either may be why the other broke off
                raise StateError(f"{problem}; {error}", hint=error.hint) from None
            raise
        if problem := _broken(stream):
            raise problem
        return counts
    finally:
        unpacking.end()
        if stream is not None:
            stream.stop()


def _broken(stream: Stream | None) -> StateError | None:
    problem = stream.finish() if stream is not None else ""
    return StateError(problem, hint="nothing of it was kept") if problem else None
