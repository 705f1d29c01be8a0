"""What every request over HTTP passes first: is it for us, whose is it, is it of a bounded size."""

import json
import math
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, cast

from aisbx.errors import AdmissionError, AuthError
from aisbx.hosting.principals import local
from aisbx.hosting.requests import (
    RefusedError,
    again,
    authenticated,
    body_of,
    check_address,
    headers_of,
    keys_of,
    without_secrets,
)
from aisbx.types import Principal
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken

from aisbx_mcp.transports.ended import served_once
from aisbx_mcp.transports.sessions import Sessions

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from aisbx_mcp.options import HttpOptions
    from aisbx_mcp.service import Service

PRINCIPAL = "aisbx.principal"
"""Where a request's scope says whose it is."""
TAKEN = "aisbx.taken"
"""And in which scopes it was counted."""
PATH = "/mcp"
"""What is served."""
LARGE = "write a large file in parts"
_SESSION, _NOT_FOUND, _WRONG = b"mcp-session-id", 404, 400


class Front:
    """An ASGI application around the SDK's."""

    def __init__(self, app: "ASGIApp", service: "Service", options: "HttpOptions") -> None:
        """Serve `app` to those who may."""
        self._app = app
        self._service = service
        self._options = options
        self._sessions = Sessions(options.idle)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        try:
            await self._serve(scope, receive, send)
        except RefusedError as refused:
            await _answer(refused, send)
        except AdmissionError as error:
            await _answer(_limited(error), send)

    async def _serve(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        headers = headers_of(scope)
        self._check_address(scope, headers)
        principal = self._principal(scope, headers)
        body = await body_of(headers, receive, LARGE)
        if body is None:
            return
        with self._service.present.serving(principal), self._service.door.serving(principal):
            if scope["path"] != PATH:
                self._service.door.missed(principal, scope["path"])
            message = _parsed(body)
            known = _known(scope, principal, self._take(principal, message))
            begins = isinstance(message, dict) and cast("dict[str, object]", message).get("method") == "initialize"
            with self._sessions.opening(principal.id) if begins else nullcontext("") as place:
                noting = self._noting(known, headers, (principal.id, place), send)
                await served_once(self._app, known, again(body, receive), noting)

    def _noting(
        self, scope: "Scope", headers: Mapping[bytes, list[str]], owner: tuple[str, str], send: "Send"
    ) -> "Send":
        """Give a `send` that notes which session of its owner (who, and at which place) was begun, used or ended."""
        sessions, session = self._sessions, next(iter(headers.get(_SESSION, [])), "")
        who, place = owner

        async def noting(message: "Message") -> None:
            if message["type"] == "http.response.start":
                status = int(message["status"])
                if session and (status == _NOT_FOUND or (scope["method"] == "DELETE" and status < _WRONG)):
                    sessions.ended(who, session)
                elif status < _WRONG:
                    for name, value in message.get("headers", []):
                        if bytes(name).lower() == _SESSION:
                            sessions.used(who, bytes(value).decode("latin-1"), place)
            await send(message)

        return noting

    def _take(self, principal: Principal, message: object) -> list[str]:
        """Count the tools that a request uses, where this can be told; AdmissionError where one comes too soon.

        What the SDK makes of it is counted again as far as it is something else.
        """
        taken: list[str] = []
        for scope in _scopes(message, self._service.scopes):
            self._service.door.take(principal, scope)
            taken.append(scope)
        return taken

    def _check_address(self, scope: "Scope", headers: Mapping[bytes, list[str]]) -> None:
        options = self._options
        check_address(scope, headers, named=options.host, hosts=options.hosts, origins=options.origins)
        if scope.get("query_string"):
            hint = "keys go into the header Authorization; revoke one that was in an address: logs have seen it"
            raise RefusedError(400, "usage", "this address takes no parameters", hint)

    def _principal(self, scope: "Scope", headers: Mapping[bytes, list[str]]) -> Principal:
        if not self._options.auth:
            return local()
        return authenticated(self._service.door, scope, keys_of(headers))


def _parsed(body: bytes) -> object:
    """Give the message; None where it is no JSON, and the SDK says so."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _scopes(message: object, scopes: Mapping[str, str]) -> list[str]:
    """Give the scopes of the tools that a message calls."""
    found: list[str] = []
    for one in cast("list[object]", message) if isinstance(message, list) else [message]:
        match one:
            case {"method": "tools/call", "params": {"name": str(name)}} if name in scopes:
                found.append(scopes[name])
            case _:
                pass
    return found


def _limited(error: AdmissionError) -> RefusedError:
    seconds = str(max(1, math.ceil(error.retry_after)))
    return RefusedError(429, error.code, error.message, error.hint, Retry_After=seconds)


def _known(scope: "Scope", principal: Principal, taken: list[str]) -> "Scope":
    """Give the scope with whose it is, and without what they showed: no tool and no log needs to see that."""
    # The SDK lets a session be used by whoever began it only; the token itself is none of its business.
    token = AccessToken(token="", client_id=principal.id, scopes=sorted(principal.scopes), subject=principal.id)
    return {
        **scope,
        "headers": without_secrets(scope),
        PRINCIPAL: principal,
        TAKEN: taken,
        "user": AuthenticatedUser(token),
    }


async def _answer(refused: RefusedError, send: "Send") -> None:
    data = {"code": refused.code, "message": refused.message, "hint": refused.hint}
    error = {"code": -32000, "message": refused.message, "data": data}
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), "cache-control": "no-store"}
    # Whatever else is on its way of that request is not read.
    headers |= {"connection": "close", **refused.headers}
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def principal_of(request: object) -> Principal:
    """Give whose request it is; AuthError where nobody has said."""
    scope = getattr(request, "scope", {})
    found = scope.get(PRINCIPAL)
    if not isinstance(found, Principal):
        raise AuthError("nobody knows whose request this is", hint="report it")
    return found


def was_taken(request: object, scope: str) -> bool:
    """Say whether a request was counted in a scope, for one tool that it calls."""
    taken = getattr(request, "scope", {}).get(TAKEN, [])
    if scope in taken:
        taken.remove(scope)
        return True
    return False
