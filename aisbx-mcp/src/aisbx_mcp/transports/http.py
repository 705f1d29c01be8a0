"""Streamable HTTP: any number of clients, each known by a key."""

import asyncio
import socket
import ssl
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import anyio
import uvicorn
from aisbx.errors import UsageError
from aisbx.hosting.addresses import is_loopback, split
from aisbx.hosting.connection import BoundedProtocol

if TYPE_CHECKING:
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
        listener = _listen(found.options.http)
        with listener:
            asyncio.run(self._serve(found, found.options.http, listener))

    async def _serve(self, service: "Service", options: "HttpOptions", listener: socket.socket) -> None:
        from aisbx_mcp.transports.ended import keep_out_of_the_log
        from aisbx_mcp.transports.ends import leave, watch
        from aisbx_mcp.transports.front import BODY_BYTES, Front, principal_of, was_taken

        service.identify, service.taken = principal_of, was_taken
        keep_out_of_the_log()
        # Whatever address it is, `Front` has looked at Host and Origin: the SDK does so on loopback addresses only.
        app = service.server.streamable_http_app(
            host="", max_request_body_size=BODY_BYTES, session_idle_timeout=options.idle
        )
        server = _Server(_config(Front(app, service, options), options))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch, service)
            tasks.start_soon(_sweep, service, options.idle)
            _say(listener, options)
            await server.serve(sockets=[listener])
            await service.close()
            leave(1)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to us: sandboxes end first."""
        yield


async def _sweep(service: "Service", idle: float) -> None:
    """End the rooms of those who have been away for long, or whose key has."""
    while True:
        await asyncio.sleep(min(_SWEEP, idle))
        await service.sweep(idle)
        await service.save()


def _config(app: "Front", options: "HttpOptions") -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # anybody can write those
        server_header=False,
        limit_concurrency=CONNECTIONS,
        h11_max_incomplete_event_size=32 << 10,
        ssl_certfile=options.certfile or None,
        ssl_keyfile=options.keyfile or None,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        what = getattr(error, "reason", None) or error.strerror or error
        raise UsageError(f"--certfile, --keyfile: {what}", hint="name a certificate and its key, both PEM") from error
    return config


def _listen(options: "HttpOptions") -> socket.socket:
    if not options.auth and not is_loopback(options.host):
        hint = "leave out --no-auth, or --host"
        raise UsageError(f"--no-auth: {options.host} can be reached by others", hint=hint)
    if bool(options.certfile) != bool(options.keyfile):
        raise UsageError("--certfile and --keyfile go together", hint="name both, or neither")
    for one in options.hosts:
        split(one)
    try:
        family, kind, _, _, address = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0]
        if not options.auth and not is_loopback(str(address[0])):
            raise UsageError(f"--no-auth: {options.host} is {address[0]}", hint="use --host 127.0.0.1")
        listener = socket.socket(family, kind)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(128)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        hint = "use another --host or --port"
        raise UsageError(f"{options.host}:{options.port} cannot be served: {error.strerror}", hint=hint) from error
    return listener


def _say(listener: socket.socket, options: "HttpOptions") -> None:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"aisbx-mcp: serving {'https' if options.certfile else 'http'}://{shown}:{port}/mcp", file=sys.stderr)
    if not options.certfile and not is_loopback(host):
        print("aisbx-mcp: without --certfile keys can be read on the network: put TLS before it", file=sys.stderr)
    sys.stderr.flush()
