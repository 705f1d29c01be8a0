"""Read and write plans. An entry carries authority, so it is guarded like a key. Builtin modules only.

The directory and the file must be the effective user's alone and no links: whoever could write one would decide what
a sandbox may do. What is not exactly that is not used; the run then takes the full path.
"""

import marshal
import posix

from aisbx.plan.key import FORMAT, environment_digest, in_place, unchanged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import PlanEntry


_OPEN = posix.O_NOFOLLOW | posix.O_CLOEXEC
_DIRECTORY, _REGULAR, _FORMAT_BITS, _FOR_OTHERS = 0o040000, 0o100000, 0o170000, 0o077
_LARGEST = 8 << 20


def read(directory: str, name: str) -> "PlanEntry | None":
    """Give the entry if it is there, is ours alone, and everything it was made from is still the same."""
    data = load(directory, name)
    if data is None:
        return None
    try:
        entry: PlanEntry = marshal.loads(data)  # noqa: S302 - guarded above: nobody else can have written it
        fresh = (
            entry["format"] == FORMAT
            and entry["name"] == name
            and environment_digest(posix.environ, entry["variables"], entry["prefixes"]) == entry["environment"]
            and unchanged(entry["paths"])
            and in_place(entry["plan"]["sources"])
        )
    except (EOFError, ValueError, TypeError, KeyError):
        return None  # torn or of another time
    return entry if fresh else None


def load(directory: str, name: str) -> "bytes | None":
    """Give a file's bytes if it and its directory are there and ours alone."""
    try:
        folder = posix.open(directory, posix.O_RDONLY | posix.O_DIRECTORY | _OPEN)
    except OSError:
        return None
    try:
        if not _ours(folder, _DIRECTORY):
            return None
        file = posix.open(name, posix.O_RDONLY | posix.O_NONBLOCK | _OPEN, dir_fd=folder)
    except OSError:
        return None
    finally:
        posix.close(folder)
    try:
        return posix.read(file, _LARGEST) if _ours(file, _REGULAR) else None
    finally:
        posix.close(file)


def write(directory: str, entry: "PlanEntry") -> None:
    """Keep an entry, whole or not at all; an OSError costs speed only, so it is the caller's to ignore."""
    store(directory, entry["name"], marshal.dumps(entry))  # pyright: ignore[reportArgumentType]  (plain data and code)


def store(directory: str, name: str, data: bytes) -> None:
    """Write a file, whole or not at all, into a directory that is ours alone; into no other."""
    folder = posix.open(directory, posix.O_RDONLY | posix.O_DIRECTORY | _OPEN)
    try:
        if not _ours(folder, _DIRECTORY):
            return
        temporary = f".{name}.{posix.getpid()}"
        file = posix.open(temporary, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | _OPEN, 0o600, dir_fd=folder)
        try:
            while data:
                data = data[posix.write(file, data) :]
        finally:
            posix.close(file)
        posix.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        posix.close(folder)


def _ours(descriptor: int, kind: int) -> bool:
    status = posix.fstat(descriptor)
    return (
        status.st_mode & _FORMAT_BITS == kind
        and status.st_uid == posix.geteuid()
        and not status.st_mode & _FOR_OTHERS
        and (kind == _DIRECTORY or status.st_nlink == 1)
    )
