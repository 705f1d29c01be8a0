"""Standard input and output: one client, which started this process, and with which it ends."""

from functools import partial
from typing import TYPE_CHECKING, cast

import anyio
from aisbx.errors import AisbxError

if TYPE_CHECKING:
    from collections.abc import Generator

    from anyio.abc import TaskGroup

    from aisbx_mcp.service import Service

_LATER, _REST = 0.2, 0.01
"""Seconds until the pieces are loaded that nobody has asked for, and between two of them."""


class Stdio:
    """Serves the client at the other end of stdin and stdout, which carry the protocol and nothing else."""

    def serve(self, service: object) -> None:
        """Serve until the client closes stdin, or a signal ends this process; either way all sandboxes end first."""
        anyio.run(self._serve, cast("Service", service))

    async def _serve(self, service: "Service") -> None:
        from aisbx_mcp.transports.ends import leave, watch

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch, service)
            loading = service.server.loading()
            await service.server.serve_stdio(partial(self._begin, service, loading, tasks))
            await self._load(service, loading)  # a client that has asked for nothing is told as well
            await service.close()
            leave(0)

    async def _begin(self, service: "Service", loading: "Generator[None]", tasks: "TaskGroup") -> None:
        await self._step(service, loading, 0)  # none of the tools: those come when they are asked for
        tasks.start_soon(self._load, service, loading, _REST)

    async def _load(self, service: "Service", loading: "Generator[None]", rest: float = 0.0) -> None:
        """Load what the client is to have; with `rest` (seconds) between pieces, what it asks for goes first."""
        await anyio.sleep(_LATER if rest else 0)
        while await self._step(service, loading, rest):
            pass

    async def _step(self, service: "Service", loading: "Generator[None]", rest: float) -> bool:
        """Load a piece, and rest; False where that was all. Where it cannot be, say so and end."""
        from aisbx_mcp.transports.ends import leave, tell

        try:
            next(loading)
        except StopIteration:
            return False
        except AisbxError as error:
            await service.close()
            leave(tell(error))
        await anyio.sleep(rest)
        return True
