"""Prompts."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aisbx.errors import NotFoundError, UsageError
from mcp.server.mcpserver.prompts import Prompt as SdkPrompt
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS
from pydantic import ValidationError

from aisbx_mcp.offer.calls import bound, described, loaded, protocol_error, raising
from aisbx_mcp.prompt import Prompt
from aisbx_mcp.service import Service

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

_TOLD = 200
"""Characters of an error's text that a client is told."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """Those that are installed, by name: as they were offered, and as the SDK has them."""

    offered: Mapping[str, Prompt]
    made: Mapping[str, SdkPrompt]

    def check(self, name: str, arguments: Collection[str]) -> None:
        """Raise the protocol's error for a prompt that is not there, or for what it does not take."""
        prompt = self.made.get(name)
        if prompt is None:
            names = ", ".join(self.made)
            raise protocol_error(NotFoundError(f"there is no prompt {name!r}", name=name, hint=f"there are: {names}"))
        takes = {one.name: one.required for one in prompt.arguments or ()}
        wrong = [f"there is no argument {one}" for one in arguments if one not in takes]
        wrong += [f"{one} is missing" for one, required in takes.items() if required and one not in arguments]
        if wrong:
            hint = f"{name} takes {', '.join(takes) or 'none'}"
            raise protocol_error(UsageError("; ".join(wrong), hint=hint))


def load_prompts(service: Service) -> Prompts:
    """Load every prompt; an AisbxError says which is broken."""
    offered = {name: loaded(service, "prompt", name, Prompt) for name in service.engine.plugins.names("prompt")}
    return Prompts(offered, {name: _made(service, name, one) for name, one in offered.items()})


async def in_a_line(ctx: "ServerRequestContext[Any, Any]", call_next: "CallNext") -> "HandlerResult":
    """Answer what is wrong with an argument's value with an error of the protocol's.

    To the SDK it is a failure of its own, with a traceback in the log.
    """
    try:
        return await call_next(ctx)
    except ValueError as error:
        if isinstance(error, ValidationError) or ctx.method != "prompts/get":
            raise
        raise MCPError(INVALID_PARAMS, str(error)[:_TOLD]) from error


def _made(service: Service, name: str, prompt: Prompt) -> SdkPrompt:
    run: Any = bound(service, name, prompt.scope, prompt.run, raising)
    description = described(prompt.run, prompt.title)
    return SdkPrompt.from_function(run, name=name, title=prompt.title, description=description)
