"""What every request over HTTP passes first: is it for us, whose is it, is it of a bounded size."""

import asyncio
import json
import math
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, cast

from aisbx.errors import AdmissionError, AuthError
from aisbx.hosting.addresses import host_allowed
from aisbx.types import Principal
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken

from aisbx_mcp.service import local
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
BODY_BYTES = 8 << 20
BODY_SECONDS = 30.0
_SESSION, _NOT_FOUND, _WRONG = b"mcp-session-id", 404, 400
_SECRETS = frozenset({b"authorization", b"x-api-key", b"proxy-authorization", b"cookie"})


class RefusedError(Exception):
    """A request that goes no further, with the answer to it."""

    def __init__(self, status: int, code: str, message: str, hint: str = "", **headers: str) -> None:
        """`headers` have `_` for `-`."""
        super().__init__(message)
        self.status = status
        self.error = {"code": code, "message": message, "hint": hint}
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


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
            headers = _headers(scope)
            self._check_address(scope, headers)
            principal = self._principal(scope, headers)
            body = await _body(scope, headers, receive)
        except RefusedError as refused:
            await _answer(refused, send)
            return
        if body is None:
            return
        try:
            with self._service.present(principal) as presence, self._service.door.serving(principal):
                message = _parsed(body)
                known = _known(scope, principal, self._take(principal, message))
                begins = isinstance(message, dict) and cast("dict[str, object]", message).get("method") == "initialize"
                opening = self._sessions.opening(principal.id) if begins else nullcontext("")
                try:
                    with opening as place:
                        noting = self._noting(known, headers, (principal.id, place), send)
                        await served_once(self._app, known, _again(body, receive), noting)
                except asyncio.CancelledError:
                    if not presence.over:
                        raise
        except AdmissionError as error:
            await _answer(_limited(error), send)

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
        options, scheme = self._options, str(scope["scheme"])
        hosts, origins = headers.get(b"host", []), headers.get(b"origin", [])
        server: tuple[str, int] = scope.get("server") or ("", 0)
        if len(hosts) != 1 or not host_allowed(hosts[0], server, scheme, options.host, options.hosts):
            hint = "use the address that it was started with; whoever runs it can add one with --allow-host"
            raise RefusedError(421, "host", "this server does not go by that Host", hint)
        if (
            origins
            and origins != [f"{scheme}://{hosts[0]}"]
            and (len(origins) > 1 or origins[0] not in options.origins)
        ):
            hint = "whoever runs the server can allow it with --allow-origin"
            raise RefusedError(403, "origin", "pages from that Origin may not use this server", hint)
        if scope.get("query_string"):
            hint = "keys go into the header Authorization; revoke one that was in an address: logs have seen it"
            raise RefusedError(400, "usage", "this address takes no parameters", hint)

    def _principal(self, scope: "Scope", headers: Mapping[bytes, list[str]]) -> Principal:
        if not self._options.auth:
            return local()
        shown: list[str] = [*headers.get(b"x-api-key", [])]
        for value in headers.get(b"authorization", []):
            kind, _, key = value.partition(" ")
            if kind.lower() == "bearer":
                shown.append(key.strip())
        if len(shown) > 1:
            raise RefusedError(400, "usage", "there is more than one key", "send one, in one header")
        client = scope.get("client")
        try:
            return self._service.door.authenticate({"key": shown[0]} if shown else {}, client[0] if client else "")
        except AuthError as error:
            challenge = 'Bearer realm="aisbx"' + (', error="invalid_token"' if shown else "")
            raise RefusedError(401, error.code, error.message, error.hint, WWW_Authenticate=challenge) from None
        except AdmissionError as error:
            raise _limited(error) from None


def _headers(scope: "Scope") -> dict[bytes, list[str]]:
    found: dict[bytes, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(bytes(name).lower(), []).append(bytes(value).decode("latin-1"))
    return found


async def _body(scope: "Scope", headers: Mapping[bytes, list[str]], receive: "Receive") -> bytes | None:
    """Read the whole body; None where the client has gone."""
    too_large = RefusedError(413, "usage", f"a request has at most {BODY_BYTES} bytes", "write a large file in parts")
    for length in headers.get(b"content-length", []):
        if not length.isdigit() or len(length) > 12 or int(length) > BODY_BYTES:  # noqa: PLR2004 - digits
            raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while scope["method"] == "POST":
                message = await receive()
                if message["type"] != "http.request":
                    return None
                body += message.get("body", b"")
                if len(body) > BODY_BYTES:
                    raise too_large
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise RefusedError(408, "usage", f"a request takes at most {BODY_SECONDS:.0f} s to send") from None
    return bytes(body)


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
    headers = [(name, value) for name, value in scope["headers"] if bytes(name).lower() not in _SECRETS]
    # The SDK lets a session be used by whoever began it only; the token itself is none of its business.
    token = AccessToken(token="", client_id=principal.id, scopes=sorted(principal.scopes), subject=principal.id)
    return {**scope, "headers": headers, PRINCIPAL: principal, TAKEN: taken, "user": AuthenticatedUser(token)}


def _again(body: bytes, receive: "Receive") -> "Receive":
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> "Message":
        return waiting.pop() if waiting else await receive()

    return replay


async def _answer(refused: RefusedError, send: "Send") -> None:
    error = {"code": -32000, "message": refused.error["message"], "data": refused.error}
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
