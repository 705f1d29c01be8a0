"""What to do where the kernel, or what confines this process, refuses a sandbox. Builtin modules only."""

import posix

OTHERS_PROC = "the /proc here is another PID namespace's, which numbers processes differently"
MOUNT_PROC = "mount -t proc proc /proc"
_SWITCHES = (
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or the system's bubblewrap with its AppArmor profile",
    ),
)
_KINDS = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")
_PLENTY = 15000
_FEW = 64
"""Namespaces of one kind. A kernel that allows less had its limit lowered: the default is half of threads-max, by
namespaces(7) and kernel/fork.c."""
_MASKED = (
    "this is a container that masks parts of /proc, and then the kernel lets nobody mount a new one: start it with "
    "docker run --security-opt systempaths=unconfined (podman: --security-opt unmask=ALL)"
)
_CONFINED = (
    "allow user namespaces and mounts here: a container needs a seccomp profile and an AppArmor profile that allow "
    "unshare and mount; inside another sandbox, run aisbx outside of it"
)
_EXHAUSTED = (
    "more namespaces are asked for than this machine allows: end sandboxes and containers that are not needed, or "
    "raise what `sysctl -a` shows as user.max_*_namespaces"
)
_OF_NAMESPACES = ("namespace", "unshare", "not permitted", "slave", "pivot_root", "uid map", "loopback", "mount")


def remedy(refusal: str) -> str:
    """Give what to do about a refusal, from the kernel's own switches and what was said; empty where neither tells."""
    for switch, closed, mend in _SWITCHES:
        if _read(switch) == closed:
            return mend
    for kind in _KINDS:
        allowed = _read(f"/proc/sys/user/max_{kind}_namespaces")
        if allowed.isdecimal() and int(allowed) < _FEW:
            return f"sysctl user.max_{kind}_namespaces={_PLENTY} (it is {allowed})"
    if "mount proc" in refusal:
        return _MASKED
    if "ENOSPC" in refusal or "No space left" in refusal:
        return _EXHAUSTED
    return _CONFINED if any(word in refusal for word in _OF_NAMESPACES) else ""


def others_proc() -> bool:
    """Tell whether /proc shows another PID namespace than this process's (proc(5), /proc/self)."""
    try:
        return posix.readlink("/proc/self") != str(posix.getpid())
    except OSError:
        return False  # there is none


def _read(switch: str) -> str:
    try:
        with open(switch, encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""  # this kernel has no such switch
