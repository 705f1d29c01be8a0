"""The files of a sandbox, for coroutines."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Sequence

from aisbx.api.aio.waiting import short
from aisbx.api.files import COPY, READ, SandboxFiles
from aisbx.types import FileEvent, FileRow

_AHEAD = 1000
"""Events that wait for who watches; then they wait in the kernel, which says `lost` where there are too many."""


class AsyncSandboxFiles:
    """What is in a sandbox; see `SandboxFiles`."""

    def __init__(self, files: SandboxFiles) -> None:
        """Use `AsyncSandbox.files`."""
        self._files = files

    async def read(self, path: str, *, offset: int = 0, limit: int = READ) -> bytes:
        """Give at most `limit` bytes of a file, from `offset` on; `stat` tells how many there are."""
        return await short(lambda: self._files.read(path, offset=offset, limit=limit))

    async def read_text(self, path: str) -> str:
        """Give a file of at most 64 MiB as UTF-8; UsageError where it is longer, UnicodeDecodeError for other bytes."""
        return await short(lambda: self._files.read_text(path))

    async def write(self, path: str, data: bytes | str, *, mode: int = 0o644) -> None:
        """Replace a file, whole or not at all; a link is replaced, not followed."""
        await short(lambda: self._files.write(path, data, mode=mode))

    async def list(self, path: str = ".") -> Sequence[FileRow]:
        """Give what is in a directory, by name."""
        return await short(lambda: self._files.list(path))

    async def stat(self, path: str) -> FileRow:
        """Give what is at a path; a link at its end is not followed."""
        return await short(lambda: self._files.stat(path))

    async def mkdir(self, path: str, *, parents: bool = False) -> None:
        """Make a directory; with `parents` also those above it, and one that is there already is no error."""
        await short(lambda: self._files.mkdir(path, parents=parents))

    async def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file, a link (not what it points to) or an empty directory; with `recursive` also a full one."""
        await short(lambda: self._files.remove(path, recursive=recursive))

    async def upload(self, source: str | os.PathLike[str], path: str, *, limit: int = COPY) -> Sequence[str]:
        """Copy a file or a tree of the host in, at most `limit` bytes; gives a line for each thing left out."""
        return await short(lambda: self._files.upload(source, path, limit=limit))

    async def download(self, path: str, target: str | os.PathLike[str], *, limit: int = COPY) -> Sequence[str]:
        """Copy a file or a tree out, at most `limit` bytes; gives a line for each thing left out."""
        return await short(lambda: self._files.download(path, target, limit=limit))

    async def watch(self, path: str = ".") -> AsyncGenerator[FileEvent]:
        """Give what happens in a directory (not below it) from the first step on, until it is gone.

        One thread reads, however much happens; it ends with the iteration.
        """
        loop = asyncio.get_running_loop()
        watch = await short(lambda: self._files.watch(path))
        room = threading.Semaphore(_AHEAD)
        events: asyncio.Queue[FileEvent | None] = asyncio.Queue()
        left = threading.Event()

        def pump() -> None:
            for event in watch:
                room.acquire()
                if left.is_set():
                    return
                loop.call_soon_threadsafe(events.put_nowait, event)
            if not left.is_set():
                loop.call_soon_threadsafe(events.put_nowait, None)

        reader = threading.Thread(target=pump, name="aisbx watch", daemon=True)
        reader.start()
        try:
            while (event := await events.get()) is not None:
                room.release()
                yield event
        finally:
            left.set()
            room.release()
            watch.close()
            reader.join()
