"""What the arguments of a call say, as far as a table has it: read from the process's memory, and never acted on.

The process can change its memory at any time: what is read here describes a call, and decides nothing.
"""

import _ctypes  # pyright: ignore[reportMissingImports]  (see `aisbx_linux.syscalls`)

from aisbx_linux import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Memory = Callable[[int, int], bytes]

_PAGE, _PATH, _TEXT = 4096, 4096, 256
_LONGEST = 1024
"""Characters of an argument that are told."""

_TABLE = """
acct path:path
add_key type:text description:text
bpf command:int
chmod path:path mode:mode
chroot path:path
clock_settime clock:int
clone flags:namespaces
clone3 flags:first
creat path:path mode:mode
delete_module name:text flags:hex
fanotify_init flags:hex
fanotify_mark fd:int flags:hex mask:hex directory:int path:path
fchmod fd:int mode:mode
fchmodat directory:int path:path mode:mode
fchmodat2 directory:int path:path mode:mode flags:hex
finit_module fd:int parameters:text flags:hex
fsconfig fd:int command:int key:text
fsmount fd:int flags:hex
fsopen type:text flags:hex
fspick directory:int path:path flags:hex
io_uring_setup entries:int
ioctl fd:int request:hex
ioperm from:hex count:hex on:int
iopl level:int
kcmp pid:int other:int type:int
kexec_file_load kernel:int initrd:int
keyctl operation:int
memfd_secret flags:hex
mknod path:path mode:mode device:hex
mknodat directory:int path:path mode:mode device:hex
mount source:text target:path type:text flags:hex
mount_setattr directory:int path:path flags:hex
move_mount from_directory:int from:path to_directory:int to:path flags:hex
name_to_handle_at directory:int path:path
open path:path flags:hex mode:mode
open_by_handle_at mount:int
open_tree directory:int path:path flags:hex
open_tree_attr directory:int path:path flags:hex
openat directory:int path:path flags:hex mode:mode
openat2 directory:int path:path flags:first
perf_event_open -:hex pid:int cpu:int
personality persona:hex
pidfd_getfd pidfd:int fd:int
pivot_root new_root:path put_old:path
process_madvise pidfd:int
process_mrelease pidfd:int
process_vm_readv pid:int
process_vm_writev pid:int
ptrace request:int pid:int
quotactl command:hex special:path id:int
reboot magic:hex magic2:hex command:hex
request_key type:text description:text
seccomp operation:int flags:hex
sendmsg fd:int -:hex flags:hex
sendmmsg fd:int -:hex -:int flags:hex
sendto fd:int -:hex size:int flags:hex address:address
setdomainname name:text
sethostname name:text
setns fd:int flags:namespaces
setsockopt fd:int level:int option:int
socket family:family type:hex protocol:int
socketpair family:family type:hex protocol:int
swapoff path:path
swapon path:path
syslog type:int
umount2 target:path flags:hex
unshare flags:namespaces
uselib path:path
userfaultfd flags:hex
"""
_CALLS = {
    call: [tuple(word.split(":")) for word in words]
    for call, *words in (line.split() for line in _TABLE.strip().splitlines())
}
"""Call → name and kind of each argument, from the first on; `-` is not told."""

# include/uapi/linux/sched.h, include/linux/socket.h
_NAMESPACES = {
    0x80: "time",
    0x2_0000: "mnt",
    0x200_0000: "cgroup",
    0x400_0000: "uts",
    0x800_0000: "ipc",
    0x1000_0000: "user",
    0x2000_0000: "pid",
    0x4000_0000: "net",
}
_UNIX, _INET, _INET6 = 1, 2, 10
_FAMILIES = {_UNIX: "unix", _INET: "inet", _INET6: "inet6", 16: "netlink", 17: "packet", 31: "bluetooth", 38: "alg"}
_OTHERS = {15: "key", 21: "rds", 29: "can", 30: "tipc", 40: "vsock", 41: "kcm", 43: "smc", 44: "xdp"}


class _Byte(_ctypes._SimpleCData):  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportMissingTypeArgument]
    """What a buffer is made of."""

    _type_ = "B"


def memory_of(pid: int, place: int, size: int) -> bytes:
    """Give up to `size` bytes of a process's memory, fewer where it has no more there (process_vm_readv(2))."""
    if not place or place >> 47:
        return b""
    size = min(size, _PAGE)
    buffer = (_Byte * size)()
    first = min(size, _PAGE - place % _PAGE)  # a second page that is not there must not spoil the first
    parts = [(place, first), (place + first, size - first)] if size > first else [(place, first)]
    ours = _ctypes.addressof(buffer).to_bytes(8, "little") + size.to_bytes(8, "little")
    theirs = b"".join(at.to_bytes(8, "little") + length.to_bytes(8, "little") for at, length in parts)
    count = syscalls.call("process_vm_readv", pid, ours, 1, theirs, len(parts), 0)
    return bytes(buffer)[: max(0, count)]


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode(errors="surrogateescape")[:_LONGEST]


def _address(data: bytes) -> str:
    """Say what a struct sockaddr says."""
    family, port = int.from_bytes(data[:2], "little"), int.from_bytes(data[2:4], "big")
    if family == _INET:
        return f"{'.'.join(map(str, data[4:8]))}:{port}"
    if family == _INET6:
        return f"[{':'.join(data[place : place + 2].hex() for place in range(8, 24, 2))}]:{port}"
    if family == _UNIX:
        return f"unix:{_text(data[2:].replace(bytes(1), b'@', 1) if data[2:3] == bytes(1) else data[2:])}"
    return f"family {family}"


def _signed(value: int) -> int:
    value &= 0xFFFF_FFFF
    return value - (1 << 32) if value >> 31 else value


def _namespaces(value: int) -> str:
    return "|".join(name for bit, name in _NAMESPACES.items() if value & bit) or hex(value & 0xFFFF_FFFF)


_KINDS: "dict[str, Callable[[Memory, int], object]]" = {
    "int": lambda _, value: _signed(value),
    "hex": lambda _, value: hex(value),
    "mode": lambda _, value: f"{value & 0xFFFF:04o}",
    "family": lambda _, value: {**_FAMILIES, **_OTHERS}.get(value & 0xFFFF_FFFF, str(_signed(value))),
    "namespaces": lambda _, value: _namespaces(value),
    "path": lambda memory, value: _text(memory(value, _PATH)),
    "text": lambda memory, value: _text(memory(value, _TEXT)),
    "first": lambda memory, value: _namespaces(int.from_bytes(memory(value, 8), "little")),
    "address": lambda memory, value: _address(memory(value, 110)),
}


def arguments(call: str, values: "Sequence[int]", memory: "Memory") -> "dict[str, object]":
    """Give what is told of a call's six arguments, as plain data; of a call that no table has, all as numbers.

    `memory` gives up to so many bytes of what lies at a place of its process's.
    """
    known = _CALLS.get(call)
    if known is None:
        return {str(place): hex(value) for place, value in enumerate(values) if value}
    return {
        name: _KINDS[kind](memory, value) for (name, kind), value in zip(known, values, strict=False) if name != "-"
    }
