"""Why an attack cannot work on this machine even unconfined: facts of the kernel and of the user's rights."""

import ctypes
import errno
import os
import platform
import re
from collections.abc import Callable
from pathlib import Path


def needs_root() -> str:
    """Say so if only root can do it at all."""
    return "" if os.geteuid() == 0 else "an ordinary user cannot do this unconfined either"


def unfiltered() -> str:
    """Say so if another filter already stands around this process."""
    return "" if status("Seccomp") == "0" else "this process is under a system-call filter of its own"


def sysctl(name: str) -> str:
    """Give a kernel setting, empty where the kernel has none of that name."""
    try:
        return Path("/proc/sys", *name.split(".")).read_text().strip()
    except OSError:
        return ""


def status(key: str, pid: int | str = "self") -> str:
    """Give a field of /proc/PID/status (proc_pid_status(5)), empty if it is not there."""
    try:
        found = re.search(rf"^{key}:\s*(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return ""
    return found[1].strip() if found else ""


def no_user_namespaces() -> str:
    """Say why the kernel lets this user make none (user_namespaces(7), and what distributions add)."""
    if sysctl("user.max_user_namespaces") in {"", "0"}:
        return "user.max_user_namespaces is 0"
    if os.geteuid() and sysctl("kernel.unprivileged_userns_clone") == "0":
        return "kernel.unprivileged_userns_clone is 0"
    if os.geteuid() and sysctl("kernel.apparmor_restrict_unprivileged_userns") == "1":
        return "kernel.apparmor_restrict_unprivileged_userns is 1"
    return unfiltered()


def no_x32() -> str:
    """Ask the kernel for its x32 entry: where there is none, it answers ENOSYS to x32's getpid."""
    if platform.machine() != "x86_64":
        return "x32 exists on x86_64 only"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(ctypes.c_long(0x4000_0000 | 39)) == -1 and ctypes.get_errno() == errno.ENOSYS:
        return "this kernel has no x32 entry"
    return unfiltered()


def first_of(*reasons: Callable[[], str]) -> Callable[[], str]:
    """Give the first reason that there is."""

    def reason() -> str:
        return next((text for check in reasons if (text := check())), "")

    return reason
