"""Space on the disk that is kept for the record of a run: what fills the disk must not be able to leave no trace."""

import os

from aisbx.errors import StateError

SIZE = 1 << 16
"""Bytes; a record has about 1 KB beside the command's arguments."""


def reserve(path: str) -> str:
    """Keep the space in a file at `path` (0600) and give the path back; StateError where there is no room for it."""
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        file = os.open(path, flags, 0o600)
        try:
            if os.fstat(file).st_size < SIZE:
                _fill(file)
        finally:
            os.close(file)
    except OSError as error:
        raise StateError(
            f"{path}: no room for the record of a run: {error.strerror}",
            hint="make room on that disk, or set XDG_STATE_HOME to another; a run without a record is refused",
        ) from error
    return path


def unrecordable(error: Exception) -> StateError:
    """Give what a run is refused with whose record cannot be written."""
    return StateError(f"the audit log cannot be written: {error}", hint="a run without a record is refused")


def _fill(file: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, SIZE)
    else:  # macOS, Windows
        os.write(file, bytes(SIZE))
