"""Why an attack cannot work on this machine even unconfined: facts of the kernel and of the user's rights."""

import ctypes
import errno
import os
import platform
import re
import signal
import socket
import subprocess
import sys
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


# mov eax, 20 (getpid of the 32-bit table); int 0x80; ret
GETPID_32 = """
import ctypes, mmap
def run():
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3")
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
"""


def no_32_bit() -> str:
    """Ask the kernel for its 32-bit entry, in a child: where there is none, `int 0x80` is a SIGSEGV."""
    if platform.machine() != "x86_64":
        return "int 0x80 exists on x86_64 only"
    ended = subprocess.run([sys.executable, "-I", "-S", "-c", GETPID_32 + "\nrun()"], check=False, timeout=30)
    return "this kernel has no 32-bit entry" if ended.returncode == -signal.SIGSEGV else unfiltered()


def no_ipv6() -> str:
    """Try the IPv6 loopback."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return "this host has no IPv6 loopback"
    return ""


IPPROTO_MPTCP = 262  # linux/in.h


def no_mptcp() -> str:
    """Say so if the kernel knows no Multipath TCP (RFC 8684)."""
    return no_socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)()


def no_socket(family: int, kind: socket.SocketKind = socket.SOCK_STREAM, protocol: int = 0) -> Callable[[], str]:
    """Say so if no such socket can be made here: the kernel has no such family, or keeps it from this user."""

    def reason() -> str:
        try:
            socket.socket(family, kind, protocol).close()
        except PermissionError:
            return needs_root()
        except OSError:
            return f"this kernel has no sockets of family {int(family)} with protocol {protocol}"
        return ""

    return reason


def first_of(*reasons: Callable[[], str]) -> Callable[[], str]:
    """Give the first reason that there is."""

    def reason() -> str:
        return next((text for check in reasons if (text := check())), "")

    return reason
