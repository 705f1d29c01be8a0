"""A command in the background of a sandbox, for coroutines: who waits for it waits for a socket, in no thread."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aisbx.api.aio.waiting import readable, short
from aisbx.api.background import CHUNK, KEPT, BackgroundProcess, Chunk
from aisbx.api.result import Result
from aisbx.background.caller import Caller
from aisbx.background.door import END, INPUT, LONGEST


class AsyncBackgroundProcess:
    """A command in the background; see `BackgroundProcess`."""

    def __init__(self, process: BackgroundProcess) -> None:
        """Use `AsyncSandbox.start` or `AsyncSandbox.process`."""
        self.id = process.id
        self._process = process

    async def state(self) -> str:
        """Give `starting`, `running`, `ended` or `lost`."""
        return await short(lambda: self._process.state)

    async def wait(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - None is the answer then, and the command goes on
        *,
        head: int = KEPT,
        tail: int = KEPT,
    ) -> Result | None:
        """Give what came of it when it has ended, None when `timeout` seconds passed first: then it goes on.

        Cancelled, it goes on as well: `kill` ends it.
        """
        try:
            async with asyncio.timeout(timeout):
                while await self.state() in {"starting", "running"}:
                    async with self._line() as caller:
                        while not caller.over:
                            await readable(caller.stream.fileno())
                            caller.hear()
        except TimeoutError:
            return None
        return await short(lambda: self._process.result(head=head, tail=tail))

    async def read(self, cursor: int = 0, most: int = CHUNK) -> Chunk | None:
        """Give what it printed from `cursor` on, at most so many bytes of one stream; None for no more yet."""
        return await short(lambda: self._process.read(cursor, most))

    async def follow(self, cursor: int = 0) -> AsyncGenerator[Chunk]:
        """Give what it prints from `cursor` on, as it comes, until it has ended."""
        lives = True
        while lives:
            async with self._line() as caller:
                lives = await self.state() in {"starting", "running"}
                while True:
                    while (chunk := await self.read(cursor)) is not None:
                        cursor = chunk.cursor
                        yield chunk
                    if caller.over:
                        break
                    await readable(caller.stream.fileno())
                    caller.hear()

    async def logs(self, *, tail: int | None = None, since: float = 0.0) -> bytes:
        """Give what it printed on both streams: the last `tail` lines, or `since` a time (seconds since the epoch)."""
        return await short(lambda: self._process.logs(tail=tail, since=since))

    async def write(self, data: bytes | str) -> None:
        """Pass input on; returns when the command's pipe or terminal has all of it. StateError where it takes none."""
        data = data.encode() if isinstance(data, str) else data
        for start in range(0, len(data), LONGEST):
            await self._feed(INPUT, data[start : start + LONGEST])

    async def close_input(self) -> None:
        """Let it see the end of its input; StateError where it takes none."""
        await self._feed(END)

    async def resize(self, rows: int, columns: int) -> None:
        """Give its terminal a size in character cells; UsageError where it has none."""
        await short(lambda: self._process.resize(rows, columns))

    async def signal(self, number: int) -> None:
        """Send a signal to it and to all that came of it; nothing happens when it has ended."""
        await short(lambda: self._process.signal(number))

    async def kill(self) -> None:
        """End it and all that came of it, at once; nothing happens when it has ended."""
        await short(self._process.kill)

    async def _feed(self, kind: bytes, data: bytes = b"") -> None:
        """Send one message with input, which the socket takes at once, and wait until it is passed on."""
        async with self._line() as caller:
            caller.send(kind, data)
            while not caller.answers and not caller.over:
                await readable(caller.stream.fileno())
                caller.hear()
            taken = caller.took()
        await short(lambda: self._process.must_take(taken=taken))

    @asynccontextmanager
    async def _line(self) -> AsyncGenerator[Caller]:
        caller = await short(self._process.reach)
        try:
            yield caller
        finally:
            caller.close()

    def __repr__(self) -> str:
        """Say which."""
        return f"<AsyncBackgroundProcess {self.id}>"
