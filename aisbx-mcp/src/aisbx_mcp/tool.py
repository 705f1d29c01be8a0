r"""What a tool is: a coroutine function whose first parameter is a `Call`, and what is said of it.

A distribution adds tools with entry points of the group `aisbx.tools`; the entry point's name is the tool's.

    async def count_lines(call: Call, path: str) -> str:
        '''Count the lines of a file.'''
        box = await call.room.box()
        return str(box.files.read(box.path(path), 1 << 20).count(b"\n"))

    COUNT_LINES = Tool(count_lines, title="Count lines", read_only=True)

The other parameters, annotated, are the tool's arguments, and its docstring describes it. It gives text, or content of
`mcp.types`; an AisbxError is told to the model as the tool's error.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from mcp.server.mcpserver import Context

from aisbx_mcp.room import Room
from aisbx_mcp.service import Service


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls: their sandboxes, the server, and the SDK's context (progress, questions to the user)."""

    room: Room
    service: Service
    context: Context


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool; the hints are those of MCP's annotations."""

    run: Callable[..., Awaitable[Any]]
    title: str
    scope: str = "run"
    """What a key needs to use it, see `aisbx.keys`."""
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False
