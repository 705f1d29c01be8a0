"""Sandboxes: made, listed, ended; and two names that other servers of this kind have."""

from typing import Annotated

from aisbx.hosting.profiles import RESTRICTIONS
from mcp.types import CallToolResult, InputRequiredResult
from pydantic import Field

from aisbx_mcp.approval import approved
from aisbx_mcp.box import Box
from aisbx_mcp.render import CHARS, command_result, text
from aisbx_mcp.room import DEFAULT
from aisbx_mcp.tool import Call, Tool
from aisbx_mcp.tools.commands import Sandbox, Seconds, attend, words

Profile = Annotated[
    str, Field(description="One that aisbx-profile-list names; left out, the usual one.", max_length=200)
]
_FOREVER = 3600.0


async def sandbox_create(call: Call, name: Sandbox, profile: Profile = "") -> CallToolResult:
    """Make another sandbox, with files and processes of its own. Not needed for the first: that is made by itself."""
    box = await call.room.create(name, profile)
    return text(f"made sandbox {name}: {_said(box)}")


async def sandbox_list(call: Call) -> CallToolResult:
    """List your sandboxes and the processes that run in them."""
    lines: list[str] = []
    for box in call.room.boxes.values():
        lines.append(f"{box.name}: {_said(box)}")
        for running in box.running.values():
            state = "running" if running.lives else "ended"
            lines.append(f"  process {running.id}: {state}, {running.output.size:,} bytes of output")
    return text(*(lines or ["none yet: run_command makes one"]))


async def sandbox_destroy(call: Call, name: Sandbox = DEFAULT) -> CallToolResult:
    """End a sandbox with all its processes. What lies in the user's workspace stays; all else in it is lost."""
    findings = await call.room.destroy(name)
    return text(f"sandbox {name} has ended", *(f"note: {finding}" for finding in findings))


async def aisbx_run(
    call: Call,
    command: Annotated[list[str], Field(description="A list of words.", min_length=1)],
    profile: Profile = "",
    timeout: Annotated[Seconds | None, Field(description="Seconds after which it is ended.")] = None,  # noqa: ASYNC109
) -> CallToolResult | InputRequiredResult:
    """Run one command in a sandbox that is made for it and ends with it."""
    words(command)
    name = f"once-{id(command):x}"
    box = await call.room.create(name, profile)
    try:
        limits = {"wall_time": timeout} if timeout else {}
        running = await approved(call, lambda: call.room.run(box, command, given=b"", limits=limits))
        if isinstance(running, InputRequiredResult):
            return running
        await attend(call, running, timeout or _FOREVER)
        if running.error is not None:
            await call.room.check(box, "call again")
        return command_result(running, CHARS)
    finally:
        if name in call.room.boxes:
            await call.room.destroy(name)


async def aisbx_profile_list(call: Call) -> CallToolResult:
    """List the profiles that sandbox_create and aisbx-run take."""
    offered = call.room.profiles
    names = [f"{offered.usual} (the usual one)", *sorted(offered.names - {offered.usual})]
    added = ", ".join(sorted(RESTRICTIONS))
    return text(*names, f"each with +NAME for a restriction: {added}")


def _said(box: Box) -> str:
    return f"profile {box.profile}, workspace {box.workspace}"


SANDBOX_CREATE = Tool(sandbox_create, title="Make a sandbox")
SANDBOX_LIST = Tool(sandbox_list, title="List sandboxes", read_only=True)
SANDBOX_DESTROY = Tool(sandbox_destroy, title="End a sandbox", destructive=True, idempotent=True)
AISBX_RUN = Tool(aisbx_run, title="Run a command in a sandbox of its own", destructive=True)
AISBX_PROFILE_LIST = Tool(aisbx_profile_list, title="List profiles", read_only=True)
