"""Tools that ask the client between two calls, as in 2026-07-28: a result says what is needed; the call comes again."""

from typing import Annotated, Any

from aisbx_mcp.tool import Call, Tool
from mcp.server.mcpserver import AcceptedElicitation, Elicit, ElicitationResult, Resolve
from mcp.shared.exceptions import MCPError
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    ClientCapabilities,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingCapability,
    SamplingMessage,
    TextContent,
)
from pydantic import BaseModel

Result = str | InputRequiredResult


def form(message: str, field: str, kind: str = "string") -> ElicitRequest:
    schema: dict[str, Any] = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def question(text: str) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=text))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=100))


def answer(call: Call, key: str, kind: type) -> Any:
    """Give what the client answered, if that is an answer of such a kind."""
    found = (call.context.input_responses or {}).get(key)
    return found if isinstance(found, kind) else None


async def missing_capability(call: Call) -> str:
    """Need what the client must have said it can do."""
    needed = ClientCapabilities(sampling=SamplingCapability())
    if not call.context.session.check_client_capability(needed):
        data = {"requiredCapabilities": needed.model_dump(by_alias=True, mode="json", exclude_none=True)}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "this needs sampling", data=data)
    return "The client has what is needed."


class Agreed(BaseModel):
    """What the user says."""

    ok: bool


async def agree() -> Elicit[Agreed]:
    return Elicit("Is it to go on?", Agreed)


async def streaming(call: Call, agreed: Annotated[ElicitationResult[Agreed], Resolve(agree)]) -> str:
    """Ask the user as the SDK does it in either era, and report progress."""
    await call.context.report_progress(1, 1)
    return f"agreed: {isinstance(agreed, AcceptedElicitation) and agreed.data.ok}"


async def elicitation(call: Call) -> Result:
    """Ask for a name."""
    said = answer(call, "user_name", ElicitResult)
    if said is None or not said.content:
        return InputRequiredResult(input_requests={"user_name": form("What is your name?", "name")})
    return f"Hello, {said.content['name']}!"


async def sampling(call: Call) -> Result:
    """Ask the client's model."""
    said = answer(call, "capital_question", CreateMessageResult)
    if said is None:
        return InputRequiredResult(input_requests={"capital_question": question("What is the capital of France?")})
    return f"The model says: {said.content.text}"


async def list_roots(call: Call) -> Result:
    """Ask for the client's directories."""
    said = answer(call, "client_roots", ListRootsResult)
    if said is None:
        return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})
    return f"Roots: {', '.join(str(root.uri) for root in said.roots)}"


async def request_state(call: Call) -> Result:
    """Carry a state to the second round."""
    said = answer(call, "confirm", ElicitResult)
    if said is None or call.context.request_state != "first":
        confirm = form("Please confirm", "ok", "boolean")
        return InputRequiredResult(input_requests={"confirm": confirm}, request_state="first")
    return "state-ok"


async def multiple_inputs(call: Call) -> Result:
    """Ask for three things at once."""
    name, said = answer(call, "user_name", ElicitResult), answer(call, "greeting", CreateMessageResult)
    roots = answer(call, "client_roots", ListRootsResult)
    if name is None or said is None or roots is None or call.context.request_state != "all":
        asked = {
            "user_name": form("What is your name?", "name"),
            "greeting": question("Generate a greeting"),
            "client_roots": ListRootsRequest(),
        }
        return InputRequiredResult(input_requests=asked, request_state="all")
    return f"{said.content.text} {name.content['name']}, {len(roots.roots)} roots"


async def multi_round(call: Call) -> Result:
    """Ask twice."""
    state = call.context.request_state
    if state == "two" and answer(call, "step2", ElicitResult):
        return f"The colour: {answer(call, 'step2', ElicitResult).content['color']}"
    if state == "one" and answer(call, "step1", ElicitResult):
        second = form("Step 2: What is your favorite color?", "color")
        return InputRequiredResult(input_requests={"step2": second}, request_state="two")
    first = form("Step 1: What is your name?", "name")
    return InputRequiredResult(input_requests={"step1": first}, request_state="one")


async def capabilities(call: Call) -> Result:
    """Ask for nothing that the client has not said it can do."""
    asked: dict[str, Any] = {}
    able = call.context.client_capabilities
    if able and able.sampling:
        asked["question"] = question("What is it?")
    if able and able.elicitation:
        asked["name"] = form("What is your name?", "name")
    if not asked or call.context.input_responses:
        return "That is all."
    return InputRequiredResult(input_requests=asked)


MISSING_CAPABILITY = Tool(missing_capability, title="Need sampling")
STREAMING = Tool(streaming, title="Ask and go on")
ELICITATION = Tool(elicitation, title="Ask for a name")
SAMPLING = Tool(sampling, title="Ask the model")
LIST_ROOTS = Tool(list_roots, title="Ask for directories")
REQUEST_STATE = Tool(request_state, title="Carry a state")
MULTIPLE = Tool(multiple_inputs, title="Ask for three things")
MULTI_ROUND = Tool(multi_round, title="Ask twice")
TAMPERED = Tool(request_state, title="Carry a state that nobody may change")
CAPABILITIES = Tool(capabilities, title="Ask for what can be had")
