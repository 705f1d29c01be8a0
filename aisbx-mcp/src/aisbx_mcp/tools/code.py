"""`run_code`: code in an interpreter that keeps its variables."""

import asyncio
import time
from typing import Annotated, Literal

import anyio
from aisbx.errors import UsageError
from aisbx.plan.run import new_run
from mcp.types import CallToolResult, ImageContent, InputRequiredResult, TextContent
from pydantic import Field

from aisbx_mcp.approval import approved
from aisbx_mcp.box import Box
from aisbx_mcp.kernels.cell import Cell
from aisbx_mcp.options import HOST
from aisbx_mcp.output import Output
from aisbx_mcp.render import CHARS, bounded
from aisbx_mcp.room import DEFAULT
from aisbx_mcp.tool import Call, Tool
from aisbx_mcp.tools.commands import Chars, Name, Sandbox, Seconds

_MIB = 1 << 20
WORDS = {"python": ("python3", "-c"), "node": ("node", "-e"), "bash": ("bash", "-c")}
"""As what command code is reviewed and recorded."""


async def run_code(
    call: Call,
    code: Annotated[
        str, Field(description="Whole statements; the last expression's value is shown.", max_length=4 << 20)
    ],
    language: Annotated[Literal["python", "node", "bash"], Field(description="What interprets it.")] = "python",
    session: Annotated[Name, Field(description="Each has variables of its own.")] = "default",
    sandbox: Sandbox = DEFAULT,
    timeout_s: Annotated[Seconds | None, Field(description="Seconds after which it is ended.")] = 120.0,
    memory_mb: Annotated[int, Field(ge=0, le=1 << 20, description="MiB that Python may use; 0 for no such limit.")] = 0,
    restart: Annotated[bool, Field(description="Begin with a new interpreter.")] = False,
    max_output_chars: Chars = CHARS,
) -> CallToolResult | InputRequiredResult:
    """Run code in an interpreter whose variables stay for the next call; figures of matplotlib come as images.

    For programs and everything else use run_command.
    """
    if "\0" in code:
        raise UsageError("code has a NUL", hint="write it as an escape")
    box = await call.room.box(sandbox)
    argv = [*WORDS[language], code]
    asked = await approved(call, lambda: asyncio.to_thread(box.opened.consider, argv, call.room.principal, HOST))
    if isinstance(asked, InputRequiredResult):
        return asked
    if restart:
        await box.kernels.end(language, session)
    name = new_run()[:8]
    cell = Cell(Output(f"{call.service.outputs}/{name}"))
    try:
        seconds = await _run(call, box, cell, code, language, session, timeout_s, memory_mb * _MIB)
        return _result(cell, seconds, max_output_chars)
    finally:
        cell.output.close()
        call.service.drop(name)


async def _run(
    call: Call, box: Box, cell: Cell, code: str, language: str, session: str, timeout_s: float | None, memory: int
) -> float:
    began = time.monotonic()
    call.progress.of("waiting for {:.0f} s for the session's turn".format)
    async with box.kernels.held(language, session) as interpreter:
        call.progress.of("running for {:.0f} s".format, timeout_s)
        running = asyncio.ensure_future(interpreter.run(code, cell, timeout_s, memory))
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError:
            running.cancel()
            # A scope that was cancelled cancels every wait in it; but nobody may have the interpreter meanwhile.
            with anyio.CancelScope(shield=True):
                await asyncio.gather(running, return_exceptions=True)
            raise
        await running
        if not interpreter.lives:
            await call.room.check(box)
            cell.note += "; its variables are lost, and the next call begins with a new one"
    return time.monotonic() - began


def _result(cell: Cell, seconds: float, most: int) -> CallToolResult:
    how = "ok" if cell.ok else "failed"
    head = f"[{how}{f': {cell.note}' if cell.note else ''} after {seconds:.2f} s]"
    body = bounded(cell.output, most, "")
    blocks: list[TextContent | ImageContent] = [TextContent(type="text", text=f"{head}\n{body}")]
    blocks += [ImageContent(type="image", data=data, mime_type=kind) for kind, data in cell.images]
    return CallToolResult(content=[*blocks])


RUN_CODE = Tool(run_code, title="Run code", destructive=True)
