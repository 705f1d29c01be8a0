"""Space on the disk that is kept for the record of a run: what fills the disk must not be able to leave no trace."""

import os
from collections.abc import Generator
from contextlib import contextmanager

from aisbx.audit.write import AuditError, ExportError, Log, open_log
from aisbx.errors import StateError
from aisbx.types import AuditPlace

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


def opened(place: AuditPlace) -> Log:
    """Open the log before anything is done; StateError where it could not be recorded."""
    try:
        return open_log(place)
    except AuditError as error:
        raise unrecordable(error) from None


@contextmanager
def recording(path: str, what: str) -> Generator[None]:
    """Write the record of `what` was done; StateError where that fails, which says whether only its head is missing."""
    try:
        yield
    except (AuditError, OSError) as error:
        raise StateError(f"{path}: {unrecorded(error, what)}", hint=_hint(error)) from error


def unrecorded(error: Exception, what: str) -> str:
    """Say of `what` was done that it has no record, or that it has one and its head could not be exported."""
    has = "a record" if isinstance(error, ExportError) else "no record"
    return f"{getattr(error, 'strerror', None) or error}: {what} has {has}"


def _hint(error: Exception) -> str:
    return "see audit.export" if isinstance(error, ExportError) else "make room there, or move it away"


def _fill(file: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, SIZE)
    else:  # macOS, Windows
        os.write(file, bytes(SIZE))
