"""Sandboxes that are made before somebody asks: of each profile that was named so many wait, and belong to nobody yet.

One is given to whoever asks for a sandbox of that profile and nothing else: no name, no time, no limit, no variable.
"""

import asyncio
import logging
from collections import deque
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING

from aisbx.engine.found import RUNNING
from aisbx.engine.giving import give
from aisbx.engine.watching import by_default
from aisbx.errors import AisbxError, StateError
from aisbx.plan.run import new_run
from aisbx.store import Record
from aisbx.types import Principal

from aisbx_supervisor.options import HOST, Wanted, to_request

if TYPE_CHECKING:
    from aisbx_supervisor.service import Service

NAME = "pool-"
"""How their names begin; no key's sandboxes have such names."""
NOBODY = Principal("pool")
_EVERY = 1.0


class Pools:
    """Of one service; any thread may take."""

    def __init__(self, service: "Service") -> None:
        """Make nothing yet."""
        self._service = service
        self._sizes = dict(service.options.pools)
        self._waiting: dict[str, deque[str]] = {profile: deque() for profile in self._sizes}
        self._lock = Lock()
        self.problem = ""
        """Why none could be made the last time, as a code; empty where they could."""

    def waiting(self) -> dict[str, int]:
        """Give how many wait, by profile."""
        return {profile: len(names) for profile, names in self._waiting.items()}

    def take(self, who: Principal, profile: str) -> str:
        """Give one to somebody; gives its name, empty where none waits."""
        while True:
            with self._lock:
                names = self._waiting.get(profile)
                if not names:
                    return ""
                name = names.popleft()
            try:
                if self._service.engine.sandboxes.look(name).state == RUNNING:
                    give(self._service.engine, name, NOBODY, who, HOST)
                    return name
            except StateError as error:
                _log.warning("%s; hint: %s", error.message, error.hint)
            except AisbxError:  # a policy says no: of that one, and not of the sandbox
                with self._lock:
                    names.append(name)
                raise
            self._drop(name)

    async def run(self) -> None:
        """See again and again that enough wait."""
        while True:
            try:
                await self._service.aside(self._fill)
                self.problem = ""
            except AisbxError as error:
                self.problem = error.code
                _log.warning("no sandbox can be made for a pool: %s; hint: %s", error.message, error.hint)
            await asyncio.sleep(_EVERY)

    def clear(self) -> None:
        """End those that wait: they were made by settings that hold no more."""
        for names in self._waiting.values():
            while names:
                with self._lock:
                    name = names.popleft() if names else ""
                if name:
                    self._drop(name)

    def lose(self, name: str, profile: str) -> None:
        """Remove one that has ended before anybody asked for it; another takes its place."""
        with self._lock, suppress(KeyError, ValueError):
            self._waiting[profile].remove(name)
        self._drop(name)

    def adopt(self) -> None:
        """Take over what an earlier service has left waiting, where it is what this one would make."""
        store = self._service.boxes.store
        for name in store.names():
            if not name.startswith(NAME):
                continue
            try:
                record = store.read(name)
            except StateError:
                continue  # told where sandboxes are looked at
            if record is None or record.principal != NOBODY.id:
                continue
            names = self._waiting.get(record.profile)
            if names is None or len(names) >= self._sizes[record.profile] or not self._as_now(record):
                self._drop(name)
            else:
                names.append(name)

    def _as_now(self, record: Record) -> bool:
        """Tell whether it is what would be made now: options and settings may have been others when it was made."""
        service, options = self._service, self._service.options
        private = str(service.boxes.places.root / record.name)
        directory = private if options.workspace is None else options.workspace
        request = to_request(options, _wanted(record.profile), directory)
        try:
            service.engine.enter(request)
            admitted = service.engine.admit(request, NOBODY)
            spec, _ = by_default(admitted.driver, admitted.request, admitted.spec)
            return (admitted.driver.name, spec) == (record.driver, service.boxes.store.spec(record.name))
        except AisbxError:
            return False

    def _fill(self) -> None:
        for profile, size in self._sizes.items():
            while len(names := self._waiting[profile]) < size:
                engine, name = self._service.engine, self._make(profile)
                with self._lock:
                    if self._service.engine is engine:
                        names.append(name)
                        continue
                self._drop(name)  # settings were read anew meanwhile

    def _make(self, profile: str) -> str:
        service, name = self._service, f"{NAME}{new_run()}"
        options = service.options
        with service.making:
            private = options.workspace is None
            directory = service.boxes.places.make(name) if private else options.workspace or ""
            try:
                request = to_request(options, _wanted(profile), directory)
                service.engine.sandboxes.create(request, NOBODY, HOST, name)
            except BaseException:
                if private:
                    service.boxes.places.drop(name)
                raise
        return name

    def _drop(self, name: str) -> None:
        try:
            self._service.boxes.destroy(NOBODY, name, discard=True)
        except AisbxError as error:
            _log.warning("%s; hint: %s", error.message, error.hint)


def _wanted(profile: str) -> Wanted:
    return Wanted(profile=profile, environment={}, limits={})


_log = logging.getLogger("aisbx")
