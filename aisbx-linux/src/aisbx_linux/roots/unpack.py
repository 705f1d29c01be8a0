"""Unpack a tar stream by a process that has nothing but the stream and the directory to fill.

What is in the archive was written by others, and so was what reads it (tarfile, zlib, lzma): the process has this
directory as its root (pivot_root(2)), no other processes to signal, no network, no privileges, a filter of system
calls, and bounds. A path or a link of the archive leads nowhere else, whatever it says.
"""

import json
import os
import resource
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aisbx.errors import StateError

from aisbx_linux import cradle, syscalls
from aisbx_linux.confine.plain import closed
from aisbx_linux.processes import leave, write_all
from aisbx_linux.roots.making import MANIFEST

_MEMORY = 1 << 29
"""Bytes that the reader may set aside: a dictionary of xz, or a header that claims to be large, takes no more."""
_BASE = "/tmp"
_APART = 0x40000000 | 0x08000000 | 0x04000000
"""CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS."""
# kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal, prlimit64, setpriority
_SIGNALS = {
    "x86_64": (62, 200, 234, 129, 297, 424, 302, 141),
    "aarch64": (129, 130, 131, 138, 240, 424, 261, 140),
}
"""By what a process of root's reaches others of root's where there is no PID namespace."""
_LINE = 1 << 16
"""Bytes of a report of who unpacks, which may have been taken over."""
_HIGHEST = 1 << 20
_HANDLE = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an archive may be: `size` in bytes of all files, `entries` of any kind."""

    size: int = 64 << 30
    entries: int = 4_000_000


class Unpacking:
    """The process that unpacks, from its start to its end."""

    def __init__(self, source: int, place: Path, program: bytes, bounds: Bounds) -> None:
        """Start it: from the descriptor `source` into the directory `place`, behind a compiled filter."""
        reports, tell = os.pipe2(os.O_CLOEXEC)
        self._child = os.fork()
        if self._child == 0:
            code = 1
            try:
                code = _begin(source, place, program, bounds, tell)
            finally:
                leave(code)
        os.close(tell)
        self._reports = open(reports, "rb")  # noqa: SIM115 - `end` closes it

    def wait(self, told: Callable[[str], None]) -> dict[str, int]:
        """Give the counts of what was made (`files`, `bytes`, `left_out`); StateError says why it is not whole."""
        last: dict[str, object] = {}
        try:
            while line := self._reports.readline(_LINE):
                last = dict(json.loads(line))
                if "files" in last:
                    told(f"{_count(last, 'files')} files, {_count(last, 'bytes') >> 20} MiB")
            counts = {name: _count(last, name) for name in ("files", "bytes", "left_out")} if "whole" in last else {}
        except (ValueError, TypeError, KeyError, RecursionError):
            raise StateError(
                "it cannot be unpacked: who does it told nonsense", hint="nothing of it was kept"
            ) from None
        code = os.waitstatus_to_exitcode(os.waitpid(self._child, 0)[1])
        self._child = 0
        if code == 0 and counts:
            return counts
        what = str(last.get("error") or f"the process that unpacks it ended with {code}")
        raise StateError(f"it cannot be unpacked: {what}", hint="nothing of it was kept")

    def end(self) -> None:
        """End it, whatever it is doing; nothing of it is left then."""
        if self._child:
            os.kill(self._child, 9)
            os.waitpid(self._child, 0)
            self._child = 0
            self._reports.read()  # to the end, which is that of who unpacks
        self._reports.close()


def _begin(source: int, place: Path, program: bytes, bounds: Bounds, tell: int) -> int:
    """Give up all but the stream and the directory, and unpack; gives the exit code."""

    def say(**what: object) -> None:
        write_all(tell, json.dumps(what).encode() + b"\n")

    try:
        syscalls.die_with_parent()
        from aisbx_linux.roots import extract  # with the decompressors, before there is nothing to import from

        os.dup2(source, 0)
        os.closerange(1, tell)
        os.closerange(tell + 1, _HIGHEST)
        confine(place, bounds)
        syscalls.give_up()
        syscalls.set_filter(program)
        counts = extract.extract(bounds, lambda counts: say(**counts), f"/{MANIFEST}")
        say(whole=True, **counts)
    except BaseException as error:  # noqa: BLE001 - whatever it is, who started us must hear of it
        say(error=_told(error))
        return 1
    return 0


def _count(report: dict[str, object], name: str) -> int:
    count = report[name]
    if not isinstance(count, int):
        raise TypeError(name)
    return count


def _told(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if isinstance(error.filename, str) else error.strerror
    if isinstance(error, MemoryError):
        return "reading it takes more memory than an archive may"
    return str(error) or type(error).__name__


def confine(place: Path, bounds: Bounds) -> None:
    """Make a directory the root of this process, and have it hold nothing else; OSError where the kernel refuses.

    Root that is given no namespaces goes into it with chroot(2): without capabilities there is no way back.
    """
    try:
        cradle.contain(pids=True, mounts=True)
    except OSError:
        if os.geteuid() != 0:
            raise
        os.chroot(place)
        os.chdir("/")
        _bound(bounds)
        syscalls.give_up()  # also what a filter takes without it: CAP_SYS_ADMIN, which a container's root lacks
        machine = os.uname().machine
        syscalls.set_filter(closed(machine, _SIGNALS[machine]))
    else:
        _begin_anew()
        _pivot(place)
        _bound(bounds)


def _bound(bounds: Bounds) -> None:
    os.umask(0o022)
    for kind, amount in (
        (resource.RLIMIT_DATA, _MEMORY),
        (resource.RLIMIT_FSIZE, bounds.size),
        (resource.RLIMIT_CORE, 1),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(kind, (amount, amount))


def _begin_anew() -> None:
    """Go on as a child, the first process of the PID namespace; this one waits for it, and it ends with this one."""
    held, holds = os.pipe2(os.O_CLOEXEC)
    if first := os.fork():
        os.closerange(0, holds)
        os.closerange(holds + 1, _HIGHEST)
        leave(1 if os.waitpid(first, 0)[1] else 0)
    os.close(holds)
    syscalls.die_with_parent()
    os.set_blocking(held, False)
    with suppress(BlockingIOError):
        os.read(held, 1)
        leave(1)  # it ended before that
    os.close(held)


def _pivot(place: Path) -> None:
    syscalls.unshare(_APART)
    syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE, "")
    opened = os.open(place, _HANDLE)
    tree = syscalls.clone_tree(opened)
    syscalls.restrict_tree(tree, read_only=False)
    syscalls.attach_tree(tree, _BASE)
    root = os.open(_BASE, _HANDLE)
    os.fchdir(root)
    if syscalls.call("pivot_root", b".\0", b".\0") != 0:
        raise OSError("pivot_root was refused")
    syscalls.detach(".")
    os.chdir("/")
    for descriptor in (opened, tree, root):
        os.close(descriptor)
