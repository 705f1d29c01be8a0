"""Enter a world that is worse than this one, for real, then become a command: worlds.py WORLD [ARGUMENT] -- COMMAND...

What is changed is changed in namespaces or by a filter of this process alone, and ends with it.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Callable

NEWNS, NEWUSER, NEWPID = 0x00020000, 0x10000000, 0x20000000
RDONLY, REMOUNT, NOEXEC, BIND, REC, PRIVATE = 1, 32, 8, 0x1000, 0x4000, 1 << 18
EPERM, EACCES, ENOSYS = 1, 13, 38
ALL = 4294967295
MASKABLE = ("acpi", "scsi", "driver", "sysvipc", "fs")
"""Directories of /proc; container engines mask the first two."""
FILL = 1 << 16
_libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name} {arguments}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    call("mount", source.encode(), target.encode(), kind.encode(), flags, data.encode())


def write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    os.write(descriptor, text.encode())
    os.close(descriptor)


def user_namespace(count: int = ALL) -> None:
    """Enter one in which root has `count` ids as they are outside, and anybody else their own."""
    uid, gid, pid = os.geteuid(), os.getegid(), os.getpid()
    ready, entered = os.pipe()
    helper = os.fork()  # outside of it: root's own map is for its parent to write
    if helper == 0:
        os.read(ready, 1)
        if uid:
            write(f"/proc/{pid}/setgroups", "deny")
        write(f"/proc/{pid}/uid_map", f"{uid} {uid} 1" if uid else f"0 0 {count}")
        write(f"/proc/{pid}/gid_map", f"{gid} {gid} 1" if uid else f"0 0 {count}")
        os._exit(0)
    call("unshare", NEWUSER)
    os.write(entered, b"1")
    os.close(entered)
    os.close(ready)
    assert os.waitpid(helper, 0)[1] == 0


def mount_namespace() -> None:
    if os.geteuid():
        user_namespace()
    call("unshare", NEWNS)
    mount("none", "/", "", REC | PRIVATE)


def hidden(path: str) -> None:
    """Make a file absent: an overlay over its directory, in which it is deleted."""
    mount_namespace()
    folder, place = os.path.dirname(path), "/dev/shm"
    mount("upper", place, "tmpfs")
    os.mkdir(f"{place}/upper")
    os.mkdir(f"{place}/work")
    how = f"lowerdir={folder},upperdir={place}/upper,workdir={place}/work"
    mount("overlay", folder, "overlay", 0, how + (",userxattr" if os.geteuid() else ""))
    os.unlink(path)
    assert not os.path.exists(path)


def covered(path: str, flags: str = "0", data: str = "") -> None:
    mount_namespace()
    mount("cover", path, "tmpfs", int(flags), data)


def masked_proc() -> None:
    covered(next(f"/proc/{name}" for name in MASKABLE if os.path.isdir(f"/proc/{name}")), str(RDONLY))


def noexec(path: str) -> None:
    covered(path, str(NOEXEC), "mode=1777")
    os.environ["TMPDIR"] = path


def read_only(path: str) -> None:
    mount_namespace()
    mount(path, path, "", BIND)
    mount("none", path, "", BIND | REMOUNT | RDONLY)


def limited(name: str, value: str) -> None:
    user_namespace()
    write(f"/proc/sys/user/max_{name}_namespaces", value)


def few_ids(count: str) -> None:
    user_namespace(int(count))


def full(path: str) -> None:
    """Make a directory one of a full disk; of what was in it the directories stay, and what `audit.*` holds."""
    folders = [name for name in os.listdir(path) if os.path.isdir(f"{path}/{name}")]
    kept = {name: open(f"{path}/{name}", "rb").read() for name in os.listdir(path) if name.startswith("audit.")}  # noqa: SIM115
    mount_namespace()
    mount("full", path, "tmpfs", 0, f"size={4 * FILL},mode=0700")
    for name in folders:
        os.mkdir(f"{path}/{name}", 0o700)
    for name, data in kept.items():
        with open(os.open(f"{path}/{name}", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(data)
    try:
        with open(f"{path}/fill", "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
    except OSError:
        return


def filtered(program: bytes) -> None:
    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))

    made = Program(len(program) // 8, program)
    call("prctl", 38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    call("prctl", 22, 2, ctypes.byref(made), 0, 0)  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


# mount, umount2, pivot_root, unshare, setns, clone; the newer calls have the same numbers everywhere.
_CALLS = {"x86_64": (165, 166, 155, 272, 308, 56), "aarch64": (40, 39, 41, 97, 268, 220)}
_NEW_NAMESPACES = 0x7E020000


def refused(numbers: tuple[int, ...], errno: int, clone: int = 0) -> bytes:
    """Give a filter that refuses these calls, and `clone` where it asks for namespaces, as container engines' do."""
    rows = [(0x20, 0, 0, 0)]  # the number of the call
    for number in numbers:
        rows += [(0x15, 0, 1, number), (0x06, 0, 0, 0x50000 | errno)]
    if clone:
        rows += [(0x15, 0, 1, 435), (0x06, 0, 0, 0x50000 | ENOSYS)]
        rows += [(0x15, 0, 3, clone), (0x20, 0, 0, 16), (0x45, 0, 1, _NEW_NAMESPACES), (0x06, 0, 0, 0x50000 | errno)]
    rows.append((0x06, 0, 0, 0x7FFF0000))
    return b"".join(struct.pack("HBBI", *row) for row in rows)


def container() -> None:
    *numbers, clone = _CALLS[os.uname().machine]
    filtered(refused((*numbers, 428, 429, 442), EPERM, clone))


def no_mounts() -> None:
    """As AppArmor's restriction: user namespaces can be made, and are good for nothing."""
    filtered(refused(_CALLS[os.uname().machine][:1], EACCES))


def others_proc() -> None:
    """A PID namespace whose /proc is still the one outside."""
    if os.geteuid():
        user_namespace()
    call("unshare", NEWPID)
    if child := os.fork():
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def filter_of(path: str) -> None:
    with open(path, "rb") as file:
        filtered(file.read())


WORLDS: dict[str, Callable[..., None]] = {
    "as-it-is": lambda: None,
    "container": container,
    "covered": covered,
    "few-ids": few_ids,
    "filter": filter_of,
    "full": full,
    "hidden": hidden,
    "limited": limited,
    "masked-proc": masked_proc,
    "no-mounts": no_mounts,
    "noexec": noexec,
    "others-proc": others_proc,
    "read-only": read_only,
}

if __name__ == "__main__":
    end = sys.argv.index("--")
    WORLDS[sys.argv[1]](*sys.argv[2:end])
    os.chdir(os.getcwd())
    os.execv(sys.argv[end + 1], sys.argv[end + 1 :])
