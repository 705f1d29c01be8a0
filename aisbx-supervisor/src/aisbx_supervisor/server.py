"""Serve until a signal: requests that run have some time to end, sandboxes stay."""

import asyncio
import os
import signal
import socket
import ssl
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import uvicorn
from aisbx.errors import UsageError
from aisbx.hosting.addresses import is_loopback
from starlette.types import ASGIApp

from aisbx_supervisor.app import build
from aisbx_supervisor.connection import Http, WebSocket
from aisbx_supervisor.front import Front
from aisbx_supervisor.listen import shown
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
    config = _config(Front(build(service), service), options)
    code = asyncio.run(_serve(service, _Server(config), sockets))
    sys.stderr.flush()
    os._exit(code)


async def _serve(service: Service, server: "_Server", sockets: Sequence[socket.socket]) -> int:
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
        told = shown(one, tls=bool(service.options.certfile))
        sys.stderr.write(f"aisbx-supervisor: serving {told}\n")
        if one.family != socket.AF_UNIX and not service.options.certfile and not is_loopback(one.getsockname()[0]):
            sys.stderr.write(
                "aisbx-supervisor: without --certfile keys can be read on the network: put TLS before it\n"
            )
    sys.stderr.flush()
    notify("READY=1")
    await server.serve(sockets=[*sockets])
    await service.close()
    return 0 if server.should_exit else 1


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to us: streams have to be told."""
        yield


def _config(app: ASGIApp, options: ServeOptions) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        http=Http,
        ws=WebSocket,
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # anybody can write those
        server_header=False,
        limit_concurrency=CONNECTIONS,
        h11_max_incomplete_event_size=32 << 10,
        ws_max_size=MESSAGE,
        ws_per_message_deflate=False,  # a few bytes would become many
        timeout_graceful_shutdown=max(1, round(options.drain)),
        ssl_certfile=options.certfile or None,
        ssl_keyfile=options.keyfile or None,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        what = getattr(error, "reason", None) or error.strerror or error
        raise UsageError(f"--certfile, --keyfile: {what}", hint="name a certificate and its key, both PEM") from error
    return config
