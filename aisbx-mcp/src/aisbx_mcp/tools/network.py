"""One host more for a sandbox with an allow-list, if the client's user says so."""

import asyncio
from typing import Annotated

from aisbx.engine.granting import Granting, granting
from aisbx.errors import PolicyError
from mcp.types import CallToolResult, InputRequiredResult
from pydantic import Field

from aisbx_mcp.approval import can_be_asked, consent, printable
from aisbx_mcp.options import HOST
from aisbx_mcp.render import text
from aisbx_mcp.room import DEFAULT
from aisbx_mcp.tool import Call, Tool
from aisbx_mcp.tools.commands import Sandbox

_LONGEST = 300
_MINUTES = 10.0
_DAY = 24 * 60.0


async def network_grant(
    call: Call,
    rule: Annotated[str, Field(description="HOST:PORT, as it was refused.", max_length=_LONGEST)],
    reason: Annotated[str, Field(description="What for, in a few words: your user reads it.", max_length=_LONGEST)],
    minutes: Annotated[float, Field(description="For how long.", gt=0, le=_DAY)] = _MINUTES,
    sandbox: Sandbox = DEFAULT,
) -> CallToolResult | InputRequiredResult:
    """Ask your user to let a sandbox reach one host more, for a while. Commands that run already reach it at once."""
    box, options = await call.room.box(sandbox), call.service.options
    command = f"aisbx grant {box.real} {printable(rule)}"
    if not options.grants:
        hint = f"whoever runs the server can: {command}, or start it with --ask-for-hosts"
        raise PolicyError("mcp.grants: this server asks nobody for more hosts", hint=hint)

    def looked_at() -> tuple[Granting, str]:
        found = granting(call.service.engine, box.real)
        return found, found.admitted(rule, call.room.principal)

    async with call.service.making:  # what an engine knows of one request is not for two at once
        held, spelled = await asyncio.to_thread(looked_at)
    if not can_be_asked(call):
        raise PolicyError("mcp.grants: nobody is here to be asked", hint=f"ask your user to run: {command}")
    question = f"Let it reach {spelled}"
    message = (
        f"The agent asks that its sandbox {box.name} may reach {spelled} for {minutes:g} minutes. "
        f"Whoever is there can then be told all that the sandbox can read. Its reason: {printable(reason)}"
    )
    yes = await consent(call, f"{box.real} {spelled} {minutes:g}", message, question)
    if isinstance(yes, InputRequiredResult):
        return yes
    if not yes:
        raise PolicyError(f"{spelled}: the user said no", hint="do without it: asking again does not help")

    async with call.service.making:
        await asyncio.to_thread(held.add, spelled, minutes * 60, call.room.principal, HOST)
    return text(f"{spelled} can be reached from sandbox {box.name} for {minutes:g} minutes")


NETWORK_GRANT = Tool(network_grant, title="Ask for a host")
