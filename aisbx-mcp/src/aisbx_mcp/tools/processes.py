"""Commands that go on in the background."""

import asyncio
import signal
from functools import partial
from typing import Annotated

from aisbx.errors import UsageError
from mcp.types import CallToolResult, InputRequiredResult
from pydantic import Field

from aisbx_mcp.approval import approved
from aisbx_mcp.options import HOST
from aisbx_mcp.render import CHARS, command_result, decoded, header, text
from aisbx_mcp.tool import Call, Tool
from aisbx_mcp.tools.commands import Chars, attend

Process = Annotated[str, Field(description="The id that run_command gave.", max_length=64)]


async def process_output(
    call: Call,
    process: Process,
    position: Annotated[
        int | None, Field(ge=0, description="From which byte on; left out, what was not given yet.")
    ] = None,
    wait_s: Annotated[float, Field(ge=0, le=3600, description="Seconds to wait for more, or for its end.")] = 5.0,
    max_output_chars: Chars = CHARS,
) -> CallToolResult:
    """Read what a process has printed since the last time, or from a position on, and whether it still runs."""
    running = call.room.find(process)
    start = running.seen if position is None else position
    call.progress.of("nothing new for {:.0f} s".format, wait_s)
    await running.news(wait_s, start)
    piece = running.output.read(start, max_output_chars)
    if position is None:
        running.seen = piece.following
    left = running.output.size - piece.following
    more = f"[{left:,} bytes more: position={piece.following}]" if left > 0 else ""
    missing = f"[{piece.missing:,} bytes before this were not kept]" if piece.missing else ""
    return text(header(running), missing, decoded(piece.data), more)


async def process_input(
    call: Call,
    process: Process,
    data: Annotated[str, Field(description="What it is to read, with its line feeds.", max_length=1 << 20)] = "",
    end: Annotated[bool, Field(description="Close its input after that.")] = False,
    wait_s: Annotated[float, Field(ge=0, le=3600, description="Seconds to wait for what it answers.")] = 1.0,
    max_output_chars: Chars = CHARS,
) -> CallToolResult | InputRequiredResult:
    """Give input to a process that was started with interactive=true, and read what it answers."""
    running = call.room.find(process)
    opened, given = call.room.boxes[running.sandbox].opened, data.encode(errors="surrogateescape")
    async with running.turn:
        if given and running.takes_input:
            who, read = call.room.principal, running.unfinished + given
            review = partial(opened.consider, running.argv, who, HOST, stdin=read, kind="exec.input")
            asked = await approved(call, lambda: asyncio.to_thread(review))
            if isinstance(asked, InputRequiredResult):
                return asked
        await running.feed(given, end=end)
    return await process_output(call, process, None, wait_s, max_output_chars)


async def process_kill(
    call: Call,
    process: Process,
    signal_name: Annotated[str, Field(description="TERM, INT, KILL, HUP, USR1 and so on.", max_length=10)] = "KILL",
    wait_s: Annotated[float, Field(ge=0, le=60, description="Seconds to wait for its end.")] = 5.0,
) -> CallToolResult:
    """Send a signal to a process; KILL ends it and all that it started."""
    running = call.room.find(process)
    name = signal_name.upper().removeprefix("SIG")
    if f"SIG{name}" not in signal.Signals.__members__:
        raise UsageError(f"there is no signal {signal_name!r}", hint="one of TERM, INT, KILL, HUP, USR1")
    await running.signal(signal.Signals[f"SIG{name}"])
    await attend(call, running, wait_s)
    return command_result(running, CHARS)


PROCESS_OUTPUT = Tool(process_output, title="Read a process's output", read_only=True)
PROCESS_INPUT = Tool(process_input, title="Give a process input")
PROCESS_KILL = Tool(process_kill, title="Send a process a signal", destructive=True)
