"""File handles (name_to_handle_at(2)): a way to name a file that goes past every path."""

import ctypes
import os
import struct

_HANDLE_BYTES = 128
_AT_FDCWD = -100


def handle_of(path: str) -> tuple[int, bytes]:
    """Give (type, handle) of a file; OSError where its file system has none."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(struct.pack("=Ii", _HANDLE_BYTES, 0), 8 + _HANDLE_BYTES)
    mount = ctypes.c_int()
    if libc.name_to_handle_at(_AT_FDCWD, os.fsencode(path), buffer, ctypes.byref(mount), 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    size, kind = struct.unpack_from("=Ii", buffer)
    return kind, buffer.raw[8 : 8 + size]
