"""What transports serve: the engine, what was allowed at the start, and the clients' rooms."""

import asyncio
import os
import shutil
import tempfile
from threading import Lock

from aisbx.engine import Engine
from aisbx.plan.run import new_run
from aisbx.types import Network, NetworkMode, Principal, RunRequest, WorkspaceMode, WorkspaceRequest

from aisbx_mcp.lifeline import Lifeline
from aisbx_mcp.options import ServeOptions
from aisbx_mcp.room import Room


class Service:
    """One for a server; its rooms belong to one principal each."""

    def __init__(self, options: ServeOptions) -> None:
        """Read the settings; a directory or a process is made when it is needed."""
        self.options = options
        self.token = new_run()[:6]
        self.engine = Engine(os.environ, options.workspace or "/")
        self._rooms: dict[str, Room] = {}
        self._lifeline: Lifeline | None = None
        self._outputs = ""
        self.making = Lock()
        """Held while a sandbox is made: what an engine knows of one request is not for two at once."""
        self._lock = Lock()
        self._closing: asyncio.Task[None] | None = None

    def check(self) -> None:
        """Raise the AisbxError that would keep a client's sandbox from being made."""
        options = self.options
        directory = options.workspace or tempfile.mkdtemp(prefix="aisbx-mcp-")
        try:
            for profile in (options.profile, *options.profiles):
                request = self.request(directory, profile)
                self.engine.enter(request)
                self.engine.admit(request, local())
        finally:
            if options.workspace is None:
                os.rmdir(directory)

    def request(self, workspace: str, profile: str) -> RunRequest:
        """Give what a sandbox is made by."""
        options = self.options
        mode = WorkspaceMode(options.mode) if options.mode else None
        return RunRequest(
            command=(),
            cwd=workspace,
            profile=(profile,) if profile else (),
            driver=options.driver,
            workspace=WorkspaceRequest(workspace, mode),
            network=Network(NetworkMode(options.network)),
        )

    def room(self, principal: Principal) -> Room:
        """Give the room of a principal."""
        return self._rooms.setdefault(principal.id, Room(self, principal))

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
        """Remove a private directory, and tell the lifeline."""
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.lexists(path):
            self.lifeline.tell("forget", path)

    async def close(self) -> None:
        """End every client's sandboxes; may be called twice, and the second waits for the first."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        await asyncio.gather(*(room.close() for room in self._rooms.values()))
        if self._outputs:
            await asyncio.to_thread(self.remove_directory, self._outputs)
        if self._lifeline is not None:
            await asyncio.to_thread(self._lifeline.close)


def local() -> Principal:
    """Give the user whom the server runs as."""
    return Principal(f"uid:{os.geteuid()}")
