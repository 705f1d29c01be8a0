"""Tools that ask the client in the middle of a call, as in the revisions that have sessions."""

from typing import Any

from aisbx_mcp.tool import Call, Tool
from mcp.types import ElicitResult, SamplingMessage, TextContent


async def ask(call: Call, message: str, **fields: Any) -> ElicitResult:
    """Ask the user for fields, each with its JSON schema."""
    schema = {"type": "object", "properties": fields, "required": []}
    session, request = call.context.session, call.context.request_id
    return await session.elicit_form(message, schema, related_request_id=request)


async def sampling(call: Call, prompt: str) -> str:
    """Ask the client's model."""
    said = await call.context.session.create_message(  # pyright: ignore[reportDeprecated]  (of these revisions)
        [SamplingMessage(role="user", content=TextContent(type="text", text=prompt))],
        max_tokens=100,
        related_request_id=call.context.request_id,
    )
    return f"LLM response: {said.content.text if isinstance(said.content, TextContent) else said.content}"


async def elicitation(call: Call, message: str) -> str:
    """Ask the user who they are."""
    said = await ask(call, message, username={"type": "string"}, email={"type": "string"})
    return f"User response: action={said.action}, content={said.content}"


async def defaults(call: Call) -> str:
    """Ask with a default for each kind of field (SEP-1034)."""
    said = await ask(
        call,
        "Please look at these",
        name={"type": "string", "default": "John Doe"},
        age={"type": "integer", "default": 30},
        score={"type": "number", "default": 95.5},
        status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        verified={"type": "boolean", "default": True},
    )
    return f"Elicitation completed: action={said.action}, content={said.content}"


async def enums(call: Call) -> str:
    """Ask with each kind of choice (SEP-1330)."""
    plain = {"type": "string", "enum": ["option1", "option2", "option3"]}
    titled = [{"const": f"value{number}", "title": f"Choice {number}"} for number in (1, 2, 3)]
    legacy = {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["One", "Two", "Three"]}
    said = await ask(
        call,
        "Please choose",
        untitledSingle=plain,
        titledSingle={"type": "string", "oneOf": titled},
        legacyEnum=legacy,
        untitledMulti={"type": "array", "items": plain},
        titledMulti={"type": "array", "items": {"anyOf": titled}},
    )
    return f"Elicitation completed: action={said.action}, content={said.content}"


SAMPLING = Tool(sampling, title="Ask the model")
ELICITATION = Tool(elicitation, title="Ask the user")
DEFAULTS = Tool(defaults, title="Ask with defaults")
ENUMS = Tool(enums, title="Ask with choices")
