"""What transports serve: the engine, what was allowed at the start, and the clients' rooms."""

import asyncio
import gc
import logging
import os
import shutil
import tempfile
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING

from aisbx.caches.tree import discard
from aisbx.engine import Engine
from aisbx.engine.door import Door
from aisbx.errors import AisbxError, StateError
from aisbx.hosting.principals import Presences, local
from aisbx.plan.run import new_run
from aisbx.types import Principal

from aisbx_mcp.ahead import make_ahead
from aisbx_mcp.lifeline import Lifeline
from aisbx_mcp.options import HOST, ServeOptions, request
from aisbx_mcp.room import Room

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aisbx_mcp.server import Server
    from aisbx_mcp.violations import Denied


class Service:
    """One for a server; its rooms belong to one principal each."""

    def __init__(self, options: ServeOptions, auth: str = "", *, shared: bool = False) -> None:
        """Read the settings; a directory or a process is made when it is needed. AisbxError for a sink there is not.

        `auth` names the authenticator; empty: whoever reaches the server is the user whom it runs as. `shared`: several
        clients may come, see `Door`.
        """
        self.options = options
        self.token = new_run()[:6]
        self.engine = Engine(os.environ, options.workspace or "/")
        if self.engine.settings.sinks:
            self.engine.sinks.ready()  # what cannot be had is said now
        self.door = Door(self.engine, HOST, auth, shared=shared)
        self.identify: Callable[[object], Principal] = _local
        """Whose a request of the SDK's is; set by transports that have several principals."""
        self.taken: Callable[[object, str], bool] = _not_taken
        """Whether a request was counted in a scope before the SDK had it."""
        self.scopes: dict[str, str] = {}
        """Tool → the scope that it needs."""
        self._rooms: dict[str, Room] = {}
        self.present = Presences()
        self._lifeline: Lifeline | None = None
        self._outputs = ""
        self.making = asyncio.Lock()
        """Held while a sandbox is made: what an engine knows of one request is not for two at once.

        Whoever waits for it takes no thread from those who wait for nobody.
        """
        self.server: Server
        """What speaks the protocol; set before it is served."""
        self.version: Callable[[Room, str], Awaitable[object]] = _unchanging
        """Gives what differs once the resource of a URI has changed; set by the server that offers them."""
        self.denied: Denied | None = None  # see `aisbx_mcp.violations`
        self._lock = Lock()
        self._closing: asyncio.Task[None] | None = None

    def enter(self) -> str:
        """Give where the local user's sandboxes work, and read what is kept of other starts; WorkspaceError else."""
        directory = self.options.workspace or self.room(local()).private
        self.engine.enter(request(self.options, directory, self.options.profile))
        return directory

    def begin(self, directory: str, *, sandbox: bool) -> None:
        """See whether sandboxes can be made, and have the local user's first `sandbox`; an AisbxError says why not."""
        room = self.room(local())
        real = self.name() if sandbox else ""
        if real:
            self.lifeline.tell("sandbox", real)
        try:
            make_ahead(self.options, directory, real)
        except AisbxError:
            self.lifeline.tell("forget", real)
            raise
        if real:
            room.adopt(real)

    def name(self) -> str:
        """Give a name for a sandbox that nobody else has."""
        return f"{self.prefix}{new_run()[:6]}"

    @property
    def prefix(self) -> str:
        """How the names of this server's sandboxes begin."""
        return f"mcp-{self.token}-"

    def room(self, principal: Principal) -> Room:
        """Give the room of a principal; StateError where the server is ending."""
        if self._closing is not None:
            raise StateError("the server is ending", hint="connect again")
        if principal.id not in self._rooms:
            self._rooms[principal.id] = Room(self, principal)
        return self._rooms[principal.id]

    async def sweep(self, idle: float) -> None:
        """End all that belongs to those who have sent nothing for `idle` seconds, or may not any more."""
        # Taken before anything is waited for: who comes back meanwhile begins anew.
        gone = [self._rooms.pop(who) for who in self.present.sweep(idle, self._stands) if who in self._rooms]
        if gone:
            await asyncio.gather(*(room.close() for room in gone))
            gc.collect()  # what ended holds descriptors until then: commands and interpreters know each other

    async def save(self) -> None:
        """Write down how far limits are used; where that cannot be, say so and go on."""
        try:
            await asyncio.to_thread(self.door.save())
        except AisbxError as error:
            logging.getLogger("aisbx").warning("%s; hint: %s", error.message, error.hint)

    def _stands(self, who: str) -> bool:
        try:
            return self.door.stands(Principal(who))
        except AisbxError:
            return True  # nobody is let in meanwhile, and whoever tries is recorded with the cause

    @property
    def lifeline(self) -> Lifeline:
        """The process that ends what this one leaves."""
        with self._lock:
            if self._lifeline is None:
                self._lifeline = Lifeline()
            return self._lifeline

    @property
    def outputs(self) -> str:
        """The directory of what commands print, where that is much."""
        lifeline = self.lifeline
        with self._lock:
            if not self._outputs:
                self._outputs = tempfile.mkdtemp(prefix="aisbx-mcp-out-")
                lifeline.tell("directory", self._outputs)
            return self._outputs

    def drop(self, process: str) -> None:
        """Forget what a command printed."""
        if self._outputs:
            shutil.rmtree(f"{self._outputs}/{process}", ignore_errors=True)

    def remove_directory(self, path: str) -> None:
        """Remove a private directory, also what a sandbox has closed in it, and tell the lifeline."""
        with suppress(OSError):
            discard(path)
        if not os.path.lexists(path):
            self.lifeline.tell("forget", path)

    def abandon(self) -> None:
        """End what there is where it was not served, or no more; nothing happens after `close`."""
        if self._lifeline is not None:
            self._lifeline.close()

    async def close(self) -> None:
        """End every client's sandboxes; may be called twice, and the second waits for the first."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        await asyncio.gather(*(room.close() for room in self._rooms.values()))
        await self.save()
        await asyncio.to_thread(self.door.close)
        if self.engine.settings.sinks:
            await asyncio.to_thread(self.engine.sinks.flush)
        if self._outputs:
            await asyncio.to_thread(self.remove_directory, self._outputs)
        if self._lifeline is not None:
            await asyncio.to_thread(self._lifeline.close)


def _not_taken(_request: object, _scope: str) -> bool:
    return False


def _local(_request: object) -> Principal:
    return local()


async def _unchanging(_room: Room, _uri: str) -> object:
    return None
