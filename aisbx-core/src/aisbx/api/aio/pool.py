"""`AsyncPool`: sandboxes that are made before they are needed, for coroutines."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from aisbx.api.aio.sandbox import AsyncSandbox
from aisbx.api.aio.waiting import short
from aisbx.api.options import Options
from aisbx.api.pool import PATIENCE, TTL, Pool
from aisbx.api.result import Result

if TYPE_CHECKING:
    from aisbx.api.pooled import PooledSandbox

_PAUSE = 0.01


class AsyncPool:
    """Sandboxes that wait, made anew in the background; see `Pool`."""

    def __init__(self, pool: Pool) -> None:
        """Use `create`."""
        self._pool = pool

    @classmethod
    async def create(
        cls, size: int = 4, *, most: int | None = None, ttl: float = TTL, remote: str = "", **options: Unpack[Options]
    ) -> Self:
        """Make one, and its first sandbox. `remote` is a supervisor's address."""
        return cls(await short(lambda: Pool(size, most=most, ttl=ttl, remote=remote, **options)))

    async def take(self, timeout: float = PATIENCE) -> AsyncSandbox:  # noqa: ASYNC109 - as `Pool.take`
        """Give a sandbox in which nothing has run, for an `async with` block; see `Pool.take`."""
        until = time.monotonic() + timeout
        while True:
            taking = asyncio.ensure_future(short(self._pool.offer))
            try:
                one = await asyncio.shield(taking)
            except asyncio.CancelledError:
                taking.add_done_callback(self._give_back)
                raise
            if one is not None:
                return AsyncSandbox(one)
            if time.monotonic() > until:
                raise self._pool.empty(timeout)
            await asyncio.sleep(_PAUSE)

    async def run(
        self,
        argv: Sequence[str],
        *,
        input: bytes | str | None = None,  # noqa: A002 - as subprocess.run has it
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the sandbox keeps it, also if nobody awaits
        output: int | None = None,
        check: bool = False,
    ) -> Result:
        """Run one command in a sandbox of its own. Cancelled, it ends the command first."""
        async with await self.take() as sandbox:
            return await sandbox.exec(argv, input=input, env=env, cwd=cwd, timeout=timeout, output=output, check=check)

    async def close(self) -> None:
        """End all that it made; see `Pool.close`."""
        await short(self._pool.close)

    async def __aenter__(self) -> Self:
        """Give itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all that it made."""
        await self.close()

    def _give_back(self, taken: "asyncio.Future[PooledSandbox | None]") -> None:
        """End one that was taken for somebody who does not want it any more."""
        if not taken.cancelled() and taken.exception() is None and (one := taken.result()) is not None:
            self._pool.leave(one)
