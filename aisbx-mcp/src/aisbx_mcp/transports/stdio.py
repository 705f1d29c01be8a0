"""Standard input and output: one client, which started this process, and with which it ends."""

from functools import partial
from typing import TYPE_CHECKING, cast

import anyio
from aisbx.errors import AisbxError

if TYPE_CHECKING:
    from aisbx_mcp.service import Service


class Stdio:
    """Serves the client at the other end of stdin and stdout, which carry the protocol and nothing else."""

    def serve(self, service: object) -> None:
        """Serve until the client closes stdin, or a signal ends this process; either way all sandboxes end first."""
        anyio.run(self._serve, cast("Service", service))

    async def _serve(self, service: "Service") -> None:
        from aisbx_mcp.transports.ends import leave, watch

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch, service)
            await service.server.serve_stdio(partial(self._load, service))
            await service.close()
            leave(0)

    async def _load(self, service: "Service") -> None:
        """Load what the client is to have; where that cannot be, say so and end."""
        from aisbx_mcp.transports.ends import leave, tell

        try:
            service.server.load()
        except AisbxError as error:
            await service.close()
            leave(tell(error))
