"""What a policy leaves to a person is asked of the client's user, by elicitation, as either protocol era has it."""

import asyncio
import json
import shlex
from collections.abc import Awaitable, Callable
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
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"run": {"type": "boolean", "title": "Run this command", "default": False}},
    "required": ["run"],
}


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
            if error.key in yes or not _can_be_asked(call):
                raise
            answer = await _answer(call, error, yes)
            if isinstance(answer, InputRequiredResult):
                return answer
            if not (answer.action == "accept" and (answer.content or {}).get("run") is True):
                hint = "do without it: no other wording of the same command helps"
                raise PolicyError(f"{error.rule}: {error.reason}; the user said no", hint=hint) from None
            await asyncio.to_thread(approve, call.service.engine, error, call.room.principal, HOST)
            yes.add(error.key)


def _can_be_asked(call: "Call") -> bool:
    capabilities = call.context.client_capabilities
    offered = capabilities.elicitation if capabilities else None
    return offered is not None and (offered.form is not None or offered.url is None)


async def _answer(call: "Call", error: ApprovalError, yes: set[str]) -> ElicitResult | InputRequiredResult:
    message = _message(error)
    if (call.context.protocol_version or "") < _ROUNDS:
        try:
            async with asyncio.timeout(PATIENCE):
                return await call.context.session.elicit_form(message, _SCHEMA, call.context.request_context.request_id)
        except TimeoutError:
            return ElicitResult(action="cancel")
    answer = (call.context.input_responses or {}).get(_KEY)
    if isinstance(answer, ElicitResult) and _state(call).get("asked") == error.key:
        return answer
    asked = ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=_SCHEMA))
    # The SDK seals it: what comes back is what was given to this very principal.
    state = json.dumps({"asked": error.key, "yes": sorted(yes)})
    return InputRequiredResult(input_requests={_KEY: asked}, request_state=state)


def _state(call: "Call") -> dict[str, Any]:
    state = call.context.request_state
    return cast("dict[str, Any]", json.loads(state)) if state else {}


def _message(error: ApprovalError) -> str:
    command = shlex.join(error.argv)
    if error.stdin is not None:
        command += f" <<< {shlex.quote(error.stdin.decode(errors='backslashreplace'))}"
    shown = "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in command)
    if len(shown) > _SHOWN:
        hint = "put it into a file of the workspace, or do it in smaller steps"
        raise PolicyError(f"{error.rule}: {error.reason}; it is too long to be shown to your user", hint=hint)
    return f"{error.reason} ({error.rule}). The agent wants to run:\n\n{shown}"
