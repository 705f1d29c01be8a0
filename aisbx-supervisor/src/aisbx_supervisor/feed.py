"""New records of the audit log, for whoever counts them or wants to hear of them: one thread reads for all."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from aisbx.audit.follow import Follower
from aisbx.audit.read import Record
from aisbx.errors import AisbxError

_EVERY = 0.02
"""Seconds between looks: who listens is to hear at once what was tried, and a look is two calls of lstat(2)."""
_PATIENCE = 1.0
"""The same where the log cannot be read."""
_AHEAD = 1000
"""Records that wait for one who listens; who is slower reads the others from the log."""


class Feed:
    """Of one log."""

    def __init__(self, path: str, take: Callable[[Record], None]) -> None:
        """`take` gets each record, in the thread that reads."""
        self._path = path
        self._take = take
        self._listeners: dict[Listener, asyncio.AbstractEventLoop] = {}

    def begin(self) -> None:
        """Read on from where the log ends now."""
        start = 0
        with suppress(OSError):
            start = os.path.getsize(self._path)
        threading.Thread(target=self._run, args=(start,), name="aisbx audit", daemon=True).start()

    def _run(self, start: int) -> None:
        follower = Follower(self._path, start)
        while True:
            time.sleep(self.look(follower))

    def look(self, follower: Follower) -> float:
        """Tell of what is new; gives the seconds to the next look."""
        try:
            for record in follower.new():
                self.tell(record)
        except (OSError, AisbxError) as error:  # such as no descriptor being free: it is read the next time
            _log.warning("the audit log cannot be read: %s", error)
            return _PATIENCE
        return _EVERY

    def tell(self, record: Record) -> None:
        """Have a record taken, and all hear of it who listen."""
        try:
            self._take(record)
        except Exception:  # noqa: BLE001 - it is told; those that come after it are counted all the same
            _log.exception("a record is not counted: %s", record.text("kind"))
        for listener, loop in list(self._listeners.items()):
            with suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(listener.put, record)

    def listen(self) -> "Listener":
        """Give each record from now on, in the loop that runs."""
        listener = Listener(lambda: self._listeners.pop(listener, None))
        self._listeners[listener] = asyncio.get_running_loop()
        return listener


class Listener:
    """One who hears of records until `aclose`."""

    def __init__(self, leave: Callable[[], object]) -> None:
        """Use `Feed.listen`."""
        self._queue: asyncio.Queue[Record] = asyncio.Queue(_AHEAD)
        self._leave = leave
        self.behind = False
        """Whether there were more than can wait: those behind the last one are to be read from the log."""

    def put(self, record: Record) -> None:
        """Have one wait; called in its loop."""
        if self.behind:
            return
        try:
            self._queue.put_nowait(record)
        except asyncio.QueueFull:
            self.behind = True

    @property
    def empty(self) -> bool:
        """Whether none waits."""
        return self._queue.empty()

    async def __anext__(self) -> Record:
        """Wait for the next."""
        return await self._queue.get()

    async def aclose(self) -> None:
        """Hear no more."""
        self._leave()


_log = logging.getLogger("aisbx")
