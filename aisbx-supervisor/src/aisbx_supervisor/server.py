"""Serve until a signal: requests that run have some time to end, sandboxes stay."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence

import uvicorn
from aisbx.hosting.listening import announce
from aisbx.hosting.serving import Server, configured
from starlette.types import ASGIApp

from aisbx_supervisor.app import API, build
from aisbx_supervisor.connection import Http, WebSocket
from aisbx_supervisor.direct import Direct
from aisbx_supervisor.front import Front
from aisbx_supervisor.notify import notify
from aisbx_supervisor.options import ServeOptions
from aisbx_supervisor.service import Service

CONNECTIONS = 2000
MESSAGE = 1 << 20
"""Bytes of a WebSocket's message."""
_ENDS = (signal.SIGTERM, signal.SIGINT)


def serve(options: ServeOptions, sockets: Sequence[socket.socket]) -> int:
    """Serve; an AisbxError says why that cannot be. Ends the process: a command may be waited for in a thread still."""
    service = Service(options)
    service.check()
    config = _config(Front(Direct(build(service), service, API), service), options)
    code = asyncio.run(_serve(service, Server(config), sockets))
    sys.stderr.flush()
    os._exit(code)


async def _serve(service: Service, server: Server, sockets: Sequence[socket.socket]) -> int:
    loop = asyncio.get_running_loop()

    def end() -> None:
        if server.should_exit:
            server.force_exit = True
        server.should_exit = True
        notify("STOPPING=1")
        service.drain()

    for number in _ENDS:
        loop.add_signal_handler(number, end)
    loop.add_signal_handler(signal.SIGHUP, service.reload_aside)
    service.connections = lambda: len(server.server_state.connections)
    service.begin()
    for one in sockets:
        announce("aisbx-supervisor", one, tls=bool(service.options.certfile))
    notify("READY=1")
    await server.serve(sockets=[*sockets])
    await service.close()
    return 0 if server.should_exit else 1


def _config(app: ASGIApp, options: ServeOptions) -> uvicorn.Config:
    return configured(
        app,
        Http,
        connections=CONNECTIONS,
        certfile=options.certfile,
        keyfile=options.keyfile,
        lifespan="off",
        ws=WebSocket,
        ws_max_size=MESSAGE,
        ws_per_message_deflate=False,  # a few bytes would become many
        timeout_graceful_shutdown=max(1, round(options.drain)),
    )
