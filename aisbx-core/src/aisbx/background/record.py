"""How a command in the background is, in its directory: `command.json`, written whole or not at all.

Its supervisor holds flock(2) on the directory while it lives, so nobody has to trust a pid. Without `command.json` a
command never began.
"""

import posix

from aisbx.audit.jsontext import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NotRequired, TypedDict

    class CommandRecord(TypedDict):
        """What is known of a command; times are seconds since the epoch."""

        format: int
        id: str
        argv: list[str]
        state: str
        """`starting`, `running` or `ended`."""
        started: float
        terminal: bool
        stdin: bool
        principal: str
        host: str
        supervisor: int
        """The pid of the process that serves it, on this host and while it lives."""
        ended: NotRequired[float]
        exit_code: NotRequired[int]
        signal: NotRequired[int | None]
        timed_out: NotRequired[bool]
        oom_killed: NotRequired[bool]
        pids_limited: NotRequired[bool]
        duration: NotRequired[float]
        usage: NotRequired[dict[str, float]]
        """The fields of `Usage`."""
        findings: NotRequired[list[str]]
        error: NotRequired[dict[str, str]]
        output: NotRequired[dict[str, int]]
        """`bytes` that were printed, `dropped` beyond --output, `lost` because the disk took no more."""


FORMAT = 2
FILE = "command.json"
STARTING, RUNNING, ENDED = "starting", "running", "ended"
_FLAGS = posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_NOFOLLOW | posix.O_CLOEXEC


def write(place: str, record: "CommandRecord") -> None:
    """Write a record into a command's directory; OSError where that can't be, and then the one before is there."""
    temporary = f"{place}/.{FILE}"
    descriptor = posix.open(temporary, _FLAGS, 0o600)
    try:
        data = dumps(dict(record)).encode() + b"\n"
        while data:
            data = data[posix.write(descriptor, data) :]
    finally:
        posix.close(descriptor)
    posix.rename(temporary, f"{place}/{FILE}")


def hold(place: str) -> int:
    """Hold a command's directory as its supervisor does, waiting for those who look; gives the descriptor."""
    import fcntl

    descriptor = posix.open(place, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def served(place: str) -> bool:
    """Tell whether a command has its supervisor still."""
    import fcntl

    descriptor = posix.open(place, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        posix.close(descriptor)
    return False
