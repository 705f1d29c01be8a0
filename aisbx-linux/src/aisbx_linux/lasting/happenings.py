"""What happens in a directory, by inotify(7): for a process that has joined a sandbox, see `reach`."""

import ctypes
import os
import select
import struct
from collections.abc import Iterator

_LIBRARY = ctypes.CDLL(None, use_errno=True)
_CLOEXEC = 0x80000
_WATCHED = {0x2: "changed", 0x100: "created", 0x200: "deleted", 0x40: "moved-from", 0x80: "moved-to", 0x4: "attributes"}
_LOST, _GONE = 0x4000, 0x8000 | 0x400 | 0x800
_MOST = 1 << 16


def happenings(directory: int, ends: int) -> Iterator[tuple[str, str]]:
    """Give (what, name) for what happens in an open directory, until it is gone; closes it. OSError where it can't be.

    The first, of no meaning, says that it is watched. It is no longer when the descriptor `ends` has something to read.
    """
    watcher = _begin(directory)
    yield "", ""
    waiting = select.poll()
    for descriptor in (ends, watcher):
        waiting.register(descriptor, select.POLLIN)
    while ends not in dict(waiting.poll()):
        data = os.read(watcher, _MOST)
        while data:
            _, mask, _, length = struct.unpack_from("iIII", data)
            name = os.fsdecode(data[16 : 16 + length].rstrip(b"\0"))
            data = data[16 + length :]
            yield from ((word, name) for bit, word in {**_WATCHED, _LOST: "lost"}.items() if mask & bit)
            if mask & _GONE:
                yield "gone", ""
                return


def _begin(directory: int) -> int:
    os.fchdir(directory)
    watcher = _LIBRARY.inotify_init1(_CLOEXEC)
    if watcher < 0 or _LIBRARY.inotify_add_watch(watcher, b".\0", sum(_WATCHED) | _GONE) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "inotify")
    os.chdir("/")
    os.close(directory)  # it is only gone when nobody has it
    return watcher
