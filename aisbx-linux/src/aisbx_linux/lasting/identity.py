"""Know a sandbox's processes again: numbers of processes are used anew, their moments of birth are not.

Builtin modules only.
"""

import marshal
import posix

from aisbx_linux.processes import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from typing import TypedDict

    from aisbx.types import LocalPlan

    Born = tuple[int, int]
    """A pid, and when it was started, in ticks since boot (proc_pid_stat(5), field 22)."""

    class Held(TypedDict):
        """A sandbox that lasts, as plain data: enough to join it, to end it, and to see that it is gone."""

        boot: bytes
        first: Born
        tool: Born
        """The process on the host whose end is the end of all others."""
        who: tuple[int, int]
        """uid and gid inside."""
        forwarder: Born | None
        """The process that carries connections to its published ports."""
        groups: list[str]
        """The directories of its cgroups."""
        until: float
        """Seconds since the epoch when it ends by itself; 0 for never."""
        state: str
        """The private directory of all runs: quarantine, and what is known of workspaces."""
        plan: LocalPlan
        watch: tuple[str, list[str], bool] | None
        """Where it is watched: its home, the groups of calls that its filter allows, `probes` of `notify.notifying`."""
        record: tuple[str, list[str], list[int]] | None
        """Where a profile is learned from it: as above, and the numbers of the allowed calls that are told of."""


if not TYPE_CHECKING:
    import _signal  # the C module: `signal` costs milliseconds for its enumerations

FORMAT = 5
"""Of `Held` on disk; raise it whenever its layout or meaning changes."""
FILE = "held"
NAMESPACES = {
    "user": 0x10000000,
    "mnt": 0x00020000,
    "pid": 0x20000000,
    "net": 0x40000000,
    "ipc": 0x08000000,
    "uts": 0x04000000,
    "cgroup": 0x02000000,
}
"""Names in /proc/PID/ns → flags of clone(2)."""
_STARTED = 19  # behind the command's name, which may hold anything


def keep(home: str, held: "Held") -> None:
    """Write down a sandbox's processes in its own private directory, whole or not at all; OSError where that fails."""
    temporary = f"{home}/.{FILE}"
    descriptor = posix.open(temporary, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_CLOEXEC, 0o600)
    try:
        write_all(descriptor, marshal.dumps((FORMAT, held)))  # pyright: ignore[reportArgumentType]  (plain data)
    finally:
        posix.close(descriptor)
    posix.rename(temporary, f"{home}/{FILE}")


def recall(home: str) -> "Held | None":
    """Give what `keep` wrote; None where there is nothing, or it is of another version."""
    try:
        with open(f"{home}/{FILE}", "rb") as stream:
            return parse(stream.read())
    except FileNotFoundError:
        return None


def parse(data: bytes) -> "Held | None":
    """Give the sandbox that the content of such a file stands for; None where it is torn or of another version."""
    try:
        version, held = marshal.loads(data)  # noqa: S302 - in a private directory of ours
    except (EOFError, ValueError, TypeError):
        return None
    return held if version == FORMAT else None


def other_version(home: str) -> "Held | None":
    """Give a sandbox that another version of aisbx keeps: enough to see that it lives and to end it, nothing more."""
    try:
        with open(f"{home}/{FILE}", "rb") as stream:
            version, held = marshal.loads(stream.read())  # noqa: S302 - in a private directory of ours
        if version == FORMAT or not {"boot", "first", "tool"} <= held.keys():
            return None
    except (OSError, EOFError, ValueError, TypeError, AttributeError):
        return None
    return {"groups": [], "forwarder": None, "watch": None, "record": None, **held}  # pyright: ignore[reportReturnType]  (what it has of one)


def boot() -> bytes:
    """Give what tells one start of this machine from the next."""
    with open("/proc/sys/kernel/random/boot_id", "rb", buffering=0) as stream:
        return stream.read().strip()


def started(pid: int) -> int:
    """Give when a process was started; 0 when there is none, or it has ended and waits to be reaped."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as stream:
            fields = stream.read().rpartition(b")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in {b"Z", b"X"} else int(fields[_STARTED])


def lives(held: "Held") -> bool:
    """Tell whether a sandbox's first process is still there, and still the same."""
    return held["boot"] == boot() and started(held["first"][0]) == held["first"][1]


def open_process(born: "Born") -> int:
    """Give a pidfd of just this process; ProcessLookupError when it has ended."""
    descriptor = posix.pidfd_open(born[0])
    if started(born[0]) == born[1]:  # whoever has the number now had it when it was opened
        return descriptor
    posix.close(descriptor)
    raise ProcessLookupError


def send_to(born: "Born", number: int) -> None:
    """Send a signal to just this process; nothing happens when it has ended, or is somebody else's."""
    try:
        process = open_process(born)
    except OSError:
        return
    try:
        _signal.pidfd_send_signal(process, number)
    except ProcessLookupError:
        return
    finally:
        posix.close(process)


def differing(pid: int) -> int:
    """Give flags for the namespaces in which a process is and this one is not."""
    flags = 0
    for name, flag in NAMESPACES.items():
        try:
            if posix.readlink(f"/proc/{pid}/ns/{name}") != posix.readlink(f"/proc/self/ns/{name}"):
                flags |= flag
        except FileNotFoundError:
            continue  # this kernel has none of that kind
    return flags
