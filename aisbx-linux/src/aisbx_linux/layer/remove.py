"""Take a tree of ours away that a sandbox has written to: however deep it is, and whatever its modes say."""

import posix

_FORMAT, _DIRECTORY_KIND = 0o170000, 0o040000
_DIRECTORY = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
_HANDLE = posix.O_PATH | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC


def remove(path: str) -> None:
    """Remove a directory and all in it; none is followed. OSError where something cannot be removed."""
    try:
        top = posix.open(path, _DIRECTORY)
    except FileNotFoundError:
        return
    try:
        empty(top)
    finally:
        posix.close(top)
    posix.rmdir(path)


def empty(top: int) -> None:
    """Remove all in a directory. What lies deep is moved up first, so that two descriptors are enough for any depth."""
    turn = 0
    while names := posix.listdir(top):
        for name in names:
            if not _is_directory(top, name):
                posix.unlink(name, dir_fd=top)
                continue
            inner = _open(top, name)
            try:
                for below in posix.listdir(inner):
                    if not _is_directory(inner, below):
                        posix.unlink(below, dir_fd=inner)
                        continue
                    posix.close(_open(inner, below))  # to be moved it has to be writable
                    turn += 1
                    posix.rename(below, _free(top, turn), src_dir_fd=inner, dst_dir_fd=top)
            finally:
                posix.close(inner)
            posix.rmdir(name, dir_fd=top)


def _free(top: int, turn: int) -> str:
    name = f".{turn}"
    while True:
        try:
            posix.lstat(name, dir_fd=top)
        except FileNotFoundError:
            return name
        name = f".{name}"


def _is_directory(above: int, name: str) -> bool:
    return posix.lstat(name, dir_fd=above).st_mode & _FORMAT == _DIRECTORY_KIND


def _open(above: int, name: str) -> int:
    """Open a directory of ours, which its owner may have to be allowed to read and write first."""
    handle = posix.open(name, _HANDLE, dir_fd=above)
    try:
        # Through /proc: fchmod refuses such a handle, and chmod would follow a link put in its place.
        posix.chmod(f"/proc/self/fd/{handle}", 0o700)
        return posix.open(name, _DIRECTORY, dir_fd=above)
    finally:
        posix.close(handle)
