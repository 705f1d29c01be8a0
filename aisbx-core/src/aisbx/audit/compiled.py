"""The audit log as the compiled library has it open (`aisbx-linux/native/client.h`): it records what it saw end."""

import ctypes
import os
import sys
from functools import cache

from aisbx.types import AuditPlace

_LIBRARY, _FORMAT = "aisbx-client.so", 4


class CompiledLog:
    """A log for any number of threads."""

    def __init__(self, library: ctypes.CDLL, place: AuditPlace) -> None:
        """Open it; OSError where anything is not as usual."""
        self._close = library.client_log_close
        self.address: int = library.client_log_open(
            os.fsencode(place["path"]), os.fsencode(place["key"]), place["limit"]
        )
        """Of a `struct client_log`."""
        if not self.address:
            raise OSError

    def __del__(self) -> None:
        """Close it, and forget the key."""
        if getattr(self, "address", None):
            self._close(self.address)


def compiled(place: AuditPlace) -> CompiledLog | None:
    """Open a log; None where there is no library, its head is to be exported, or anything is not as usual."""
    library = None if place["export"] else _load()
    try:
        return None if library is None else CompiledLog(library, place)
    except OSError:
        return None


@cache
def _load() -> ctypes.CDLL | None:
    """Give the library beside the interpreter; None where there is none, or `AISBX_FRONT=0` turns it off."""
    path = f"{sys.executable.rpartition('/')[0]}/{_LIBRARY}"
    if os.environ.get("AISBX_FRONT") == "0" or not os.access(path, os.R_OK):
        return None
    try:
        library = ctypes.CDLL(path)
        if ctypes.c_int.in_dll(library, "client_format").value != _FORMAT:
            return None
        library.client_log_open.restype = ctypes.c_void_p
        library.client_log_open.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint64)
        library.client_log_close.restype = None
        library.client_log_close.argtypes = (ctypes.c_void_p,)
    except (OSError, ValueError):
        return None  # for another C library than this interpreter's, or of another version
    return library
