"""Groups below those of a sandbox that lasts, for commands with limits of their own. Builtin modules only.

A group of version 2 that shares controllers out holds no processes itself (cgroup-v2.rst, "No Internal Process
Constraint"). So such a sandbox's processes are in a group below the one that has its limits, and a command with limits
of its own is in another beside that. In version 1 it is below the sandbox's own.
"""

import posix

from aisbx_linux.cgroup.amounts import FILES, MAIN
from aisbx_linux.cgroup.group import PREFIX, sweep
from aisbx_linux.processes import put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aisbx.types import CgroupRow

LEAF = f"{PREFIX}0"
"""The group of version 2 that a sandbox's processes are in; named as if of a launcher that has gone."""
LIMITS = ("memory", "pids")
"""What a command may have a group of its own for."""
_OWN_TASKS = 1
"""What joins for the command is in its group before it: it starts it, or waits for it."""
_DIRECTORY = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC
_LOCAL = "../pids.events.local"
"""Since Linux 6.11 what counts is the group whose limit was met, before that the one whose process met it."""

_TOGETHER = "memory.oom.group"

_left: "list[str]" = []
"""Groups of commands of this process that something was in when their commands had ended."""


def divide(
    groups: "Sequence[str]", rows: "Sequence[CgroupRow]", first: int, parents: "Sequence[int]"
) -> "tuple[list[str], list[CgroupRow]]":
    """Move a sandbox's first process, alone so far, below its groups of version 2.

    `parents` are the open directories that these are in, for its launcher covers /sys. Gives the groups that its
    processes are in, and what there is to count in those. Where memory runs out one of them is ended, not all: the
    sandbox goes on, and so does who starts its commands. OSError where the kernel refuses.
    """
    inner: list[str] = []
    counted: list[CgroupRow] = []
    for group, row, folder in zip(groups, rows, parents, strict=True):
        parent, limits, events, inherited = row
        name = group.rpartition("/")[2]
        shared = [] if inherited else [limit for limit in LIMITS if _holds(row, limit)]
        if not shared:
            inner.append(group)
            counted.append(row)
            continue
        posix.mkdir(f"{name}/{LEAF}", 0o755, dir_fd=folder)
        if (_TOGETHER, "1") in limits:
            put(f"{name}/{_TOGETHER}", "0", folder)
        put(f"{name}/{LEAF}/cgroup.procs", str(first), folder)
        put(f"{name}/cgroup.subtree_control", " ".join(f"+{limit}" for limit in shared), folder)
        more = [(_LOCAL, key, met) for file, key, met in events if file == "pids.events"]
        inner.append(f"{group}/{LEAF}")
        counted.append((parent, limits, [*events, *more], inherited))
    return inner, counted


def limited(group: str) -> str:
    """Give the group that has the sandbox's limits, by the one that its processes are in."""
    return group.removesuffix(f"/{LEAF}")


def held(groups: "Sequence[str]", rows: "Sequence[CgroupRow]") -> "set[str]":
    """Give the limits that a command of a sandbox can have a group of its own for."""
    return {
        name
        for group, row in zip(groups, rows, strict=False)
        for name in LIMITS
        if _holds(row, name) and (_counts_below(group) if row[3] else group.endswith(f"/{LEAF}"))
    }


def make(
    groups: "Sequence[str]", rows: "Sequence[CgroupRow]", amounts: "Mapping[str, float]", name: str
) -> "tuple[list[str], list[str]]":
    """Make groups for one command, with limits in bytes and tasks; gives what it enters, and which of it was made.

    OSError where the kernel refuses, and then nothing is left.
    """
    entered: list[str] = []
    made: list[str] = []
    try:
        for group, row in zip(groups, rows, strict=True):
            wanted = [limit for limit in LIMITS if amounts.get(limit) and _holds(row, limit)]
            entered.append(_made(group, row, wanted, amounts, name, made) if wanted else group)
    except OSError as error:
        remove(made)
        msg = f"a cgroup for the command cannot be made: {error.strerror}"
        raise OSError(msg) from None
    return entered, made


def _made(
    group: str, row: "CgroupRow", wanted: "list[str]", amounts: "Mapping[str, float]", name: str, made: "list[str]"
) -> str:
    above = limited(group)
    folder = posix.open(above, _DIRECTORY)
    try:
        sweep([folder])  # of clients that were killed
    finally:
        posix.close(folder)
    own = f"{above}/{PREFIX}{posix.getpid()}-{name}"
    posix.mkdir(own, 0o755)
    made.append(own)
    there = posix.listdir(own)
    for limit in wanted:
        files, _ = FILES[1 if row[3] else 2][limit](amounts[limit])
        for file, value in files:
            if file in there:
                put(f"{own}/{file}", str(int(amounts[limit]) + _OWN_TASKS) if file == "pids.max" else value)
    return own


def alone(made: "Sequence[str]", tasks: int) -> None:
    """Have groups hold so many tasks and no more: what joined for the command has left. OSError where they can't."""
    for group in made:
        try:
            put(f"{group}/pids.max", str(tasks))
        except FileNotFoundError:
            continue  # it is of another controller


def remove(made: "Sequence[str]") -> None:
    """Remove groups of commands that have ended.

    One in which something runs that its command has left is tried again with the next, and goes with the sandbox.
    """
    waiting, _left[:] = [*_left, *made], []
    for group in waiting:
        try:
            posix.rmdir(group)
        except FileNotFoundError:
            continue
        except OSError:
            _left.append(group)


def _holds(row: "CgroupRow", limit: str) -> bool:
    return any(file == MAIN[limit][0 if row[3] else 1] for file, _ in row[1])


def _counts_below(group: str) -> bool:
    """Tell whether what a group below uses counts in this one: before Linux 5.11 that could be turned off."""
    try:
        with open(f"{group}/memory.use_hierarchy", "rb", buffering=0) as file:
            return file.read().strip() == b"1"
    except OSError:
        return True  # it is no group of the memory controller, or of a kernel that has no choice
