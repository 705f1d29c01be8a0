"""Where a layer is on disk, and what is known of it. On the way to a run: builtin modules only.

A layer is a directory of ours: `upper` is what the sandbox wrote, `work` the kernel's own, `about` says in lines of
text whose it is. For root's sandboxes it belongs to the owner of the workspace, so that its files can be moved there.
"""

import posix
import time

from aisbx_linux.processes import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict

    class About(TypedDict):
        """What `about` says."""

        workspace: str
        mode: str
        began: int
        """Nanoseconds since the epoch, by the kernel's clock for files: what has a later ctime was changed since."""
        clock: float
        """Seconds since the epoch when the machine was started, by the clock of then."""
        boot: str
        volatile: bool
        inode: int
        """Of the workspace; 0 where it was not noted."""


FORMAT = 1
LAYERED = ("cow", "guarded")
"""The modes of a workspace that have one."""
DISK = ".disk"
"""Behind a layer's name: the file system that it lies in, where it has one of its own; see `sized`."""
_FILE = "about"
_MOST = 16_384


def make(place: str, workspace: str, mode: str, owner: tuple[int, int] | None, *, volatile: bool) -> int:
    """Make a layer, and give it as an open directory; OSError where that fails, and then nothing is left of it.

    `owner` is the uid and gid of the workspace on disk where root makes it.
    """
    try:
        posix.mkdir(place, 0o700)
    except FileNotFoundError:
        posix.mkdir(place.rpartition("/")[0], 0o700)
        posix.mkdir(place, 0o700)
    try:
        fill(place, workspace, mode, owner, volatile=volatile)
        return posix.open(place, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
    except BaseException:
        drop(place)
        raise


def fill(place: str, workspace: str, mode: str, owner: tuple[int, int] | None, *, volatile: bool) -> None:
    """Make an empty directory of ours a layer, as `make` does it."""
    found = posix.stat(workspace)
    for name in ("upper", "work"):
        posix.mkdir(f"{place}/{name}", 0o700)
    posix.chmod(f"{place}/upper", found.st_mode & 0o7777)
    if owner is not None:
        for name in ("", "/upper", "/work"):
            posix.chown(place + name, *owner)
    began = posix.stat(f"{place}/upper").st_ctime_ns
    _write(f"{place}/{_FILE}", workspace, mode, (began, found.st_ino), volatile=volatile)


def opened(place: str) -> int:
    """Give a layer that is there already as an open directory; -1 where there is none."""
    return -1 if about(place) is None else posix.open(place, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)


def _write(path: str, workspace: str, mode: str, beginning: tuple[int, int], *, volatile: bool) -> None:
    lines = (
        f"format {FORMAT}",
        f"mode {mode}",
        f"began {beginning[0]}",
        f"clock {_started():.3f}",
        f"boot {_boot()}",
        f"volatile {int(volatile)}",
        f"inode {beginning[1]}",
        f"workspace {workspace}",  # last: a name may have line breaks in it
    )
    file = posix.open(path, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC, 0o600)
    try:
        write_all(file, "\n".join(lines).encode("utf-8", "surrogateescape"))
    finally:
        posix.close(file)


def about(place: str) -> "About | None":
    """Give what is known of a layer; None where there is none, it is half made, or of another version."""
    try:
        with open(f"{place}/{_FILE}", "rb", buffering=0) as stream:
            text = stream.read(_MOST).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    head, _, workspace = text.partition("\nworkspace ")
    rows: dict[str, str] = {}
    for line in head.split("\n"):
        key, _, rows[key] = line.partition(" ")
    try:
        if int(rows["format"]) != FORMAT or not workspace:
            return None
        return {
            "workspace": workspace,
            "mode": rows["mode"],
            "began": int(rows["began"]),
            "clock": float(rows["clock"]),
            "boot": rows["boot"],
            "volatile": rows["volatile"] == "1",
            "inode": int(rows.get("inode", "0")),
        }
    except (KeyError, ValueError):
        return None


def since(known: "About") -> int:
    """Give the moment after which a ctime means a change, earlier than `began` where the clock was set back since.

    By how much while the machine did not run nobody knows: as long as it is behind `began`, all counts as changed.
    """
    if known["boot"] != _boot():
        return known["began"] if time.time_ns() >= known["began"] else 0
    back = known["clock"] - _started()
    return known["began"] - (int(back * 1e9) if back > 1.0 else 0)


def replaced(known: "About", workspace: int) -> bool:
    """Tell whether another directory has the place of the workspace by now; `workspace` is the one that is there, open.

    Not asked after the machine was started again: a directory of an overlay may have another number then.
    """
    return known["boot"] == _boot() and known["inode"] not in {0, posix.fstat(workspace).st_ino}


def written(place: str) -> bool:
    """Tell whether anything was written to a layer; True where the sandbox has closed it to its owner."""
    try:
        return bool(posix.listdir(f"{place}/upper"))
    except PermissionError:
        return True


def cut_short(known: "About") -> bool:
    """Tell whether the machine was started again since, so that a volatile layer may lack what was written to it."""
    return known["volatile"] and known["boot"] != _boot()


def drop(place: str) -> None:
    """Remove a layer and all in it; OSError where that fails."""
    try:
        posix.lstat(place + DISK)
    except FileNotFoundError:
        from aisbx_linux.layer.remove import remove

        remove(place)
    else:
        from pathlib import Path

        from aisbx_linux.layer import sized  # few have one

        sized.remove(Path(place))


def _started() -> float:
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", "rb", buffering=0) as stream:
        return stream.read().decode().strip()
