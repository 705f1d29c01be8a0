"""What a principal's clients want to be told: of which severity, and of which resources that change.

Both eras: a session says `logging/setLevel` and `resources/subscribe`; in 2026-07-28 one request, which is answered for
as long as it is wanted, names the resources (`subscriptions/listen`).
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import get_args

import anyio
from aisbx.errors import StateError
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp.types import LoggingLevel

from aisbx_mcp.room import Room

EVERY = 1.0
"""Seconds between two looks at what is watched, at least."""
SHARE = 10
"""A look at a file starts a process: all that is watched takes at most one of so many parts of the time."""
MOST = 256
"""Resources that one principal watches, and sessions that have said something."""
STREAMS = 64
_LEVELS: tuple[LoggingLevel, ...] = get_args(LoggingLevel)  # by severity, as RFC 5424 orders them
_PATIENCE = 5.0


@dataclass(slots=True)
class Said:
    """What a session has asked for."""

    level: LoggingLevel = "info"
    watched: dict[str, ServerSession] = field(default_factory=dict[str, ServerSession])


class Watching:
    """Of one principal, and used by one event loop."""

    def __init__(self, version: Callable[[str], Awaitable[object]]) -> None:
        """Watch by `version`, which gives for a URI what differs once that resource has changed."""
        self._version = version
        self._said: dict[str, Said] = {}
        self._count: dict[str, int] = {}
        self._seen: dict[str, object] = {}
        self._bus = InMemorySubscriptionBus()
        self._looking: asyncio.Task[None] | None = None
        self.listen = ListenHandler(self._bus, max_subscriptions=STREAMS)
        """Serves streams; what they name is watched only `over` that."""

    def set_level(self, session: str, level: LoggingLevel) -> None:
        """Have messages of a session from this severity on."""
        self._of(session).level = level

    def wants(self, session: str, level: LoggingLevel) -> bool:
        """Say whether a session has asked for messages of that severity."""
        said = self._said.get(session) or Said()
        return _LEVELS.index(level) >= _LEVELS.index(said.level)

    async def subscribe(self, session: str, uri: str, by: ServerSession) -> None:
        """Tell a session when a resource changes, until it does not want that any more; StateError for too many."""
        watched = self._of(session).watched
        if uri not in watched:
            await self._add(uri)
        watched[uri] = by

    def unsubscribe(self, session: str, uri: str) -> None:
        """Tell a session no more; nothing happens where it has not subscribed."""
        said = self._said.get(session)
        if said is not None and said.watched.pop(uri, None) is not None:
            self._drop(uri)

    @asynccontextmanager
    async def over(self, uris: Collection[str]) -> AsyncGenerator[None]:
        """Watch resources meanwhile; StateError for too many."""
        added: list[str] = []
        try:
            for uri in dict.fromkeys(uris):
                await self._add(uri)
                added.append(uri)
            yield
        finally:
            for uri in added:
                self._drop(uri)

    def close(self) -> None:
        """End every stream, and look no more."""
        self.listen.close()
        self._said.clear()
        self._count.clear()
        if self._looking is not None:
            self._looking.cancel()

    def _of(self, session: str) -> Said:
        said = self._said.pop(session, None) or Said()
        self._said[session] = said  # the last of all
        if len(self._said) > MOST:
            self._forget(next(iter(self._said)))
        return said

    def _forget(self, session: str) -> None:
        for uri in self._said.pop(session).watched:
            self._drop(uri)

    async def _add(self, uri: str) -> None:
        if uri not in self._count and len(self._count) >= MOST:
            raise StateError(f"{MOST} resources are watched already", hint="unsubscribe from some")
        self._count[uri] = self._count.get(uri, 0) + 1
        if self._count[uri] == 1:
            self._seen[uri] = await self._version(uri)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._look())

    def _drop(self, uri: str) -> None:
        left = self._count.get(uri, 1) - 1
        if left:
            self._count[uri] = left
        else:
            self._count.pop(uri, None)
            self._seen.pop(uri, None)

    async def _look(self) -> None:
        took = 0.0
        while self._count:
            await asyncio.sleep(max(EVERY, (SHARE - 1) * took))
            took = 0.0
            for uri in list(self._count):
                began = time.monotonic()
                now = await self._version(uri)
                took += time.monotonic() - began
                if uri in self._count and now != self._seen.get(uri, now):
                    await self._tell(uri)
                self._seen[uri] = now
                if uri not in self._count:
                    del self._seen[uri]

    async def _tell(self, uri: str) -> None:
        await self._bus.publish(ResourceUpdated(uri=uri))
        for session, said in list(self._said.items()):
            if by := said.watched.get(uri):
                gone = True
                with anyio.move_on_after(_PATIENCE), suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                    await by.send_resource_updated(uri)
                    gone = False
                if gone and session in self._said:
                    self._forget(session)


def watching_of(room: Room) -> Watching:
    """Give what a room's principal watches."""
    if room.watching is None:
        room.watching = Watching(lambda uri: room.service.version(room, uri))
    return room.watching


def session_of(request: object) -> str:
    """Give the session that a request of the SDK's is of; empty where there is but one, or none."""
    headers = getattr(request, "headers", None)
    return str(headers.get("mcp-session-id", "")) if headers is not None else ""
