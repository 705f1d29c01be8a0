"""The sandboxes of one client (a connection, or whoever a key belongs to), and what runs in them."""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from aisbx.engine.found import PAUSED, RUNNING
from aisbx.errors import AisbxError, NotFoundError, StateError
from aisbx.hosting.profiles import Offer, offer
from aisbx.plan.run import new_run
from aisbx.types import Command, Principal, ReleasableSandbox

from aisbx_mcp.box import Box
from aisbx_mcp.kernels.pool import Kernels
from aisbx_mcp.options import HOST, request
from aisbx_mcp.output import Output
from aisbx_mcp.running import KILL, Running

if TYPE_CHECKING:
    from aisbx_mcp.service import Service
    from aisbx_mcp.watching import Watching

DEFAULT = "default"
"""The sandbox that a call means which names none."""
_KEPT = 64
"""So many commands that have ended can still be asked for."""
DISK = 1 << 28
"""Bytes on disk that the output of a client's commands takes, beside that of those which run."""
_LAST = 10.0


class Room:
    """Nobody else sees these sandboxes."""

    def __init__(self, service: "Service", principal: Principal) -> None:
        """Make nothing yet."""
        self.service = service
        self.principal = principal
        self.boxes: dict[str, Box] = {}
        self.watching: Watching | None = None  # see `watching_of`
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # while somebody makes it
        self._begun: dict[str, asyncio.Task[Box]] = {}  # they go on when their maker does not wait any more
        self._ending: set[asyncio.Task[Sequence[str]]] = set()
        self._private = ""
        self._closed = False
        # Taken before anything is waited for, or several at once would all find the last place free.
        self._places = 0
        self._starting = 0

    async def box(self, name: str = DEFAULT) -> Box:
        """Give the sandbox of that name, made where it is the default one and is not there yet."""
        box = self.boxes.get(name)
        if box is not None and not self._is_there(box.real):
            await self.check(box)
        if name == DEFAULT:
            async with self._making.setdefault(name, asyncio.Lock()):
                await self._settled(name)
                return self.boxes.get(name) or await self._make(name, "")
        box = self.boxes.get(name)
        if box is None:
            known = ", ".join(sorted(self.boxes)) or "none yet"
            hint = f"sandbox_create makes it; there are: {known}"
            raise NotFoundError(f"there is no sandbox {name!r}", name=name, hint=hint)
        return box

    async def check(self, box: Box, hint: str = "") -> None:
        """Raise StateError where a sandbox has ended by itself, or was ended from outside; then it is forgotten."""
        found = await asyncio.to_thread(self.service.engine.sandboxes.look, box.real)
        if found.state in {RUNNING, PAUSED}:
            return
        if self.boxes.get(box.name) is box:  # else another call has found that before
            del self.boxes[box.name]
            self._end_aside(box)
        hint = hint or ("call again for a new one" if box.name == DEFAULT else "sandbox_create makes a new one")
        raise StateError(f"the sandbox {box.name} was ended from outside, with all that was in it", hint=hint)

    def adopt(self, real: str) -> None:
        """Have a sandbox that was made already as the default one."""
        self.boxes[DEFAULT] = self._open(DEFAULT, real)

    async def create(self, name: str, profile: str) -> Box:
        """Make a sandbox; StateError where it is there already, PolicyError for a profile that was not allowed."""
        async with self._making.setdefault(name, asyncio.Lock()):
            await self._settled(name)
            if name in self.boxes:
                hint = "sandbox_destroy it, or take another name"
                raise StateError(f"there is a sandbox {name!r} already", hint=hint)
            return await self._make(name, profile)

    async def destroy(self, name: str) -> Sequence[str]:
        """End a sandbox and all that runs in it; gives a line for each thing that it left for the host."""
        box = self.boxes.pop(name, None)
        if box is None:
            raise NotFoundError(f"there is no sandbox {name!r}", name=name, hint="see sandbox_list")
        return await asyncio.shield(self._end_aside(box))

    def _end_aside(self, box: Box) -> "asyncio.Task[Sequence[str]]":
        """End a sandbox in a task of its own, which goes on when whoever asked for it does not wait any more."""
        task = asyncio.ensure_future(self._end(box))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    async def run(self, box: Box, argv: Sequence[str], *, given: bytes | None, **how: "object") -> Running:
        """Start a command, see `Running`; `how` are the fields of `aisbx.types.Command`."""
        limit = self.service.options.commands
        alive = sum(one.lives for each in self.boxes.values() for one in each.running.values())
        if alive + self._starting >= limit:
            raise StateError(f"{limit} commands run already", hint="wait for one, or process_kill it")
        name = new_run()[:8]
        running = Running(name, box.name, Output(f"{self.service.outputs}/{name}"))
        command = Command(argv=tuple(argv), **how)  # pyright: ignore[reportArgumentType]  (its own fields)
        self._starting += 1
        try:
            await running.start(box.opened, command, self.principal, given)
        finally:
            self._starting -= 1
        box.running[name] = running
        self._forget_old(box)
        return running

    def _forget_old(self, box: Box) -> None:
        """Drop commands of a sandbox that ended long ago, and of all sandboxes as far as their output is too much."""
        ended = [one for one, each in box.running.items() if not each.lives]
        for one in ended[: max(0, len(ended) - _KEPT)]:
            self.service.drop(box.running.pop(one).id)
        every = [(each.began, one, each) for one in self.boxes.values() for each in one.running.values()]
        stored = sum(each.output.stored for _, _, each in every)
        for _, one, each in sorted(every, key=lambda row: row[0]):
            if stored <= DISK:
                return
            if not each.lives and each.output.stored:
                stored -= each.output.stored
                self.service.drop(one.running.pop(each.id).id)

    def find(self, process: str) -> Running:
        """Give a command by its id; StateError where there is none."""
        for box in self.boxes.values():
            if process in box.running:
                return box.running[process]
        raise NotFoundError(f"there is no process {process!r}", name=process, hint="see sandbox_list")

    async def close(self) -> None:
        """End everything; no more can be made."""
        self._closed = True
        if self.watching is not None:
            self.watching.close()
        boxes, self.boxes = [*self.boxes.values()], {}
        for box in boxes:
            self._end_aside(box)
        while under_way := {*self._begun.values(), *self._ending}:
            await asyncio.wait(under_way)
        if self._private:
            await asyncio.to_thread(self.service.remove_directory, self._private)
            self._private = ""

    @property
    def private(self) -> str:
        """The client's own directory, which ends with it."""
        if not self._private:
            # Not below the state directory: what aisbx keeps there may be no workspace.
            self._private = os.path.realpath(tempfile.mkdtemp(prefix="aisbx-mcp-"))
            self.service.lifeline.tell("directory", self._private)
        return self._private

    @property
    def profiles(self) -> Offer:
        """What sandboxes may be made by."""
        options = self.service.options
        return offer(self.principal, options.profile or self.service.engine.settings.profile, options.profiles)

    async def _make(self, name: str, profile: str) -> Box:
        if self._closed:
            raise StateError("the server is ending", hint="connect again")
        limit = self.service.options.sandboxes
        if len(self.boxes) + len(self._ending) + self._places >= limit:
            raise StateError(f"there are {limit} sandboxes already", hint="sandbox_destroy one")
        offered = self.profiles
        offered.check(profile, "mcp.profile")
        profile = offered.completed(profile)
        self._places += 1
        making = self._begun[name] = asyncio.ensure_future(self._made(name, profile))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            making.add_done_callback(self._unwanted)
            raise

    async def _made(self, name: str, profile: str) -> Box:
        try:
            async with self.service.making:
                box = await asyncio.to_thread(self._create, name, profile)
        finally:
            self._places -= 1
            del self._begun[name]
        return self._keep(name, box)

    async def _settled(self, name: str) -> None:
        """Wait for what is under way of that name, of a maker that does not wait any more: there is one of each."""
        if (making := self._begun.get(name)) is not None:
            await asyncio.wait({making})

    def _unwanted(self, making: "asyncio.Task[Box]") -> None:
        """End a sandbox whose maker does not wait any more; the default one is kept for the next call."""
        if making.cancelled() or making.exception() is not None:
            return
        box = making.result()
        if box.name != DEFAULT and self.boxes.get(box.name) is box:
            del self.boxes[box.name]
            self._end_aside(box)

    def _keep(self, name: str, box: Box) -> Box:
        """Have a sandbox that was made; one that came too late is ended."""
        if self._closed:
            self._end_aside(box)
            raise StateError("the server is ending", hint="connect again")
        if name in self.boxes:
            self._end_aside(box)
            raise StateError(f"a sandbox {name!r} was made at this moment", hint="use it, or take another name")
        self.boxes[name] = box
        return box

    def _create(self, name: str, profile: str) -> Box:
        service, who = self.service, self.principal
        real, options = service.name(), service.options
        own = who.workspace is None and options.workspace is None
        wanted = request(
            options,
            self.private if own else options.workspace or "",
            profile or who.profile or options.profile,
            who.workspace,
        )
        service.lifeline.tell("sandbox", real)  # before: a server that is killed meanwhile leaves a half-made one
        try:
            service.engine.sandboxes.create(wanted, self.principal, HOST, real)
            return self._open(name, real)
        except BaseException:
            if not self._forget(real):  # it was made, and has ended already
                with suppress(AisbxError):
                    service.engine.sandboxes.destroy(real, self.principal, HOST)
                self._forget(real)
            raise

    def _open(self, name: str, real: str) -> Box:
        opened = self.service.engine.sandboxes.open(real)
        if isinstance(opened.sandbox, ReleasableSandbox):
            opened.sandbox.warm()
        kernels = Kernels(opened, self.principal, self.service.options.preload)
        record = opened.record
        return Box(name, real, record.profile, record.workspace or "/", opened, kernels)

    async def _end(self, box: Box) -> Sequence[str]:
        kills = [running.signal(KILL) for running in box.running.values()]
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(box.kernels.close(), *kills, return_exceptions=True), _LAST)
        findings = await asyncio.to_thread(self._destroy, box)
        for running in box.running.values():
            with suppress(TimeoutError):
                await running.wait(_LAST)
            self.service.drop(running.id)
        box.opened.release()  # what the last of them gave back
        return findings

    def _destroy(self, box: Box) -> Sequence[str]:
        service = self.service
        box.opened.release()
        try:
            findings = service.engine.sandboxes.destroy(box.real, self.principal, HOST, keep=True) or []
        except AisbxError as error:
            return [f"{error.message}; hint: {error.hint}"]  # the lifeline tries again
        if not self._forget(box.real):
            findings = [*findings, f"changes were not applied; on the host, see: aisbx diff {box.real}"]
        return findings

    def _forget(self, real: str) -> bool:
        """Tell the lifeline of one that has ended; tells whether nothing of it is left."""
        if self._is_there(real):
            return False
        self.service.lifeline.tell("forget", real)
        if self.service.denied is not None:
            self.service.denied.forget(real)
        return True

    def _is_there(self, real: str) -> bool:
        return real in self.service.engine.sandboxes.names()
