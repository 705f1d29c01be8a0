"""The groups of one launch, one in each hierarchy that it needs. On the hot path of plans that have any.

To move another process, the kernel waits for every processor to pass a point of rest: 10 ms. In version 1 a thread that
moves itself alone waits for nothing. So whoever starts the tool goes in, and comes out once it is born there.

A group's name has the launcher's pid: a launcher that was killed leaves empty groups behind, and the next run in the
same place removes those whose launcher has gone. Builtin modules only.
"""

import posix
import time

from aisbx_linux.ending import TOO_LITTLE
from aisbx_linux.processes import put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from aisbx.types import CgroupRow

    Door = tuple[int, int]
    """The `tasks` files of a group and of the one above it, open for writing."""

_DIRECTORY = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC
PREFIX = "aisbx-"
_WRITING = posix.O_WRONLY | posix.O_CLOEXEC
_TRIES = 50
_EBUSY = 16
_REAL_TIME = (posix.SCHED_FIFO, posix.SCHED_RR)
"""Who is scheduled so may not enter a group for processor time (sched-rt-group.rst): it does without a share there."""
_SWEPT = 16
"""Groups of others that a launch looks at."""
_turns = iter(range(time.monotonic_ns(), 1 << 62))
"""A sandbox that lasts outlives its launcher, and another launcher gets that pid: its groups have other numbers."""


class Group:
    """A group in each place of a plan, under one name. By descriptor: root's launcher covers /sys for a while."""

    __slots__ = ("_made", "_name", "_parents", "_rows", "doors")

    def __init__(self, rows: "Sequence[CgroupRow]") -> None:
        """Open the places; OSError where one is not there."""
        self._rows = rows
        self._name = f"{PREFIX}{posix.getpid()}-{next(_turns)}"
        self._parents: list[int] = []
        self._made: list[int] = []
        """The parents in which there is a group by now."""
        self.doors: list[Door] = []
        """Of the groups that the tool is started in; `limit` closes them."""
        try:
            self._parents += [posix.open(parent, _DIRECTORY) for parent, _, _, _ in rows]
        except OSError as error:
            self._close()
            msg = f"cgroups cannot be made: {error.strerror}: {error.filename}"
            raise OSError(msg) from None

    @classmethod
    def taken(cls, rows: "Sequence[CgroupRow]", name: str, parents: "list[int]") -> "Group":
        """Take groups over that have been made and limited, in these open directories of `rows`."""
        group = cls(())
        group._rows, group._name, group._parents, group._made = rows, name, parents, list(parents)
        return group

    @property
    def parents(self) -> "list[int]":
        """The open directories that they are in."""
        return self._parents

    @property
    def paths(self) -> "list[str]":
        """The directories that `make` makes."""
        return [f"{parent}/{self._name}" for parent, _, _, _ in self._rows]

    def make(self) -> None:
        """Make the groups, without limits; OSError where the kernel refuses."""
        for parent, (path, limits, _, inherited) in zip(self._parents, self._rows, strict=True):
            try:
                try:
                    posix.mkdir(self._name, 0o755, dir_fd=parent)
                except FileExistsError:  # of a launcher that was killed and had the pid before us
                    posix.rmdir(self._name, dir_fd=parent)
                    posix.mkdir(self._name, 0o755, dir_fd=parent)
                self._made.append(parent)
                if inherited and (limits or posix.sched_getscheduler(0) not in _REAL_TIME):
                    inside = posix.open(f"{self._name}/tasks", _WRITING, dir_fd=parent)
                    self.doors.append((inside, posix.open("tasks", _WRITING, dir_fd=parent)))
            except OSError as error:
                msg = f"the cgroup {path}/{self._name} cannot be made: {error.strerror}"
                raise OSError(msg) from None

    def limit(self) -> None:
        """Set the limits, once nobody else is in the groups; OSError where the kernel refuses."""
        self._shut()
        for parent, (path, limits, _, _) in zip(self._parents, self._rows, strict=True):
            for file, value in limits:
                try:
                    put(f"{self._name}/{file}", value, parent)
                except OSError as error:
                    why = f"the cgroup {path}/{self._name} cannot be limited: {error.strerror}"
                    raise OSError(f"the limit {file}={value} {TOO_LITTLE}" if error.errno == _EBUSY else why) from None

    def add(self, process: int) -> None:
        """Move a process into the groups that the tool is not started in; its later children are born there.

        ProcessLookupError where it has ended, another OSError where the kernel refuses.
        """
        for parent, (path, _, _, inherited) in zip(self._parents, self._rows, strict=True):
            if inherited:
                continue
            try:
                put(f"{self._name}/cgroup.procs", str(process), parent)
            except ProcessLookupError:
                raise
            except OSError as error:
                msg = f"the sandbox cannot be moved into the cgroup {path}/{self._name}: {error.strerror}"
                raise OSError(msg) from None

    def settle(self) -> "set[str]":
        """Once every process has ended: give the names of what happened (`oom_killed`, …), and remove the groups."""
        happened: set[str] = set()
        for parent, (_, _, events, _) in zip(self._made, self._rows, strict=False):
            for file, key, name in events:
                if count(read(f"{self._name}/{file}", parent), key):
                    happened.add(name)
        for parent in self._made:
            _remove(self._name, parent)
        sweep(self._parents)
        self._close()
        return happened

    def _shut(self) -> None:
        for door in self.doors:
            for descriptor in door:
                posix.close(descriptor)
        self.doors.clear()

    def _close(self) -> None:
        self._shut()
        for parent in self._parents:
            posix.close(parent)
        self._parents.clear()
        self._made.clear()


def enter(doors: "Sequence[Door]") -> None:
    """Take this thread into the groups, for what it starts next; OSError where the kernel refuses."""
    try:
        for inside, _ in doors:
            posix.write(inside, b"0")
    except OSError as error:
        msg = f"the sandbox cannot be started in its cgroup: {error.strerror}"
        raise OSError(msg) from None


def come_out(doors: "Sequence[Door]") -> None:
    """Take this thread back to where it was. May be called without `enter`."""
    for _, outside in doors:
        posix.write(outside, b"0")


def sweep(parents: "Sequence[int]") -> None:
    """Remove, below open directories, the groups of launchers that are gone; one with processes can't be removed.

    Of many only some are looked at, others the next time: sandboxes that last have such groups too, in any number.
    """
    names = [name for name in posix.listdir(parents[0]) if name.startswith(PREFIX)] if parents else []
    first = time.monotonic_ns() % len(names) if names else 0
    for name in (names[first:] + names[:first])[:_SWEPT]:
        if not _lives(name[len(PREFIX) :].partition("-")[0]):
            for parent in parents:
                try:
                    _take_away(name, parent)
                except OSError:
                    continue  # another run was first, or something lives in it


def read(path: str, folder: "int | None" = None) -> bytes:
    """Read a control file, at most a page, below an open directory."""
    descriptor = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC, dir_fd=folder)
    try:
        return posix.read(descriptor, 4096)
    finally:
        posix.close(descriptor)


def count(content: bytes, key: str) -> int:
    """Give the number behind a key of a file with lines `KEY NUMBER`; 0 where it has no such line."""
    _, found, rest = (b"\n" + content).partition(b"\n%s " % key.encode())
    return int(rest.partition(b"\n")[0]) if found else 0


def _remove(name: str, parent: int) -> None:
    for _ in range(_TRIES):  # the last process may be on its way out still
        try:
            _take_away(name, parent)
        except OSError:
            time.sleep(0.001)
        else:
            return


def _take_away(name: str, parent: int) -> None:
    """Remove a group, with those below it whose client has gone (see `below`); OSError where something lives in it."""
    try:
        posix.rmdir(name, dir_fd=parent)
    except OSError:
        folder = posix.open(name, _DIRECTORY, dir_fd=parent)
        try:
            for inner in posix.listdir(folder):
                if inner.startswith(PREFIX) and not _lives(inner[len(PREFIX) :].partition("-")[0]):
                    posix.rmdir(inner, dir_fd=folder)
        finally:
            posix.close(folder)
        posix.rmdir(name, dir_fd=parent)


def _lives(pid: str) -> bool:
    try:
        posix.stat(f"/proc/{pid}")
    except OSError:
        return False
    return True
