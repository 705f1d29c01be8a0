"""What routes have in common: who asks, whether they may, and which sandbox is meant."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aisbx.errors import UsageError
from aisbx.hosting.requests import RefusedError
from fastapi import Request, WebSocket

if TYPE_CHECKING:
    from aisbx.types import Principal

    from aisbx_supervisor.service import Service

PRINCIPAL = "aisbx.principal"
"""Where a request's scope says whose it is."""


class Asked:
    """One request."""

    def __init__(self, service: "Service", who: "Principal") -> None:
        """Take what the front has found out."""
        self.service = service
        self.who = who

    @contextmanager
    def may(self, scope: str, what: str) -> Generator[None]:
        """Do something (`what`) that needs a scope of the key; an AisbxError says why not."""
        with self.service.door.enter(self.who, scope, what):
            yield

    def box(self, name: str) -> str:
        """Give the real name of a sandbox of theirs; NotFoundError where they have none of that name."""
        return self.service.boxes.find(self.who, name)


@contextmanager
def as_it_stands() -> Generator[None]:
    """Say of what is asked for in the right form, and cannot be done as things stand, that this is a conflict."""
    try:
        yield
    except UsageError as error:
        raise RefusedError(409, error.code, error.message, error.hint) from error


async def asked(request: Request) -> Asked:
    """Give it to a route; a coroutine, for FastAPI hands what is none to a thread."""
    return asked_by(request)


def asked_by(connection: Request | WebSocket) -> Asked:
    """Give what the front has found out of a connection."""
    return Asked(connection.app.state.service, connection.scope[PRINCIPAL])
