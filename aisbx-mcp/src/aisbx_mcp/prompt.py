"""What a prompt is: a text that a user picks, and that begins a piece of an agent's work.

A distribution adds prompts with entry points of the group `aisbx.prompts`; the entry point's name is the prompt's.

    async def review(call: Call, path: Annotated[str, Field(description="The file.")]) -> str:
        '''Review a file of the workspace.'''
        return f"Read {path} and tell me what is wrong with it."

    REVIEW = Prompt(review, title="Review a file")

The parameters after the `Call` are its arguments, which are text. It gives text, content of `mcp.types`, messages of
`mcp.server.mcpserver`, or several of these; an AisbxError is the answer's error.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aisbx_mcp.tool import Complete


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt; its function's docstring describes it."""

    run: Callable[..., Awaitable[Any]]
    title: str
    scope: str = "run"
    """What a key needs to have it, see `aisbx.keys`."""
    complete: Mapping[str, Complete] = field(default_factory=dict[str, Complete])
    """Argument → what completes it."""
