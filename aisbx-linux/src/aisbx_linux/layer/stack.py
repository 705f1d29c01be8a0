"""Layers below a sandbox's own: former ones that nothing writes to any more, shared by those that were made from it.

A frozen layer is a directory in `frozen`, in the private state. Whoever stands on it, a layer or a snapshot, has a
second name (link(2)) for its `about` in a directory `below`: the file system itself counts them, whatever is killed.
Builtin modules only.
"""

import posix

from aisbx_linux import syscalls
from aisbx_linux.layer.journal import BOOKED
from aisbx_linux.layer.place import about

FROZEN = "frozen"
CHANGING = "changing"
"""In a sandbox's home while its layer is exchanged for another; it holds the path of the private state."""
NEXT = "next"
"""Beside the layer: the one that is to take its place, and afterwards the one that had it."""
MOST = 100
"""Layers below one; a line of mount(2) options has room for more, and each costs a look at names that are nowhere."""
ABOUT = "about"
_BELOW, _FROM, _FRESH = "below", "from", "fresh"
_RENAMES = {"x86_64": 316, "aarch64": 276}
"""Machine → number of renameat2(2)."""
_EXCHANGE, _HERE = 2, -100
_PERMISSIONS, _READ = 0o7777, 0o400
_MARKS = "user.overlay."


class StackError(OSError):
    """A layer cannot be put on, or taken from, the others; the text says why."""

    hint = "go on from an earlier one: aisbx fork NAME NEW --snapshot TAG"


def below(place: str) -> "list[str]":
    """Give the frozen layers that a layer or a snapshot stands on, as directories, the uppermost first."""
    try:
        names = sorted(posix.listdir(f"{place}/{_BELOW}"))
    except FileNotFoundError:
        return []
    root = posix.readlink(f"{place}/{_BELOW}/{_FROM}")
    return [f"{root}/{name.partition('.')[2]}" for name in names if name != _FROM]


def stand_on(place: str, layers: "list[tuple[str, str]]", kept: str) -> None:
    """Have a layer or a snapshot stand on (id, path of its `about`), the uppermost first.

    `kept` is the private state. StackError where those are too many.
    """
    if len(layers) > MOST:
        raise StackError(f"{MOST} snapshots already stand on each other")
    posix.mkdir(f"{place}/{_BELOW}", 0o700)
    posix.symlink(f"{kept}/{FROZEN}", f"{place}/{_BELOW}/{_FROM}")
    for index, (name, known) in enumerate(layers):
        posix.link(known, f"{place}/{_BELOW}/{index:03}.{name}")


def standing(place: str) -> "list[tuple[str, str]]":
    """Give what a layer or a snapshot stands on, as `stand_on` takes it."""
    return [(path.rpartition("/")[2], f"{path}/{ABOUT}") for path in below(place)]


def write_snapshot(place: str, source: str, layers: "list[tuple[str, str]]", kept: str) -> None:
    """Make a directory of ours a snapshot: what is known of the layer `source`, standing on these."""
    stand_on(place, layers, kept)
    copy_known(source, place)


def make(
    place: str, source: str, layers: "list[tuple[str, str]]", kept: str, root: str, *, fresh: bool = False
) -> None:
    """Make an empty layer that stands on `layers`; what is known of it is as of `source`, a layer or a snapshot.

    `root` is the directory whose mode and attributes the workspace shows, `fresh` marks one that is to be exchanged.
    """
    posix.mkdir(place, 0o700)
    for name in ("upper", "work"):
        posix.mkdir(f"{place}/{name}", 0o700)
    status = posix.stat(root)
    for attribute, value in _attributes(root).items():
        posix.setxattr(f"{place}/upper", attribute, value)
    posix.chmod(f"{place}/upper", status.st_mode & _PERMISSIONS)
    if posix.geteuid() == 0:
        for name in ("", "/upper", "/work"):
            posix.chown(place + name, status.st_uid, status.st_gid)
    if fresh:
        posix.close(posix.open(f"{place}/{_FRESH}", posix.O_WRONLY | posix.O_CREAT | posix.O_CLOEXEC, 0o600))
    stand_on(place, layers, kept)
    copy_known(source, place)


def shown_root(place: str, workspace: str) -> str:
    """Give the directory whose mode the workspace has for what stands on the same as a snapshot does."""
    return next((f"{path}/upper" for path in below(place)), workspace)


def blank(place: str, workspace: str) -> bool:
    """Tell whether nothing was written to a layer, so that a snapshot needs none but those below."""
    upper, root = f"{place}/upper", shown_root(place, workspace)
    try:
        written = bool(posix.listdir(upper))
    except PermissionError:  # the sandbox has closed its workspace
        return False
    if written or posix.stat(upper).st_mode != posix.stat(root).st_mode:
        return False
    return _attributes(upper) == _attributes(root)


def _attributes(path: str) -> "dict[str, bytes]":
    """Give a directory's own attributes, also where the sandbox has closed it to its owner."""
    mode = posix.stat(path).st_mode & _PERMISSIONS
    if posix.geteuid() != 0 and not mode & _READ:
        posix.chmod(path, mode | _READ)
        try:
            return _read_attributes(path)
        finally:
            posix.chmod(path, mode)
    return _read_attributes(path)


def _read_attributes(path: str) -> "dict[str, bytes]":
    return {
        name: posix.getxattr(path, name)
        for name in posix.listxattr(path)
        if name.startswith("user.") and not name.startswith(_MARKS)
    }


def exchange(home: str) -> None:
    """Have the layer and `NEXT` change their names, at once; OSError where the file system cannot."""
    number = _RENAMES[posix.uname().machine]
    first, second = (f"{home}/{name}".encode(errors="surrogateescape") + b"\0" for name in ("layer", NEXT))
    if syscalls.call("syscall", number, _HERE, first, _HERE, second, _EXCHANGE) != 0:
        raise StackError(f"{home}: the file system cannot exchange two directories")


def exchanged(home: str) -> bool:
    """Tell whether a change that was cut off had exchanged the layer: `NEXT` is not the new one."""
    try:
        return _FRESH not in posix.listdir(f"{home}/{NEXT}")
    except FileNotFoundError:
        return True


def unmark(place: str) -> None:
    """Have a layer that was exchanged be one like any other."""
    if _FRESH in posix.listdir(place):
        posix.unlink(f"{place}/{_FRESH}")


def put_away(home: str, kept: str) -> str:
    """Keep what had the layer's place among the frozen ones if that stands on it; gives its path where it does not."""
    old = f"{home}/{NEXT}"
    try:
        inode = posix.stat(f"{old}/{ABOUT}").st_ino
    except FileNotFoundError:
        return ""
    for path in below(f"{home}/layer")[:1]:
        name = path.rpartition("/")[2]
        if posix.stat(f"{home}/layer/{_BELOW}/000.{name}").st_ino == inode:
            posix.rename(old, f"{kept}/{FROZEN}/{name}")
            return ""
    return old


def frozen(kept: str) -> str:
    """Give the private directory of all frozen layers."""
    path = f"{kept}/{FROZEN}"
    try:  # noqa: SIM105 - contextlib is one import more
        posix.mkdir(path, 0o700)
    except FileExistsError:
        pass  # another sandbox has one
    return path


def sweep(kept: str) -> None:
    """Remove the frozen layers that nothing stands on, then those that only these stood on."""
    while _swept(kept):
        pass


def _swept(kept: str) -> bool:
    """Go through them once; tells whether any was removed."""
    import fcntl

    from aisbx_linux.layer.remove import remove

    try:
        names = posix.listdir(f"{kept}/{FROZEN}")
    except FileNotFoundError:
        return False
    removed = False
    for name in names:
        path = f"{kept}/{FROZEN}/{name}"
        try:
            descriptor = posix.open(path, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC)
        except FileNotFoundError:
            continue  # another process was faster
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not name.startswith(".") and _names(path) > 1:
                continue
            gone = f"{kept}/{FROZEN}/.{posix.urandom(6).hex()}"
            posix.rename(path, gone)
            remove(gone)
            removed = True
        except (BlockingIOError, FileNotFoundError):
            continue  # it is being made, or removed by another process
        finally:
            posix.close(descriptor)
    return removed


def _names(path: str) -> int:
    """Give how many names the `about` of a frozen layer has; 0 for one that was never finished."""
    try:
        return posix.stat(f"{path}/{ABOUT}").st_nlink
    except FileNotFoundError:
        return 0


def copy_known(source: str, place: str) -> None:
    """Copy what is known of a layer; `about` last, for one without is half made."""
    from aisbx_linux.processes import write_all

    for name in (*BOOKED, ABOUT):
        try:
            with open(f"{source}/{name}", "rb", buffering=0) as stream:
                data = stream.readall()
        except FileNotFoundError:
            continue
        temporary = f"{place}/.{name}"
        file = posix.open(temporary, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC, 0o600)
        try:
            write_all(file, data)
        finally:
            posix.close(file)
        posix.rename(temporary, f"{place}/{name}")


def whole(place: str) -> bool:
    """Tell whether a layer or snapshot was finished."""
    return about(place) is not None
