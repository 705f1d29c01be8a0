"""One connection: bounded in time, and on a Unix socket it is known who is at the other end (unix(7), SO_PEERCRED)."""

import asyncio
import socket
import struct
from typing import Protocol

import h11
from aisbx.hosting.connection import BoundedProtocol
from aisbx.hosting.requests import RefusedError
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol

from aisbx_supervisor.problems import MEDIA, problem

PEER = "uid:"
"""How the address of a client begins that came by a Unix socket; its uid follows."""


class _Connected(Protocol):
    client: tuple[str, int] | None
    server: tuple[str, int | None] | None


def _note(connection: _Connected, transport: asyncio.Transport) -> None:
    found = transport.get_extra_info("socket")
    if found is not None and found.family == socket.AF_UNIX:
        pid, uid, _ = struct.unpack("3i", found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        connection.client = (f"{PEER}{uid}", pid)
        connection.server = ("unix", None)


class Http(BoundedProtocol):
    """HTTP/1.1."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note who it is."""
        super().connection_made(transport)
        _note(self, transport)

    def send_400_response(self, msg: str) -> None:
        """Say that this is no HTTP, as a problem like all else."""
        body = bytes(problem(RefusedError(400, "usage", msg, "send HTTP/1.1")).body)
        told = [("Content-Type", MEDIA), ("Content-Length", str(len(body))), ("Connection", "close")]
        for event in (h11.Response(status_code=400, headers=told), h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class WebSocket(WSProtocol):
    """What a connection becomes that asks for a WebSocket."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note who it is."""
        super().connection_made(transport)
        _note(self, transport)
