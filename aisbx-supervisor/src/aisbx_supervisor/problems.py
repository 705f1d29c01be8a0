"""Errors as problems (RFC 9457): our code and hint beside what the document asks for."""

import json
import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aisbx.errors import AdmissionError, AisbxError
from aisbx.hosting.requests import RefusedError
from pydantic import BaseModel, Field
from starlette.responses import Response

if TYPE_CHECKING:
    from aisbx_supervisor.metrics import Metrics

MEDIA = "application/problem+json"
_FAILED = 500
_log = logging.getLogger("aisbx")
_TYPE = "urn:aisbx:error:"
STATUS: Mapping[str, int] = {
    "usage": 400,
    "profile": 400,
    "unauthenticated": 401,
    "untrusted": 403,
    "workspace": 403,
    "denied": 403,
    "not-found": 404,
    "state": 409,
    "secret": 409,
    "command-not-found": 422,
    "command-not-executable": 422,
    "not-enforced": 422,
    "limited": 429,
    "driver-unavailable": 503,
    "launch": 503,
}
"""Code of an error → status; what is not here is the server's: 500."""
TITLES: Mapping[int, str] = {
    400: "The request is malformed",
    401: "Nobody knows who asks",
    403: "It is not allowed",
    404: "There is no such thing",
    405: "The method is not offered here",
    408: "The request came too slowly",
    409: "It cannot be done in this state",
    411: "The length is needed",
    413: "The request is too large",
    416: "There are no such bytes",
    421: "The Host is not this server's",
    422: "It cannot be done",
    429: "Too often, or too much at once",
    431: "The head of the request is too large",
    500: "The server failed",
    503: "It cannot be done now",
}


class Problem(BaseModel):
    """What went wrong, in the form of RFC 9457."""

    type: str = Field(description="`urn:aisbx:error:CODE`.")
    title: str
    status: int
    detail: str = Field(description="What happened, in one line.")
    code: str = Field(description="Stable; the same as in the command line's errors.")
    hint: str = Field(description="What to do; may be empty.")
    errors: list[dict[str, object]] | None = Field(None, description="Where a body or a parameter is wrong.")
    findings: list[str] | None = Field(None, description="What a command left behind all the same.")
    retry_after: float | None = Field(None, description="Seconds.")


_NO_DIRECTORY = "no such directory to start in"
"""The end of what a launcher says of a `cwd` that is not there."""


def status_of(error: AisbxError) -> int:
    """Give the status of an error."""
    if error.code == "launch" and error.message.endswith(_NO_DIRECTORY):
        return 409  # whoever asked named it; nothing is wrong with the service
    return error.status if isinstance(error, RefusedError) else STATUS.get(error.code, 500)


def problem(error: AisbxError, **more: object) -> Response:
    """Give the answer for an error; `more` are members of the problem."""
    status = status_of(error)
    headers = dict(error.headers) if isinstance(error, RefusedError) else {}
    if isinstance(error, AdmissionError):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    record = error.as_record()
    told = {"detail": record.pop("message"), **record, **more}
    body = {"type": _TYPE + error.code, "title": TITLES.get(status, "It failed"), "status": status, **told}
    return Response(json.dumps(body), status, headers, MEDIA)


def refused(metrics: "Metrics", error: AisbxError) -> Response:
    """Count an error and give the answer for it."""
    metrics.errors.labels(error.code).inc()
    return problem(error)


def failed(metrics: "Metrics", error: Exception) -> Response:
    """Count and log what nobody has foreseen, and give an answer that tells nothing of it."""
    _log.error("a request failed", exc_info=error)
    hint = "whoever runs it finds why in its log"
    return refused(metrics, RefusedError(_FAILED, AisbxError.code, "the server failed", hint))


RESPONSES: dict[int | str, dict[str, object]] = {
    "default": {"description": "A problem.", "content": {MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
}
"""Of every route: anything but what is said there is a problem."""
