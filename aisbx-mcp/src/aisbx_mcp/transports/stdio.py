"""Standard input and output: one client, which started this process, and with which it ends."""

from typing import TYPE_CHECKING, Any, cast

import anyio

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    from aisbx_mcp.service import Service


class Stdio:
    """Serves the client at the other end of stdin and stdout, which carry the protocol and nothing else."""

    def serve(self, service: object) -> None:
        """Serve until the client closes stdin, or a signal ends this process; either way all sandboxes end first."""
        from aisbx_mcp.server import make_server

        anyio.run(self._serve, cast("Service", service), make_server(cast("Service", service)))

    async def _serve(self, service: "Service", server: "MCPServer[Any]") -> None:
        from aisbx_mcp.transports.answering import answering_stdio
        from aisbx_mcp.transports.ends import leave, watch

        inner = server._lowlevel_server  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - as its run_stdio_async does
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch, service)
            async with answering_stdio() as (read, write):
                await inner.run(read, write, inner.create_initialization_options())
            await service.close()
            leave(0)
