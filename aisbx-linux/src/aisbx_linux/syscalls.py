"""The few system calls that the standard library lacks, without the cost of importing `ctypes`.

`import ctypes` takes 3 to 6 ms; its C core `_ctypes` alone takes well under one, and calling a libc symbol
with integers and byte strings needs no more. Arguments are C ints and pointers to bytes.
"""

import _ctypes  # pyright: ignore[reportMissingImports]  (private, but unchanged since Python 2.5)
import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    _call: Callable[[int, tuple[object, ...]], int]
    _symbol: Callable[[int, str], int]
    _handle: int

_call = _ctypes.call_function
_symbol = _ctypes.dlsym
_handle = _ctypes.dlopen(None, 2)  # pyright: ignore[reportArgumentType]

# Numbers of the generic table, the same on x86_64 and aarch64 (include/uapi/asm-generic/unistd.h).
_OPEN_TREE = 428
_MOVE_MOUNT = 429
_OPENAT2 = 437
_MOUNT_SETATTR = 442

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
_CLONE_VM = 0x100
_CLONE_VFORK = 0x4000
_NOBODY = CLONE_NEWUSER | _CLONE_VM | _CLONE_VFORK
_MNT_DETACH = 2
MS_NOSUID = 2
MS_NODEV = 4
MS_REC = 0x4000
MS_SLAVE = 1 << 19
_OPEN_TREE_CLONE = 1
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_MOVE_MOUNT_F_EMPTY_PATH = 4
_MOVE_MOUNT_T_EMPTY_PATH = 0x40
_RESOLVE_NO_MAGICLINKS, _RESOLVE_NO_SYMLINKS, _RESOLVE_IN_ROOT = 2, 4, 16
_MOUNT_ATTR_RDONLY, _MOUNT_ATTR_NOSUID, _MOUNT_ATTR_NODEV = 1, 2, 4
_MOUNT_ATTR_IDMAP = 0x00100000
_STACK = 1 << 14
"""Bytes for a child that calls one function of libc, and for the handlers of signals that it may get."""
WALL = 0x40000000
"""For waitpid(2): also children that send no SIGCHLD when they end (__WALL)."""
_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_INSTRUCTION = 8
_SIGKILL = 9
NUMBERS = {"x86_64": (56, 126), "aarch64": (220, 91)}
"""Machine → numbers of clone(2) and capset(2)."""
_BOUNDING_DROP, _NO_NEW_PRIVS, _AMBIENT, _CLEAR_ALL = 24, 38, 47, 4
_CAPABILITIES_V3 = 0x20080522
_MOST_CAPABILITIES = 64
_SPLICE_F_NONBLOCK = 2


def call(name: str, *arguments: int | bytes) -> int:
    """Call a function of the C library with ints and bytes; a string must end with a zero."""
    return _call(_symbol(_handle, name), arguments)


def unshare(flags: int) -> None:
    """Enter new namespaces; OSError if the kernel refuses (unshare(2))."""
    if call("unshare", flags) != 0:
        msg = f"unshare({flags:#x}) was refused"
        raise OSError(msg)


def start_nobody() -> int:
    """Start, in a user namespace of its own, a process that has ended when this returns; OSError if the kernel refuses.

    Until it is waited for (with `WALL`) its files in /proc can be written and opened: a user namespace can be set up
    and had without a process to hold it. Such a child copies nothing of this process, as a fork would, and sends no
    signal.
    """

    class Word(_ctypes._SimpleCData):  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportMissingTypeArgument]
        """A pointer: plain numbers are passed as ints."""

        _type_ = "P"

    stack = (Word * (_STACK // 8))()
    top = Word(_ctypes.addressof(stack) + _STACK)
    child = _call(_symbol(_handle, "clone"), (Word(_symbol(_handle, "_exit")), top, _NOBODY, 0))
    if child < 0:
        msg = "the kernel refuses to make a user namespace"
        raise OSError(msg)
    return child


def mount(source: str, target: str, kind: str, flags: int, data: str) -> None:
    """Mount a file system, or change how mounts spread; OSError if the kernel refuses (mount(2))."""
    text = [part.encode() + b"\0" for part in (source, target, kind)]
    if call("mount", *text, flags, data.encode() + b"\0") != 0:
        msg = f"mounting {kind or 'propagation'} on {target} was refused"
        raise OSError(msg)


def detach(target: str) -> None:
    """Unmount lazily; OSError if the kernel refuses (umount2(2), MNT_DETACH)."""
    if call("umount2", target.encode() + b"\0", _MNT_DETACH) != 0:
        msg = f"unmounting {target} was refused"
        raise OSError(msg)


def clone_tree(descriptor: int) -> int:
    """Give by open_tree(2), with OPEN_TREE_CLONE, a detached copy of the mount tree under a directory or file."""
    flags = _OPEN_TREE_CLONE | posix.O_CLOEXEC | _AT_EMPTY_PATH | _AT_RECURSIVE
    tree = call("syscall", _OPEN_TREE, descriptor, b"\0", flags)
    if tree < 0:
        msg = "open_tree was refused"
        raise OSError(msg)
    return tree


def idmap_tree(tree: int, namespace: int) -> bool:
    """Map by mount_setattr(2) with MOUNT_ATTR_IDMAP; False where the file system can't be mapped."""
    return _set_attributes(tree, _AT_EMPTY_PATH, _MOUNT_ATTR_IDMAP, 0, namespace)


def protect_tree(tree: int) -> None:
    """Make by mount_setattr(2) a detached tree read-only, all of it; OSError if the kernel refuses."""
    if not _set_attributes(tree, _AT_EMPTY_PATH | _AT_RECURSIVE, _MOUNT_ATTR_RDONLY):
        msg = "making a mount read-only was refused"
        raise OSError(msg)


def restrict_tree(tree: int, *, read_only: bool) -> None:
    """Let nothing of a detached tree be a device, nor set ids, nor, if `read_only`, be written; OSError if refused."""
    attributes = _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV | (_MOUNT_ATTR_RDONLY if read_only else 0)
    if not _set_attributes(tree, _AT_EMPTY_PATH | _AT_RECURSIVE, attributes):
        msg = "restricting a mount was refused"
        raise OSError(msg)


def make_read_only(mounted: int, *, on: bool) -> bool:
    """Make one mount, which a descriptor names, read-only or writable; False where files on it are open for writing."""
    attributes = (_MOUNT_ATTR_RDONLY, 0) if on else (0, _MOUNT_ATTR_RDONLY)
    return _set_attributes(mounted, _AT_EMPTY_PATH, *attributes)


def _set_attributes(tree: int, flags: int, attributes: int, cleared: int = 0, namespace: int = 0) -> bool:
    # struct mount_attr
    given = b"".join(value.to_bytes(8, "little") for value in (attributes, cleared, 0, namespace))
    return call("syscall", _MOUNT_SETATTR, tree, b"\0", flags, given, len(given)) == 0


def open_unlinked(directory: int, path: str) -> int:
    """Give by openat2(2) an O_PATH descriptor of what no link leads to; OSError where one does or nothing is there.

    `directory` is one that `path` is below, without `..` in it; -100 (AT_FDCWD) for an absolute path.
    """
    opened = _open(directory, path, _RESOLVE_NO_SYMLINKS)
    if opened < 0:
        msg = f"{path} was moved, or a link leads to it"
        raise OSError(msg)
    return opened


def open_within(root: int, path: str) -> int:
    """Give by openat2(2) an O_PATH descriptor of what `path` is for who has `root` as their root; -1 for nothing."""
    return _open(root, path, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)


def _open(directory: int, path: str, resolve: int) -> int:
    how = b"".join(value.to_bytes(8, "little") for value in (posix.O_PATH | posix.O_CLOEXEC, 0, resolve))
    return call("syscall", _OPENAT2, directory, path.encode(errors="surrogateescape") + b"\0", how, len(how))


def open_folder(path: str) -> int:
    """Give a directory open for reading, at an absolute path that no link leads to; OSError as of `open_unlinked`."""
    found = open_unlinked(-100, path)
    try:
        return posix.open(f"/proc/self/fd/{found}", posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
    finally:
        posix.close(found)


def attach_tree_on(tree: int, target: int) -> None:
    """Put by move_mount(2) a detached tree on what a descriptor names: no path is looked up again."""
    flags = _MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_T_EMPTY_PATH
    if call("syscall", _MOVE_MOUNT, tree, b"\0", target, b"\0", flags) != 0:
        msg = "attaching a mount was refused"
        raise OSError(msg)


def attach_tree(tree: int, target: str) -> None:
    """Put by move_mount(2) a detached tree on a path."""
    if call("syscall", _MOVE_MOUNT, tree, b"\0", -100, target.encode() + b"\0", _MOVE_MOUNT_F_EMPTY_PATH) != 0:
        msg = f"attaching a mount to {target} was refused"
        raise OSError(msg)


def set_filter(program: bytes) -> None:
    """Put a compiled seccomp program, sock_filter[], on this process and all that comes of it (seccomp(2)).

    OSError if the kernel refuses, as it does without no_new_privs.
    """
    described, kept = describe(program)
    if call("prctl", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, described, 0, 0) != 0:
        msg = "the system-call filter was refused"
        raise OSError(msg)
    del kept


def describe(program: bytes) -> "tuple[bytes, object]":
    """Give the struct sock_fprog of a compiled seccomp program, and what must be kept as long as it is used."""

    class Byte(_ctypes._SimpleCData):  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportMissingTypeArgument]
        """What instructions are made of."""

        _type_ = "B"

    words = (Byte * len(program)).from_buffer_copy(program)
    # A count of instructions, padded, and a pointer.
    count = (len(program) // _INSTRUCTION).to_bytes(8, "little")
    return count + _ctypes.addressof(words).to_bytes(8, "little"), words


def tee(source: int, target: int, length: int) -> int:
    """Copy from pipe to pipe without consuming and without blocking (tee(2)); -1 when that can't be."""
    return call("tee", source, target, length, _SPLICE_F_NONBLOCK)


def die_with_parent() -> None:
    """Ask, by prctl(PR_SET_PDEATHSIG, SIGKILL), to end when the thread that started this process ends."""
    call("prctl", _PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


def narrow() -> None:
    """Empty the bounding set of capabilities: no program that is executed later has any (capabilities(7))."""
    for capability in range(_MOST_CAPABILITIES):
        if call("prctl", _BOUNDING_DROP, capability, 0, 0, 0) != 0:
            break  # this kernel has no more


def give_up() -> None:
    """Give up every capability and any way to new ones; OSError if the kernel refuses."""
    narrow()
    call("prctl", _AMBIENT, _CLEAR_ALL, 0, 0, 0)
    header = _CAPABILITIES_V3.to_bytes(4, "little") + bytes(4)
    if call("syscall", NUMBERS[posix.uname().machine][1], header, bytes(24)) != 0:
        raise OSError("giving up capabilities was refused")
    if call("prctl", _NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError("giving up new privileges was refused")
