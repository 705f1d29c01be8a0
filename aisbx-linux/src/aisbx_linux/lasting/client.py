"""A command that a helper starts, in one call of a compiled library (`native/client.h`), as far as all is ordinary.

What is not is given back, for `helped` to go on with.
"""

import ctypes
import os
import posix
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aisbx.types import Recording

    from aisbx_linux.lasting.helpers import Helper
    from aisbx_linux.lasting.kept import Kept

ENDED, NOT_ASKED, GOES_ON = range(3)
"""enum client_result"""
FORMAT = 4
"""CLIENT_FORMAT of `native/client.h`."""
ROOM = 1 << 16
"""Bytes of one stream's output that the library takes; one that prints more is Python's."""
_LIBRARY = "aisbx-client.so"
_COUNTS = 16
_NANO = 1_000_000_000


class Outcome(ctypes.Structure):
    """`struct client_outcome`."""

    patience: int
    most: int
    room: int
    data: "ctypes.Array[ctypes.c_void_p]"
    log: int | None
    started: int
    ended: int
    status: int
    user: int
    system: int
    peak: int
    recorded: int
    run: int
    out: int
    err: int
    reader: "ctypes.Array[ctypes.c_int64]"
    before: "ctypes.Array[ctypes.c_int64]"
    _fields_ = (
        ("patience", ctypes.c_int64),
        *((name, ctypes.c_uint64) for name in ("most", "room")),
        ("data", ctypes.c_void_p * 2),
        ("log", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("started", "ended", "status", "user", "system", "peak")),
        ("out", ctypes.c_int64),
        ("err", ctypes.c_int64),
        ("reader", ctypes.c_int64 * 2),
        ("recorded", ctypes.c_int64),
        ("run", ctypes.c_int64),
        ("before", ctypes.c_int64 * _COUNTS),
    )


class Exchange:
    """What one helper's commands are told in and their output is read into, one after the other."""

    def __init__(self) -> None:
        """Have room."""
        self.outcome = Outcome()
        self.data = ctypes.create_string_buffer(2 * ROOM)
        start = ctypes.addressof(self.data)
        self.places = (start, start + ROOM)
        self.told = ctypes.addressof(self.outcome)
        self.outcome.reader[:] = [-1, -1]
        self.outcome.data[:] = self.places
        self.outcome.room = ROOM
        self._asked: tuple[float, int, int | None] = (0, 0, None)

    def ask(self, patience: float, most: int, log: int | None) -> None:
        """Say how the next command is to be run: mostly as the one before."""
        asked = (patience, most, log)
        if asked != self._asked:
            outcome = self.outcome
            outcome.patience, outcome.most, outcome.log = int(patience * _NANO), most, log
            self._asked = asked

    def printed(self, stream: int) -> bytes:
        """Give what was read of stdout (0) or stderr (1)."""
        size = self.outcome.err if stream else self.outcome.out
        return ctypes.string_at(self.places[stream], size) if size else b""

    def drop(self) -> None:
        """Close what is open of the streams."""
        for stream, reader in enumerate(self.outcome.reader):
            if reader >= 0:
                posix.close(reader)
                self.outcome.reader[stream] = -1


class Client:
    """What the library keeps of one sandbox; any number of threads may use it."""

    def __init__(self, library: ctypes.CDLL, kept: "Kept") -> None:
        """Open it; ValueError where anything is not as usual."""
        plan = kept.held["plan"]
        workspace = plan["workspace"]
        watched = workspace[0] if workspace is not None and workspace[1] == "rw" else None
        rows = kept.counts.rows
        files = (ctypes.c_int * len(rows))(*(row[0] for row in rows))
        keys = (ctypes.c_char_p * len(rows))(*(row[1].encode() for row in rows))
        self.kept = kept
        """Its files are open as long as this is."""
        self.library = library
        self.address: int = library.client_open(
            os.fsencode(kept.home),
            None if watched is None else os.fsencode(watched),
            kept.null,
            kept.owner if plan["outside"] is not None else -1,
            len(rows),
            files,
            keys,
        )
        """Of a `struct client`."""
        if not self.address:
            raise ValueError("the library knows nothing of the sandbox")

    def run(
        self,
        one: "Helper",
        exchange: Exchange,
        request: bytes,
        patience: float,
        most: int,
        record: "Recording | None" = None,
    ) -> int:
        """Run a command; gives how far that went. Of `patience` (seconds) and `most` (bytes) 0 is for any."""
        if record is None:
            exchange.ask(patience, most, None)
            members = b""
        else:
            exchange.ask(patience, most, record.log)
            members = record.members
        message = len(request).to_bytes(4, "little") + request
        return self.library.client_run(self.address, one.number, message, members, exchange.told)

    def __del__(self) -> None:
        """Let it go."""
        if getattr(self, "address", None):
            self.library.client_close(self.address)


def opened(kept: "Kept") -> Client | None:
    """Give what there is to know of a sandbox, None where there is no library, or not all is as usual."""
    library = load()
    try:
        return None if library is None else Client(library, kept)
    except ValueError:
        return None


@cache
def load() -> "ctypes.CDLL | None":
    """Give the compiled library beside the interpreter, None where there is none."""
    path = f"{sys.executable.rpartition('/')[0]}/{_LIBRARY}"
    if not posix.access(path, posix.R_OK):
        return None
    try:
        library = ctypes.CDLL(path)
        if ctypes.c_int.in_dll(library, "client_format").value != FORMAT:
            return None
    except (OSError, ValueError):
        return None  # for another C library than this interpreter's, or of another version
    pointer, number, size = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
    library.client_open.restype = pointer
    library.client_open.argtypes = (
        *(ctypes.c_char_p, ctypes.c_char_p, number, ctypes.c_int64, size),
        *(ctypes.POINTER(number), ctypes.POINTER(ctypes.c_char_p)),
    )
    library.client_close.restype = None
    library.client_close.argtypes = (pointer,)
    library.client_run.restype = number
    library.client_run.argtypes = (pointer, number, ctypes.c_char_p, ctypes.c_char_p, pointer)
    library.brief_open.restype = pointer
    library.brief_open.argtypes = (pointer,)
    library.brief_close.restype = None
    library.brief_close.argtypes = (pointer,)
    library.brief_run.restype = number
    library.brief_run.argtypes = (pointer, number, number, ctypes.c_char_p, size, size, pointer)
    return library
