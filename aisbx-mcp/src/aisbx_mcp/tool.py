r"""What a tool is: a coroutine function whose first parameter is a `Call`, and what is said of it.

A distribution adds tools with entry points of the group `aisbx.tools`; the entry point's name is the tool's.

    async def count_lines(call: Call, path: str) -> str:
        '''Count the lines of a file.'''
        box = await call.room.box()
        return str(box.files.read(box.path(path), 1 << 20).count(b"\n"))

    COUNT_LINES = Tool(count_lines, title="Count lines", read_only=True)

The other parameters, annotated, are the tool's arguments, and its docstring describes it. It gives text, or content of
`mcp.types`; an AisbxError is told to the model as the tool's error. What it needs of the user it asks for as the SDK
does it in either era: by `call.context.elicit`, by parameters with `mcp.server.mcpserver.Resolve`, or by giving an
`InputRequiredResult`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp.server.mcpserver import Context
from mcp.types import LoggingLevel

from aisbx_mcp.progress import Progress
from aisbx_mcp.room import Room
from aisbx_mcp.service import Service
from aisbx_mcp.watching import session_of, watching_of


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls: their sandboxes, the server, and the SDK's context (questions to the user)."""

    room: Room
    service: Service
    context: Context
    progress: Progress
    """What the client is told while the call goes on, every few seconds."""

    async def log(self, level: LoggingLevel, data: object, logger: str = "") -> None:
        """Tell the client something as it comes about: `data` is what JSON can say.

        It reaches a client that asked for messages of that severity: by `logging/setLevel` for a session (`info` until
        it says otherwise), by a request's `_meta` in the revision 2026-07-28.
        """
        request = self.context.request_context
        if watching_of(self.room).wants(session_of(request.request), level):
            await request.session.send_log_message(  # pyright: ignore[reportDeprecated]  (of the earlier revisions)
                level, data, logger or None, related_request_id=self.context.request_id
            )


Complete = Callable[[Call, str, Mapping[str, str]], Awaitable[Sequence[str]]]
"""Gives how the value of an argument, which begins like this, may go on; with the arguments that are known already."""


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
