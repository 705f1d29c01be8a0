"""Files and logs of sandboxes as resources: for clients that show them, or fetch what a result only begins."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from aisbx.errors import AisbxError, StateError
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError

from aisbx_mcp.room import Room
from aisbx_mcp.service import Service

LARGEST = 4 << 20
"""Bytes of one resource; clients refuse messages that are much larger."""
_FILE = "A file of a sandbox; the path is relative to its workspace, or absolute with a second slash."
_LOG = "What a process of a sandbox has printed: all of it, or the beginning and the end."


def add_resources(server: "MCPServer[Any]", service: Service) -> None:
    """Offer what there is."""

    @server.resource("aisbx://{sandbox}/files/{+path}", name="file", title="A file", description=_FILE)
    async def file(sandbox: str, path: str, context: Context) -> str | bytes:  # pyright: ignore[reportUnusedFunction]
        with _entered(service, context, "files") as room:
            box = await room.box(sandbox)
            data = await asyncio.to_thread(box.files.read, box.path(path), LARGEST + 1)
            if len(data) > LARGEST:
                raise StateError(f"{path} has more than {LARGEST >> 20} MiB", hint="look at parts of it")
            return _text_or_bytes(data)

    @server.resource("aisbx://{sandbox}/logs/{process}", name="log", title="A process's output", description=_LOG)
    async def log(sandbox: str, process: str, context: Context) -> str:  # pyright: ignore[reportUnusedFunction]
        with _entered(service, context, "run") as room:
            running = (await room.box(sandbox)).running.get(process)
            if running is None:
                raise StateError(f"there is no process {process!r} in {sandbox}", hint="see sandbox_list")
            head, left_out, tail = running.output.ends(LARGEST)
            said = f"\n[... {left_out:,} bytes left out ...]\n" if left_out else ""
            return head.decode(errors="replace") + said + tail.decode(errors="replace")


@contextmanager
def _entered(service: Service, context: Context, scope: str) -> Generator[Room]:
    """Let whoever asks in, as a tool does; what is wrong reaches the client as a line."""
    try:
        request = context.request_context.request
        principal = service.identify(request)
        with service.door.enter(principal, scope, "resource", taken=service.taken(request, scope)):
            yield service.room(principal)
    except AisbxError as error:
        raise ResourceError(f"{error.code}: {error.message}; hint: {error.hint}") from error


def _text_or_bytes(data: bytes) -> str | bytes:
    if b"\0" in data:
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
