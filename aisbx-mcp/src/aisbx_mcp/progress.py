"""A call that takes long says so, whatever it waits for: clients give up on what they hear nothing of."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

import anyio

EVERY = 5.0
"""Seconds between two reports."""


class Progress:
    """Of one call; what it says is at first that it goes on."""

    def __init__(self, report: Callable[[float, float | None, str], Awaitable[None]]) -> None:
        """`report` tells the client seconds, of how many (None: nobody knows), and a line."""
        self._report = report
        self._began = self._since = time.monotonic()
        self._says: Callable[[float], str] = "working for {:.0f} s".format
        self._whole: float | None = None

    def of(self, says: Callable[[float], str], seconds: float | None = None) -> None:
        """Say something else from now on, of its seconds since then; it takes so many at most."""
        self._since = time.monotonic()
        self._says = says
        self._whole = None if seconds is None else self._since - self._began + seconds

    @contextmanager
    def reported(self) -> Generator[None]:
        """Report meanwhile."""
        telling: list[asyncio.Task[None]] = []
        loop = asyncio.get_running_loop()
        first = loop.call_later(EVERY, lambda: telling.append(loop.create_task(self._tell())))
        try:
            yield
        finally:
            first.cancel()
            for task in telling:
                task.cancel()

    async def _tell(self) -> None:
        while True:
            now = time.monotonic()
            try:
                await self._report(now - self._began, self._whole, self._says(now - self._since))
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                return  # nobody listens any more
            await asyncio.sleep(EVERY)
