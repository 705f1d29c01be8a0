"""The next child becomes the first process of a PID namespace, so that its end is the end of all. Builtin modules only.

bubblewrap alone can be caught in its first moments: killed between making its child and letting it go on, or before
the child has asked to die with it, it leaves that child behind. As the first process of an outer PID namespace it
takes everything along, whenever it ends (pid_namespaces(7)); and a terminal's keys can't end it.
"""

import posix

from aisbx_linux import syscalls
from aisbx_linux.processes import leave, put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_THREADS = (
    "make sandboxes in another process: each fork of this one begins a second thread (os.register_at_fork, as of "
    "OpenTelemetry's BatchSpanProcessor), and one with two can make no user namespace"
)


def contain(*, pids: bool, mounts: bool) -> None:
    """Make the next child of this process the first of a PID namespace; OSError where the kernel refuses.

    With `mounts`, this process gets a mount namespace too. An ordinary user needs a user namespace for either, in which
    they keep their uid and gid. Only for a process that starts one child and ends: it can start no other once that
    one has ended.
    """
    flags = (syscalls.CLONE_NEWPID if pids else 0) | (syscalls.CLONE_NEWNS if mounts else 0)
    uid, gid = posix.geteuid(), posix.getegid()
    if not flags:
        return
    if uid == 0:
        syscalls.unshare(flags)
        return
    try:
        syscalls.unshare(syscalls.CLONE_NEWUSER | flags)
    except OSError as error:
        raise OSError(_THREADS if threads() > 1 else str(error)) from None
    put("/proc/self/setgroups", "deny")
    put("/proc/self/uid_map", f"{uid} {uid} 1")
    put("/proc/self/gid_map", f"{gid} {gid} 1")


def threads() -> int:
    """Count the threads of this process."""
    return len(posix.listdir("/proc/self/task"))


def hindrance() -> str:
    """Say what keeps `contain` from working in a child of this process that is no matter of the machine; else ""."""
    return "" if posix.geteuid() == 0 or _in_child(lambda: threads() == 1) else _THREADS


def possible() -> bool:
    """Try `contain`, and the mount calls that need it, in a child of its own."""

    def attempt() -> bool:
        contain(pids=True, mounts=True)
        syscalls.protect_tree(syscalls.clone_tree(posix.open("/usr", posix.O_RDONLY | posix.O_CLOEXEC)))
        return True

    return _in_child(attempt)


def makes_users() -> bool:
    """Tell whether the kernel lets this process make a user namespace (user_namespaces(7))."""

    def attempt() -> bool:
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        return True

    return _in_child(attempt)


def _in_child(attempt: "Callable[[], bool]") -> bool:
    child = posix.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if attempt() else 1
        finally:
            leave(code)
    return posix.waitstatus_to_exitcode(posix.waitpid(child, 0)[1]) == 0
