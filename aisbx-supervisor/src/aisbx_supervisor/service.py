"""What requests are served with: the engine, the door, the sandboxes that are open, and what is looked after."""

import asyncio
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Lock
from typing import TypeVar

from aisbx.engine import Engine
from aisbx.engine.door import Door
from aisbx.errors import AisbxError
from aisbx.hosting.principals import Presences, local
from aisbx.types import Principal, RunRequest

from aisbx_supervisor.boxes import Boxes
from aisbx_supervisor.health import Health
from aisbx_supervisor.metrics import Metrics
from aisbx_supervisor.once import Once
from aisbx_supervisor.options import HOST, ServeOptions, Wanted, to_request
from aisbx_supervisor.pools import Pools
from aisbx_supervisor.reaper import Reaper

T = TypeVar("T")
_THREADS = 256
"""So many commands may be waited for at once."""
_SWEEP = 2.0
"""Seconds between two looks at who may not stay."""


class Service:
    """One for a server. What it keeps in memory can be lost: sandboxes and what is known of them are on disk."""

    def __init__(self, options: ServeOptions) -> None:
        """Read the settings; an AisbxError says what is wrong with them."""
        self.options = options
        self.engine, self.door = self._read()
        self.boxes = Boxes(self)
        self.metrics = Metrics(self)
        self.health = Health(self)
        self.once = Once(self.engine.state / "supervisor" / "once")
        self.reaper = Reaper(self)
        self.pools = Pools(self)
        self.connections: Callable[[], int] = int
        """How many there are."""
        self.routes: dict[str, None] = {}
        """The paths that are served, as templates, in their order; set by the application."""
        self._patterns: list[tuple[re.Pattern[str], str]] = []
        self.streams: Counter[str] = Counter()
        """How many listen to each process."""
        self.ending = asyncio.Event()
        """Set when it is to end: what would stream for ever stops."""
        self.making = Lock()
        """Held while a sandbox is made: what an engine knows of one request is not for two at once."""
        self._threads = ThreadPoolExecutor(_THREADS, "aisbx")
        self.present = Presences()
        self._tasks: list[asyncio.Task[None]] = []

    def _read(self) -> tuple[Engine, Door]:
        engine = Engine(os.environ, self.options.workspace or "/")
        if engine.settings.sinks:
            engine.sinks.ready()  # what cannot be had is said now
        return engine, Door(engine, HOST, self.options.auth, shared=True)

    def check(self, engine: Engine | None = None) -> None:
        """See that a sandbox could be made, as the server's profiles say; an AisbxError says why not."""
        engine = engine or self.engine
        for profile in (self.options.profile, *self.options.profiles, *(name for name, _ in self.options.pools)):
            request = self.usual(profile)
            engine.enter(request)
            engine.admit(request, local())

    def usual(self, profile: str) -> RunRequest:
        """Give what a sandbox of a profile is made by for whoever asks for nothing else; StateError as of `probe`."""
        wanted = Wanted(profile=profile, environment={}, limits={})
        return to_request(self.options, wanted, self.options.workspace or self.boxes.places.probe())

    def route_of(self, path: str, taken: str = "") -> str:
        """Give the template of a path, `other` for one that is not served; `taken` is that of the route that was."""
        if taken in self.routes:
            return taken
        if not self._patterns:
            self._patterns = [(re.compile(re.sub(r"\{[^}]*\}", "[^/]+", one)), one) for one in self.routes]
        return next((route for pattern, route in self._patterns if pattern.fullmatch(path)), "other")

    def begin(self) -> None:
        """Begin to look after things; called in the loop."""
        self.pools.adopt()
        self.metrics.begin()
        works = [self._sweep, self.reaper.run, self.metrics.watch, self.pools.run]
        self._tasks = [asyncio.ensure_future(_lasting(work)) for work in works]

    async def reload(self) -> None:
        """Read the settings anew; what runs goes on as it was begun. An AisbxError says why all stays as it was."""
        await self.aside(self.door.save())
        engine, door = await self.aside(self._read)
        try:
            await self.aside(lambda: self.check(engine))
        except AisbxError:
            self._threads.submit(door.close)
            raise
        old_engine, old_door = self.engine, self.door
        self.engine, self.door = engine, door
        self._threads.submit(old_door.close)  # nobody waits for whoever is alerted
        if old_engine.settings.sinks:
            self._threads.submit(old_engine.sinks.flush)
        await self.aside(self.boxes.forget)
        await self.aside(self.pools.clear)

    def reload_aside(self) -> None:
        """Do that without anybody who waits."""

        async def reload() -> None:
            try:
                await self.reload()
                _log.warning("settings were read anew")
            except AisbxError as error:
                _log.warning("settings stay as they were: %s; hint: %s", error.message, error.hint)

        self._tasks.append(asyncio.ensure_future(reload()))

    async def aside(self, work: Callable[[], T]) -> T:
        """Do something that blocks in a thread; cancelled, it is done all the same."""
        # What is told meanwhile belongs to the request that is served here.
        context = copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: context.run(work))

    async def at_once(self, work: Callable[[], T]) -> T:
        """Do something short in a thread that is there also where every other one waits for a command."""
        return await asyncio.to_thread(work)

    @property
    def waiting(self) -> int:
        """How many have no thread yet."""
        return self._threads._work_queue.qsize()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    def stands(self, principal: str) -> bool:
        """Say whether somebody who was let in earlier still would be."""
        try:
            return not principal.startswith("key:") or self.door.stands(Principal(principal))
        except AisbxError:
            return True  # nobody is let in meanwhile, and whoever tries is recorded with the cause

    def drain(self) -> None:
        """Have what would stream for ever stop."""
        self.ending.set()

    async def close(self) -> None:
        """Write down what is known; sandboxes stay."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._save()
        await self.at_once(self.door.close)
        if self.engine.settings.sinks:
            await self.at_once(self.engine.sinks.flush)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP)
            self.present.sweep(0, self.stands)
            await self._save()

    async def _save(self) -> None:
        try:
            await self.at_once(self.door.save())
        except AisbxError as error:
            _log.warning("%s; hint: %s", error.message, error.hint)


async def _lasting(work: Callable[[], Coroutine[None, None, None]]) -> None:
    """Have something be looked after, whatever goes wrong with it: nobody waits for it who could be told."""
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001 - it is told, and nothing else is looked after
            _log.exception("what the service looks after failed, and is begun anew")
        await asyncio.sleep(_SWEEP)


_log = logging.getLogger("aisbx")
