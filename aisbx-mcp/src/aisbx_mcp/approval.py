"""What a policy leaves to a person is asked of the client's user, by elicitation, as either protocol era has it."""

import asyncio
import json
import shlex
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from aisbx.engine.policies import approve, approving
from aisbx.errors import ApprovalError, PolicyError
from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult

from aisbx_mcp.options import HOST

if TYPE_CHECKING:
    from aisbx_mcp.tool import Call

T = TypeVar("T")
PATIENCE = 600.0
"""Seconds that somebody has to answer."""
_ROUNDS = "2026-07-28"
"""The first revision in which a call is repeated with the answer; before, the server asks meanwhile."""
_KEY = "approval"
_SHOWN = 4000
"""Characters of a command that a person can be expected to read. A longer one is nobody's to decide."""
_FIELD, _QUESTION = "run", "Run this command"


async def approved(call: "Call", begin: Callable[[], Awaitable[T]]) -> T | InputRequiredResult:
    """Begin, again after each yes; ApprovalError where nobody can be asked, PolicyError for a no.

    What is to be asked by the call's next round is given as a result.
    """
    yes = set(_state(call).get("yes", ()))
    while True:
        try:
            with approving(yes):
                return await begin()
        except ApprovalError as error:
            if error.key in yes or not can_be_asked(call):
                raise
            said_yes = await consent(call, error.key, _message(error), _QUESTION, {"yes": sorted(yes)})
            if isinstance(said_yes, InputRequiredResult):
                return said_yes
            if not said_yes:
                hint = "do without it: no other wording of the same command helps"
                raise PolicyError(f"{error.rule}: {error.reason}; the user said no", hint=hint) from None
            await asyncio.to_thread(approve, call.service.engine, error, call.room.principal, HOST)
            yes.add(error.key)


def can_be_asked(call: "Call") -> bool:
    """Tell whether the client shows its user a question."""
    capabilities = call.context.client_capabilities
    offered = capabilities.elicitation if capabilities else None
    return offered is not None and (offered.form is not None or offered.url is None)


async def consent(
    call: "Call", key: str, message: str, question: str, kept: Mapping[str, Any] | None = None
) -> bool | InputRequiredResult:
    """Ask the client's user, who ticks `question` or does not; silence and a closed question are a no.

    What is to be asked by the call's next round is given as a result, with what that round is to know (`kept`). `key`
    says what was asked: a yes to something else is none.
    """
    schema = {
        "type": "object",
        "properties": {_FIELD: {"type": "boolean", "title": question, "default": False}},
        "required": [_FIELD],
    }
    answer = await _answer(call, key, message, schema, kept or {})
    if isinstance(answer, InputRequiredResult):
        return answer
    return answer.action == "accept" and (answer.content or {}).get(_FIELD) is True


async def _answer(
    call: "Call", key: str, message: str, schema: dict[str, Any], kept: Mapping[str, Any]
) -> ElicitResult | InputRequiredResult:
    if (call.context.protocol_version or "") < _ROUNDS:
        call.progress.of("waiting for {:.0f} s for the user's answer".format, PATIENCE)
        try:
            async with asyncio.timeout(PATIENCE):
                return await call.context.session.elicit_form(message, schema, call.context.request_context.request_id)
        except TimeoutError:
            return ElicitResult(action="cancel")
    answer = (call.context.input_responses or {}).get(_KEY)
    if isinstance(answer, ElicitResult) and _state(call).get("asked") == key:
        return answer
    asked = ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))
    # The SDK seals it: what comes back is what was given to this very principal.
    state = json.dumps({"asked": key, **kept})
    return InputRequiredResult(input_requests={_KEY: asked}, request_state=state)


def _state(call: "Call") -> dict[str, Any]:
    state = call.context.request_state
    return cast("dict[str, Any]", json.loads(state)) if state else {}


def _message(error: ApprovalError) -> str:
    command = shlex.join(error.argv)
    if error.stdin is not None:
        command += f" <<< {shlex.quote(error.stdin.decode(errors='backslashreplace'))}"
    shown = printable(command)
    if len(shown) > _SHOWN:
        hint = "put it into a file of the workspace, or do it in smaller steps"
        raise PolicyError(f"{error.rule}: {error.reason}; it is too long to be shown to your user", hint=hint)
    return f"{error.reason} ({error.rule}). The agent wants to run:\n\n{shown}"


def printable(text: str) -> str:
    """Give a text as a person can be shown it: what moves the cursor or turns the direction is escaped."""
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)
