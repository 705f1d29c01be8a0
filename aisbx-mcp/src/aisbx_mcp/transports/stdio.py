"""Standard input and output: one client, which started this process, and with which it ends."""

import signal
import sys
from typing import TYPE_CHECKING, Any, cast

import anyio

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    from aisbx_mcp.service import Service

_ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stdio:
    """Serves the client at the other end of stdin and stdout, which carry the protocol and nothing else."""

    def serve(self, service: object) -> None:
        """Serve until the client closes stdin, or a signal ends this process; either way all sandboxes end first."""
        from aisbx_mcp.server import make_server

        anyio.run(self._serve, cast("Service", service), make_server(cast("Service", service)))

    async def _serve(self, service: "Service", server: "MCPServer[Any]") -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_watch, service)
            await server.run_stdio_async()
            await service.close()
            _leave(0)


async def _watch(service: "Service") -> None:
    """End everything on a signal.

    The SDK's reader sits in a thread that waits for stdin, which no cancellation reaches: hence `_exit`.
    """
    with anyio.open_signal_receiver(*_ENDS) as signals:
        async for number in signals:
            await service.close()
            _leave(128 + number)


def _leave(code: int) -> None:
    import os

    sys.stderr.flush()
    os._exit(code)
