"""New records of the audit log, for whoever counts them or wants to hear of them: one thread reads for all."""

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress

from aisbx.audit.follow import follow_log
from aisbx.audit.read import Record

_EVERY = 0.02
"""Seconds between looks: who listens is to hear at once what was tried, and a look is two calls of lstat(2)."""
_AHEAD = 1000
"""Records that wait for one who listens; who is slower misses some, and sees it by their numbers."""


class Feed:
    """Of one log."""

    def __init__(self, path: str, take: Callable[[Record], None]) -> None:
        """`take` gets each record, in the thread that reads."""
        self._path = path
        self._take = take
        self._listeners: dict[asyncio.Queue[Record], asyncio.AbstractEventLoop] = {}

    def begin(self) -> None:
        """Read on from where the log ends now."""
        start = 0
        with suppress(OSError):
            start = os.path.getsize(self._path)
        threading.Thread(target=self._run, args=(start,), name="aisbx audit", daemon=True).start()

    def _run(self, start: int) -> None:
        for record in follow_log(self._path, start, _EVERY):
            if record is None:
                continue
            self._take(record)
            for queue, loop in list(self._listeners.items()):
                with suppress(RuntimeError):  # its loop has ended
                    loop.call_soon_threadsafe(_put, queue, record)

    def listen(self) -> "Listener":
        """Give each record from now on, in the loop that runs."""
        queue: asyncio.Queue[Record] = asyncio.Queue(_AHEAD)
        self._listeners[queue] = asyncio.get_running_loop()
        return Listener(queue, lambda: self._listeners.pop(queue, None))


class Listener:
    """One who hears of records until `aclose`."""

    def __init__(self, queue: "asyncio.Queue[Record]", leave: Callable[[], object]) -> None:
        """Use `Feed.listen`."""
        self._queue = queue
        self._leave = leave

    async def __anext__(self) -> Record:
        """Wait for the next."""
        return await self._queue.get()

    async def aclose(self) -> None:
        """Hear no more."""
        self._leave()


def _put(queue: "asyncio.Queue[Record]", record: Record) -> None:
    with suppress(asyncio.QueueFull):
        queue.put_nowait(record)
