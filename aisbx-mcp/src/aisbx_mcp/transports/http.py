"""Streamable HTTP: any number of clients, each known by a key."""

import asyncio
import socket
from typing import TYPE_CHECKING, cast

import anyio
from aisbx.hosting import listening
from aisbx.hosting.connection import BoundedProtocol
from aisbx.hosting.requests import BODY_BYTES
from aisbx.hosting.serving import Server, configured

if TYPE_CHECKING:
    import uvicorn

    from aisbx_mcp.options import HttpOptions
    from aisbx_mcp.service import Service
    from aisbx_mcp.transports.front import Front

CONNECTIONS = 1000
_SWEEP = 2.0
"""Seconds between two looks at who has gone."""


class Http:
    """Serves `/mcp` of one address."""

    def serve(self, service: object) -> None:
        """Serve until a signal ends this process; all sandboxes end first. UsageError for an address it cannot have."""
        found = cast("Service", service)
        options = found.options.http
        listening.check(options.certfile, options.keyfile, options.hosts)
        with listening.bind(options.host, options.port, near=not options.auth) as listener:
            asyncio.run(self._serve(found, options, listener))

    async def _serve(self, service: "Service", options: "HttpOptions", listener: socket.socket) -> None:
        from aisbx_mcp.transports.ended import keep_out_of_the_log
        from aisbx_mcp.transports.ends import leave, watch
        from aisbx_mcp.transports.front import PATH, Front, principal_of, was_taken

        service.identify, service.taken = principal_of, was_taken
        keep_out_of_the_log()
        # Whatever address it is, `Front` has looked at Host and Origin: the SDK does so on loopback addresses only.
        app = service.server.streamable_http_app(
            host="", max_request_body_size=BODY_BYTES, session_idle_timeout=options.idle
        )
        server = Server(_config(Front(app, service, options), options))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch, service)
            tasks.start_soon(_sweep, service, options.idle)
            listening.announce("aisbx-mcp", listener, PATH, tls=bool(options.certfile))
            await server.serve(sockets=[listener])
            await service.close()
            leave(1)


async def _sweep(service: "Service", idle: float) -> None:
    """End the rooms of those who have been away for long, or whose key has."""
    while True:
        await asyncio.sleep(min(_SWEEP, idle))
        await service.sweep(idle)
        await service.save()


def _config(app: "Front", options: "HttpOptions") -> "uvicorn.Config":
    return configured(
        app,
        BoundedProtocol,
        connections=CONNECTIONS,
        certfile=options.certfile,
        keyfile=options.keyfile,
        ws="none",
        lifespan="on",
    )
