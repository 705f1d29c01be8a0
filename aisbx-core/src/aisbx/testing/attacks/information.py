"""Attacks on what is told of the host: `info:host`."""

import contextlib
import ctypes
import os
import platform
import socket
from collections.abc import Mapping
from pathlib import Path

from aisbx.testing.attack import Attack
from aisbx.testing.premises import needs_root, sysctl
from aisbx.testing.scene import Scene

_EVERYWHERE = {"/", "/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/tmp", "/run", "/usr", "/etc"}
# add_key, keyctl; KEYCTL_UNLINK, KEY_SPEC_USER_KEYRING: linux/keyctl.h, and the tables of system calls.
_KEY_CALLS = {"x86_64": (248, 250), "aarch64": (217, 219)}
_UNLINK, _USERS = 9, -4


def _host_name(_scene: Scene) -> Mapping[str, object]:
    return {"host": socket.gethostname()}


def _machine_id(_scene: Scene) -> Mapping[str, object]:
    return {"machine": _read("/etc/machine-id")}


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _no_machine_id() -> str:
    return "" if _read("/etc/machine-id") else "this host has no machine id"


def _boot_id(_scene: Scene) -> Mapping[str, object]:
    return {"boot": sysctl("kernel.random.boot_id")}


def _no_boot_id() -> str:
    return "" if sysctl("kernel.random.boot_id") else "this kernel has no boot id"


def _no_symbols() -> str:
    return "" if os.access("/proc/kallsyms", os.R_OK) else "this kernel names no symbols"


def _no_sysfs() -> str:
    return "" if os.path.isdir("/sys/kernel") else "this host has no sysfs"


def _no_kernel_log() -> str:
    return needs_root() if sysctl("kernel.dmesg_restrict") == "1" else ""


def _key(scene: Scene) -> Mapping[str, object]:
    """Hold a key of the scene's name in the user's own keyring, where that can be done."""
    with contextlib.suppress(OSError):
        scene.defer(_drop_key, _add_key(scene.token))
    return {}


def _add_key(name: str) -> int:
    if platform.machine() not in _KEY_CALLS:
        raise OSError(f"the numbers of add_key and keyctl on {platform.machine()} are not known here")
    libc = ctypes.CDLL(None, use_errno=True)
    serial = libc.syscall(_KEY_CALLS[platform.machine()][0], b"user", name.encode(), b"secret", 6, _USERS)
    if serial < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(serial)


def _drop_key(serial: int) -> None:
    ctypes.CDLL(None).syscall(_KEY_CALLS[platform.machine()][1], _UNLINK, serial, _USERS)


def _no_keys() -> str:
    if not os.access("/proc/keys", os.R_OK):
        return "this kernel has no keyrings"
    try:
        serial = _add_key("aisbx-probe")
    except OSError as error:
        return f"this user can hold no key: {error}"
    _drop_key(serial)
    return ""


def _users(_scene: Scene) -> Mapping[str, object]:
    """Accounts of people on the host, but the caller's own and the two that every system has."""
    import pwd

    own = pwd.getpwuid(os.geteuid()).pw_name
    names = [user.pw_name for user in pwd.getpwall() if user.pw_name not in {own, "root", "nobody", "sandbox", "me"}]
    return {"users": names}


def _mount_points(_scene: Scene) -> Mapping[str, object]:
    return {"mounts": _own_mounts()}


def _own_mounts() -> list[str]:
    """Give mount points of this host that a sandbox has no reason to have."""
    targets = [line.split()[1] for line in _read("/proc/self/mounts").splitlines()]
    return sorted(set(targets) - _EVERYWHERE)


def _no_mounts_of_its_own() -> str:
    return "" if _own_mounts() else "this host has only the usual mounts"


ATTACKS = (
    Attack(
        id="info:host/name",
        sentence="learn the host's name",
        stage=_host_name,
        program="""
            if socket.gethostname() == facts["host"] or os.uname().nodename == facts["host"]:
                breach(facts["host"])
            for path in ("/etc/hostname", "/proc/sys/kernel/hostname", "/etc/hosts"):
                if os.path.exists(path):
                    with open(path) as file:
                        if facts["host"] in file.read().split():
                            breach("it stands in " + path)
        """,
    ),
    Attack(
        id="info:host/machine-id",
        sentence="read the id of the machine",
        stage=_machine_id,
        unprovable=_no_machine_id,
        program="""
            for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
                if os.path.exists(path):
                    with open(path) as file:
                        if facts["machine"] and file.read().strip() == facts["machine"]:
                            breach(path)
        """,
    ),
    Attack(
        id="info:host/users",
        sentence="list the accounts of the host",
        stage=_users,
        program="""
            with open("/etc/passwd") as file:
                found = {line.split(":")[0] for line in file} & set(facts["users"])
            if found:
                breach(", ".join(sorted(found)))
        """,
    ),
    Attack(
        id="info:host/mounts",
        sentence="list the mount points of the host",
        stage=_mount_points,
        unprovable=_no_mounts_of_its_own,
        program="""
            with open("/proc/self/mounts") as file:
                found = {line.split()[1] for line in file} & set(facts["mounts"])
            if found:
                breach(", ".join(sorted(found)))
        """,
    ),
    Attack(
        id="info:host/boot-id",
        sentence="read the id of the boot, the same for all sandboxes until the host starts again",
        stage=_boot_id,
        unprovable=_no_boot_id,
        program="""
            with open("/proc/sys/kernel/random/boot_id") as file:
                if file.read().strip() == facts["boot"]:
                    breach("it is the host's")
        """,
    ),
    Attack(
        id="info:host/symbols",
        sentence="read the kernel's symbols",
        unprovable=_no_symbols,
        program="""
            import glob
            maps = glob.glob("/boot/System.map*") + glob.glob("/usr/lib/modules/*/System.map")
            for path in ("/proc/kallsyms", "/proc/kcore", "/sys/kernel/btf/vmlinux", *maps):
                try:
                    with open(path, "rb", buffering=0) as file:
                        if file.read(64):
                            breach("read " + path)
                except OSError:
                    pass
        """,
    ),
    Attack(
        id="info:host/kernel-log",
        sentence="read the kernel's log, by its devices and by syslog(2)",
        unprovable=_no_kernel_log,
        program="""
            # /proc/kmsg is only opened: what is read there is gone for the host's own logger.
            for path in ("/dev/kmsg", "/proc/kmsg"):
                if tries(lambda: os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))):
                    breach("opened " + path)
            room = ctypes.create_string_buffer(4096)
            if libc.klogctl(3, room, len(room)) > 0:  # SYSLOG_ACTION_READ_ALL takes nothing away
                breach("syslog(2) gives it")
        """,
    ),
    Attack(
        id="info:host/sysfs",
        sentence="read of the host's devices and modules in /sys",
        unprovable=_no_sysfs,
        program="""
            for folder, _, names in os.walk("/sys"):
                for name in names:
                    path = os.path.join(folder, name)
                    try:
                        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
                    except OSError:
                        continue
                    try:
                        if os.read(descriptor, 64):
                            breach("read " + path)
                    except OSError:
                        pass
                    os.close(descriptor)
        """,
    ),
    Attack(
        id="info:host/keys",
        sentence="read the names of keys that the user holds in the kernel",
        stage=_key,
        unprovable=_no_keys,
        program="""
            for path in ("/proc/keys", "/proc/key-users"):
                reads(path)
        """,
    ),
)
