"""Prompts."""

from collections.abc import Mapping, Sequence

from aisbx_mcp.prompt import Prompt
from aisbx_mcp.tool import Call
from mcp.server.mcpserver import UserMessage
from mcp.types import ElicitResult, InputRequiredResult

from aisbx_mcp_conformance.contents import embedded, image
from aisbx_mcp_conformance.rounds import answer, form


async def simple(call: Call) -> str:
    """Say one thing."""
    del call
    return "This is a simple prompt for testing."


async def with_arguments(call: Call, arg1: str, arg2: str) -> str:
    """Say what was given."""
    del call
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


async def words(call: Call, value: str, known: Mapping[str, str]) -> Sequence[str]:
    del call, known
    return [word for word in ("paris", "park", "party", "test") if word.startswith(value)]


async def with_resource(call: Call, resourceUri: str) -> list[UserMessage]:  # noqa: N803 - the suite's name
    """Say something of a resource."""
    del call
    resource = embedded(resourceUri, "Embedded resource content for testing.")
    return [UserMessage(resource), UserMessage("Please process the embedded resource above.")]


async def with_image(call: Call) -> list[UserMessage]:
    """Say something of an image."""
    del call
    return [UserMessage(image()), UserMessage("Please analyze the image above.")]


async def asking(call: Call) -> str | InputRequiredResult:
    """Ask the user first."""
    said = answer(call, "user_context", ElicitResult)
    if said is None or not said.content:
        asked = form("What context should the prompt use?", "context")
        return InputRequiredResult(input_requests={"user_context": asked})
    return f"Use this: {said.content['context']}"


SIMPLE = Prompt(simple, title="One thing")
WITH_ARGUMENTS = Prompt(with_arguments, title="What was given", complete={"arg1": words, "arg2": words})
WITH_RESOURCE = Prompt(with_resource, title="A resource")
WITH_IMAGE = Prompt(with_image, title="An image")
ASKING = Prompt(asking, title="A question first")
