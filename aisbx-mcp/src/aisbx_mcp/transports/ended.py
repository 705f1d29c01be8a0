"""A session that its client ends while the SDK passes a request on to it: no failure, and nobody is left to tell."""

import logging
from typing import TYPE_CHECKING, cast

import anyio

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_GONE = (anyio.ClosedResourceError, anyio.BrokenResourceError)


async def served_once(app: "ASGIApp", scope: "Scope", receive: "Receive", send: "Send") -> None:
    """Serve a request that has one answer.

    The SDK answers a notification and then passes it on; where the session has ended by then, it answers once more, and
    raises what it could not pass on.
    """
    whole = False

    async def sending(message: "Message") -> None:
        nonlocal whole
        if not whole:
            whole = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

    try:
        await app(scope, receive, sending)
    except _GONE:
        if not whole:
            raise


def keep_out_of_the_log() -> None:
    """Have the SDK write of every other failure only."""
    logging.getLogger("mcp.server.streamable_http").addFilter(_is_failure)


def _is_failure(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, BaseExceptionGroup):  # of the task that passes on beside the one that answers
        return cast("BaseExceptionGroup[BaseException]", error).split(_GONE)[1] is not None
    return not isinstance(error, _GONE)
