"""`run_command`."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from aisbx.errors import StateError, UsageError
from mcp.types import CallToolResult, InputRequiredResult
from pydantic import Field

from aisbx_mcp.approval import approved
from aisbx_mcp.box import Box, variables
from aisbx_mcp.render import CHARS, command_result
from aisbx_mcp.room import DEFAULT
from aisbx_mcp.running import KILL, Running
from aisbx_mcp.tool import Call, Tool

_LONGEST = 7 * 24 * 3600
_WORD = (128 << 10) - 1
"""Bytes of one (Linux: MAX_ARG_STRLEN, with the NUL at its end)."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Sandbox = Annotated[Name, Field(description="Its name; left out, the one that is made by itself.")]
Chars = Annotated[int, Field(ge=200, le=1_000_000, description="Characters of output in the result at most.")]
Seconds = Annotated[float, Field(gt=0, le=_LONGEST)]


async def run_command(
    call: Call,
    command: Annotated[
        str | list[str], Field(description="A shell's command line, or a list of words that no shell reads.")
    ],
    sandbox: Sandbox = DEFAULT,
    cwd: Annotated[str | None, Field(description="Directory, relative to the workspace.", max_length=4096)] = None,
    env: Annotated[dict[str, str] | None, Field(description="More variables.", max_length=256)] = None,
    stdin: Annotated[
        str | None, Field(description="Its whole input; without, it has none.", max_length=4 << 20)
    ] = None,
    timeout_s: Annotated[Seconds | None, Field(description="Seconds after which it is ended.")] = None,
    yield_s: Annotated[
        float,
        Field(ge=0, le=3600, description="Seconds after which a command that still runs goes on in the background."),
    ] = 30.0,
    max_output_chars: Chars = CHARS,
    interactive: Annotated[bool, Field(description="Keep its input open for process_input.")] = False,
) -> CallToolResult | InputRequiredResult:
    """Run a command in the sandbox and give its exit code and output (stdout and stderr as they come).

    Files and background processes stay for the next call; shell variables and the directory do not.
    One that takes longer than yield_s goes on in the background: read on with process_output.
    """
    box = await call.room.box(sandbox)
    # One stream, so that what comes on both stays in order; on the same line, so that lines count as written.
    argv = words([await shell(box), "-c", f"exec 2>&1; {command}"] if isinstance(command, str) else command)
    given = stdin.encode(errors="surrogateescape") if stdin is not None else b""
    running = await approved(
        call,
        lambda: call.room.run(
            box,
            argv,
            given=None if interactive else given,
            stdin=given or None,
            environment=variables(env),
            cwd=box.path(cwd) if cwd else None,
            limits={"wall_time": timeout_s} if timeout_s else {},
        ),
    )
    if isinstance(running, InputRequiredResult):
        return running
    if interactive and given:
        try:
            await running.feed(given, end=False)
        except asyncio.CancelledError:
            await running.signal(KILL)
            raise
    await attend(call, running, yield_s)
    if running.error is not None:
        await call.room.check(box)
    return command_result(running, max_output_chars)


def words(argv: Sequence[str]) -> Sequence[str]:
    """Give what can be a command's words; UsageError for what cannot."""
    if (
        not argv
        or not argv[0]
        or any("\0" in word or len(word.encode(errors="surrogateescape")) > _WORD for word in argv)
    ):
        raise UsageError("a command has words, without NUL, of at most 128 KiB", hint="write more into a file")
    return argv


async def attend(call: Call, running: Running, seconds: float) -> None:
    """Wait for a command's end, at most so long; cancelled, end it."""
    call.progress.of(lambda done: f"running for {done:.0f} s, {running.output.size:,} bytes of output", seconds)
    try:
        await running.wait(seconds)
    except asyncio.CancelledError:
        await running.signal(KILL)
        raise


async def shell(box: Box) -> str:
    """Give the shell that reads command lines: bash where the sandbox has one."""
    if not box.shell:
        try:
            await asyncio.to_thread(box.files.stat, "/usr/bin/bash")
            box.shell = "/usr/bin/bash"
        except StateError:
            box.shell = "/bin/sh"
    return box.shell


RUN_COMMAND = Tool(run_command, title="Run a command", destructive=True)
