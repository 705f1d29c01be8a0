"""Make the sandbox's root: a tmpfs with mounts in it, and then the only file system there is. Builtin modules only.

No path of the new root is looked up but inside of it (openat2(2), RESOLVE_IN_ROOT), and every mount is a detached copy
(open_tree(2)) that gets its attributes before it is attached to a descriptor: what is mounted is what was looked at.
"""

import posix

from aisbx_linux import syscalls
from aisbx_linux.compose import copy_tree
from aisbx_linux.processes import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aisbx_linux.confine.options import Step

BASE = "/tmp"
"""Where the new root is made: a directory that every host has. Nothing is written there, only mounted over."""
_FOLDER = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC
_HANDLE = posix.O_PATH | posix.O_CLOEXEC
_NOEXEC = 8
_KIND, _DIRECTORY = 0o170000, 0o040000
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_KERNELS_OWN = ("sys", "sysrq-trigger", "irq", "bus")
"""What of procfs can be written to change the machine."""
_LARGEST = 1 << 16
_OWNED = ("file", "dir", "tmpfs")
"""Steps that make what is the command's own."""


def make(steps: "list[Step]", terminal: str, owner: "tuple[int, int] | None" = None) -> None:
    """Build the root and enter it, in a mount namespace of this process's own; the old one is gone then.

    `terminal` is the path of the pty that the command has, or empty. What is made belongs to `owner`, uid and gid, None
    for this process's own. OSError where the kernel refuses.
    """
    syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE, "")
    # First all copies: what is mounted from here on hides none of their sources.
    trees = [_tree(step) for step in steps]
    devices = {name: _device(f"/dev/{name}") for name in _DEVICES}
    if terminal:
        devices["console"] = _device(terminal)
    syscalls.mount("tmpfs", BASE, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=0755")
    root = posix.open(BASE, _FOLDER)
    for step, tree in zip(steps, trees, strict=True):
        if tree >= 0:
            _attach(tree, _place(root, step[1][-1], folder=posix.fstat(tree).st_mode & _KIND == _DIRECTORY))
            if step[1][-1] == "/":  # what was the root lies below it now
                posix.close(root)
                root = posix.open(BASE, _FOLDER)
        elif step[0] == "dev":
            _dev(root, step[1][0], devices)
        else:
            _STEPS[step[0]](root, step)
            if owner is not None and step[0] in _OWNED:
                _give(_existing(root, step[1][-1]), owner)
    posix.fchdir(root)
    posix.close(root)
    if syscalls.call("pivot_root", b".\0", b".\0") != 0:
        msg = "pivot_root was refused"
        raise OSError(msg)
    # The old root lies over the new one now: what is taken away is the old (pivot_root(2)).
    syscalls.detach(".")
    posix.chdir("/")


def _give(place: int, owner: "tuple[int, int]") -> None:
    posix.chown(f"/proc/self/fd/{place}", *owner)
    posix.close(place)


def _tree(step: "Step") -> int:
    """Give a detached copy of what a step binds, with its attributes; -1 where it binds nothing."""
    option, words, _, _ = step
    if not option.endswith(("bind", "bind-fd")):
        return -1
    if option.endswith("-fd"):
        tree = copy_tree(int(words[0]))
        posix.close(int(words[0]))
    else:
        opened = posix.open(words[0], _HANDLE)
        tree = syscalls.clone_tree(opened)
        posix.close(opened)
    syscalls.restrict_tree(tree, read_only=option.startswith("ro-"))
    return tree


def _device(path: str) -> int:
    opened = posix.open(path, _HANDLE)
    tree = syscalls.clone_tree(opened)
    posix.close(opened)
    return tree


def _attach(tree: int, place: int) -> None:
    syscalls.attach_tree_on(tree, place)
    posix.close(place)
    posix.close(tree)


def _existing(root: int, path: str) -> int:
    """Give a descriptor of what is at a path of the new root; OSError where nothing is."""
    found = syscalls.open_within(root, path)
    if found < 0:
        msg = f"there is no {path} in the new root"
        raise OSError(msg)
    return found


def _place(root: int, path: str, *, folder: bool, mode: int = 0o755) -> int:
    """Give a descriptor of a path of the new root, which is made where it is not there."""
    above = posix.dup(root)
    parts = [part for part in path.split("/") if part]
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        whole = "/".join(parts[: index + 1])
        found = syscalls.open_within(root, whole)
        if found < 0:
            if last and not folder:
                flags = posix.O_CREAT | posix.O_EXCL | posix.O_WRONLY | posix.O_CLOEXEC
                posix.close(posix.open(part, flags, 0o444, dir_fd=above))
            else:
                posix.mkdir(part, mode if last else 0o755, dir_fd=above)
            found = _existing(root, whole)
        posix.close(above)
        above = found
    return above


def _parent(root: int, path: str) -> "tuple[int, str]":
    above, _, name = path.rstrip("/").rpartition("/")
    return _place(root, above, folder=True), name


def _link(root: int, step: "Step") -> None:
    target, path = step[1]
    above, name = _parent(root, path)
    try:
        posix.symlink(target, name, dir_fd=above)
    except FileExistsError:
        if posix.readlink(name, dir_fd=above) != target:
            raise
    finally:
        posix.close(above)


def _file(root: int, step: "Step") -> None:
    source = int(step[1][0])
    above, name = _parent(root, step[1][1])
    flags = posix.O_CREAT | posix.O_EXCL | posix.O_WRONLY | posix.O_CLOEXEC
    made = posix.open(name, flags, int(step[2] or "644", 8), dir_fd=above)
    while data := posix.read(source, _LARGEST):
        write_all(made, data)
    for descriptor in (above, made, source):
        posix.close(descriptor)


def _folder(root: int, step: "Step") -> None:
    posix.close(_place(root, step[1][0], folder=True, mode=int(step[2] or "755", 8)))


def _tmpfs(root: int, step: "Step") -> None:
    how = f"mode={step[2] or '755'}" + (f",size={step[3]}" if step[3] else "")
    posix.close(_mounted(root, step[1][0], "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, how))


def _read_only(root: int, step: "Step") -> None:
    place = _existing(root, step[1][0])
    if not syscalls.make_read_only(place, on=True):
        msg = f"making {step[1][0]} read-only was refused"
        raise OSError(msg)
    posix.close(place)


def _mounted(root: int, path: str, kind: str, flags: int, data: str) -> int:
    """Mount a new file system at a path of the new root; gives a descriptor of its root."""
    place = _place(root, path, folder=True)
    posix.fchdir(place)
    posix.close(place)
    syscalls.mount(kind, ".", kind, flags, data)
    return _existing(root, path)


def _proc(root: int, step: "Step") -> None:
    top = _mounted(root, step[1][0], "proc", syscalls.MS_NOSUID | syscalls.MS_NODEV | _NOEXEC, "")
    for name in _KERNELS_OWN:
        try:
            place = posix.open(name, _HANDLE, dir_fd=top)
        except FileNotFoundError:
            continue
        tree = syscalls.clone_tree(place)
        syscalls.restrict_tree(tree, read_only=True)
        _attach(tree, place)
    posix.close(top)


def _dev(root: int, path: str, devices: "dict[str, int]") -> None:
    top = _mounted(root, path, "tmpfs", syscalls.MS_NOSUID, "mode=0755")
    for name, tree in devices.items():
        posix.close(posix.open(name, posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC, 0o444, dir_fd=top))
        _attach(tree, posix.open(name, _HANDLE, dir_fd=top))
    for name, target in (
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("core", "/proc/kcore"),
        ("ptmx", "pts/ptmx"),
    ):
        posix.symlink(target, name, dir_fd=top)
    posix.mkdir("shm", 0o755, dir_fd=top)
    how = "newinstance,ptmxmode=0666,mode=620"
    posix.close(_mounted(root, f"{path}/pts", "devpts", syscalls.MS_NOSUID | _NOEXEC, how))
    posix.close(top)


_STEPS: "Mapping[str, Callable[[int, Step], None]]" = {
    "symlink": _link,
    "file": _file,
    "dir": _folder,
    "tmpfs": _tmpfs,
    "proc": _proc,
    "remount-ro": _read_only,
}
