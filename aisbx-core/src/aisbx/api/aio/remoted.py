"""A command in the background of a supervisor's sandbox, for coroutines: what waits long has a thread of its own."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress

from aisbx.api.aio.background import AsyncBackgroundProcess
from aisbx.api.aio.waiting import alone, short
from aisbx.api.background import KEPT, BackgroundProcess, Chunk
from aisbx.api.remoted import RemoteBackgroundProcess
from aisbx.api.result import Result
from aisbx.remote.server import Leaving

_PAUSE = 0.1
_ROOM = 16
"""Chunks that are read ahead of who takes them."""


class AsyncRemoteBackgroundProcess(AsyncBackgroundProcess):
    """One that a supervisor serves."""

    def __init__(self, process: BackgroundProcess) -> None:
        """Use `AsyncSandbox.start` or `AsyncSandbox.process`."""
        super().__init__(process)
        assert isinstance(process, RemoteBackgroundProcess)  # noqa: S101 - a supervisor's sandboxes have no other
        self._far = process

    async def wait(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - None is the answer then, and the command goes on
        *,
        head: int = KEPT,
        tail: int = KEPT,
    ) -> Result | None:
        """Give what came of it when it has ended, None when `timeout` seconds passed first: then it goes on."""
        try:
            async with asyncio.timeout(timeout):
                while await self.state() in {"starting", "running"}:  # noqa: ASYNC110 - only the supervisor knows
                    await asyncio.sleep(_PAUSE)
        except TimeoutError:
            return None
        return await short(lambda: self._far.result(head=head, tail=tail))

    async def follow(self, cursor: int = 0) -> AsyncGenerator[Chunk]:
        """Give what it prints from `cursor` on, as it comes, until it has ended."""
        loop, leaving = asyncio.get_running_loop(), Leaving()
        line: asyncio.Queue[Chunk | BaseException | None] = asyncio.Queue()
        room = threading.Semaphore(_ROOM)

        def read() -> None:
            end: BaseException | None = None
            try:
                for chunk in self._far.chunks(cursor, leaving):
                    room.acquire()
                    if leaving.over:
                        return
                    loop.call_soon_threadsafe(line.put_nowait, chunk)
            except BaseException as error:  # noqa: BLE001 - raised where it is awaited
                end = error
            with suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(line.put_nowait, end)

        threading.Thread(target=read, name=f"aisbx {self.id}", daemon=True).start()
        try:
            while (come := await line.get()) is not None:
                if isinstance(come, BaseException):
                    raise come
                room.release()
                yield come
        finally:
            leaving.leave()
            room.release()

    async def write(self, data: bytes | str) -> None:
        """Pass input on; returns when the command's pipe or terminal has all of it. StateError where it takes none."""
        await alone(lambda: self._far.write(data))

    async def close_input(self) -> None:
        """Let it see the end of its input; StateError where it takes none."""
        await short(self._far.close_input)
