"""The request that is sent most, `POST .../exec`, without the way through the framework to its route.

That way takes longer than all that is done there. What is not just in the form that nearly all have is the route's,
and has not been touched then; what is done, and how it is answered, is the same.
"""

import re
from typing import TYPE_CHECKING

from aisbx.errors import AisbxError
from aisbx.hosting.requests import again
from pydantic import ValidationError

from aisbx_supervisor.asked import PRINCIPAL, Asked
from aisbx_supervisor.models import Exec
from aisbx_supervisor.problems import failed, refused
from aisbx_supervisor.routes.running import perform

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from aisbx_supervisor.service import Service

_JSON = b"application/json"
_ANY = frozenset({b"*/*", _JSON})


class Direct:
    """An ASGI application between the front and the one with the routes."""

    def __init__(self, app: "ASGIApp", service: "Service", api: str) -> None:
        """Serve with `app` what is not to be served here; paths begin with `api`."""
        self._app = app
        self._service = service
        self._path = re.compile(re.escape(api) + r"/sandboxes/([^/]+)/exec")
        self._route = _Route(f"{api}/sandboxes/{{name}}/exec")

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Serve a request that the front has let in."""
        if scope["type"] != "http" or scope["method"] != "POST" or not _plain(scope):
            await self._app(scope, receive, send)
            return
        found = self._path.fullmatch(scope["path"])
        message = await receive() if found else None
        if found is None or message is None:
            await self._app(scope, receive, send)
            return
        body: bytes = message.get("body", b"")
        try:
            asked = Exec.model_validate_json(body)
        except ValidationError:
            await self._app(scope, again(body, receive), send)
            return
        scope["route"] = self._route
        service = self._service
        try:
            response = await perform(Asked(service, scope[PRINCIPAL]), found[1], asked)
        except AisbxError as error:
            response = refused(service.metrics, error)
        except Exception as error:  # noqa: BLE001 - as for every route
            response = failed(service.metrics, error)
        await response(scope, receive, send)


class _Route:
    """What says which route was taken."""

    def __init__(self, path: str) -> None:
        self.path = path


def _plain(scope: "Scope") -> bool:
    """Tell whether nothing is said of a request but that its body is JSON."""
    if scope.get("query_string") or scope.get("root_path"):
        return False
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    accepted = [value for name, value in scope["headers"] if name == b"accept"]
    return kinds == [_JSON] and all(value in _ANY for value in accepted)
