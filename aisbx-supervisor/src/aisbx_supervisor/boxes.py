"""The sandboxes, as each principal sees them: their own by the names they gave, all of them for who has `admin`."""

import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from aisbx.engine.found import Found
from aisbx.engine.inside import Inside
from aisbx.engine.opened import Opened
from aisbx.errors import NotFoundError, PolicyError, StateError, UsageError
from aisbx.hosting.profiles import Offer, offer
from aisbx.plan.run import new_run
from aisbx.store import Record, Store
from aisbx.types import Principal, ReleasableSandbox

from aisbx_supervisor import amounts
from aisbx_supervisor.options import HOST, Wanted, to_request
from aisbx_supervisor.places import Places
from aisbx_supervisor.pools import NAME as POOLED

if TYPE_CHECKING:
    from aisbx_supervisor.service import Service

_KEY = "key:"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,49}", re.ASCII)
_IDLE = 60.0
"""Seconds after which what makes further commands of a sandbox fast is let go."""


@dataclass(slots=True)
class _Entry:
    opened: Opened
    mark: tuple[int, int]
    used: float


class Boxes:
    """Any number of threads may use them."""

    def __init__(self, service: "Service") -> None:
        """Open nothing yet."""
        self._service = service
        self._open: dict[str, _Entry] = {}
        self._lock = Lock()
        self.places = Places(service.options.workspaces)

    # -- names

    def real(self, who: Principal, name: str) -> str:
        """Give the name that a sandbox of theirs has for everybody; UsageError for what can be none."""
        if not _NAME.fullmatch(name):
            hint = "use a-z, 0-9, '-', '_' and '.', at most 50 of them, first a letter or digit"
            raise UsageError(f"{name!r} is not a name for a sandbox", hint=hint)
        return f"{prefix(who)}{name}"

    def shown(self, who: Principal, real: str) -> str:
        """Give a sandbox's name as they wrote it; that of another's is the whole one."""
        return real.removeprefix(prefix(who))

    def find(self, who: Principal, name: str) -> str:
        """Give the real name of a sandbox that they may use; NotFoundError where they have none of that name."""
        store = self.store
        own = f"{prefix(who)}{name}"
        every = "admin" in who.scopes
        if _NAME.fullmatch(name) and store.exists(own) and ((every and own == name) or self._is_theirs(who, own)):
            return own
        if name.startswith(POOLED) and _NAME.fullmatch(name) and store.exists(name) and self._is_theirs(who, name):
            return name
        if every and len(name) <= _LONGEST and store.exists(name):
            return name
        raise NotFoundError(f"there is no sandbox {name[:64]!r}", name=name, hint="GET /api/v1/sandboxes lists yours")

    def called(self, who: Principal, name: str) -> frozenset[str]:
        """Give the real names that a sandbox may have which they have, or had: what is known of it outlives it."""
        with suppress(NotFoundError):
            return frozenset({self.find(who, name)})
        whole = name.startswith(POOLED) or "admin" in who.scopes
        return frozenset({f"{prefix(who)}{name}", *([name] if whole else [])})

    def names(self, who: Principal, *, every: bool) -> list[str]:
        """Give the real names of theirs, in the order of what they call them.

        Of `every` one for who has `admin`, PolicyError for others.
        """
        if every:
            if "admin" not in who.scopes:
                raise PolicyError("scope.admin: this key sees its own sandboxes only", hint="leave out all=true")
            return self.store.names()
        # By what they call them: one that was made before they asked has a name unlike their others'.
        return sorted((name for name in self.store.names() if self._is_theirs(who, name)), key=partial(self.shown, who))

    def _is_theirs(self, who: Principal, real: str) -> bool:
        if who.id.startswith(_KEY) and not real.startswith(POOLED):
            return real.startswith(prefix(who))
        try:
            record = self.store.read(real)
        except StateError:
            return "admin" in who.scopes
        if record is None:
            return not real.startswith(POOLED)
        return record.principal == who.id

    @property
    def store(self) -> Store:
        """What is on disk."""
        return Store(self._service.engine.state)

    # -- lives

    def create(self, who: Principal, name: str, wanted: Wanted, *, profile: str, ttl: float, idle: float) -> str:
        """Make a sandbox by the profile that was asked for and give its real name; an AisbxError says why not."""
        service = self._service
        self.profiles(who).check(profile, "rest.profile")
        options = service.options
        usual = wanted.profile or options.profile or service.engine.settings.profile
        if not (name or ttl or idle) and wanted == Wanted(profile=wanted.profile, environment={}, limits={}):
            self._refuse_more(who)
            if taken := service.pools.take(who, usual):
                return taken
        name = name or f"box-{new_run()[:8]}"
        real = self.real(who, name)
        with service.making:
            self._refuse_more(who)
            if self.store.exists(real):
                raise StateError(f"there is a sandbox {name!r} already", hint="destroy it, or take another name")
            private = who.workspace is None and options.workspace is None
            directory = self._place(real) if private else options.workspace or ""
            try:
                request = to_request(options, wanted, directory)
                amounts.check(service.engine, request)
                service.engine.sandboxes.create(request, who, HOST, real, ttl, idle)
            except BaseException:
                if private and not self.store.exists(real):
                    self.places.drop(real)
                raise
        return real

    def _place(self, real: str) -> str:
        """Make the private workspace of a sandbox that is to be made; what a killed service has left there goes."""
        left = self.places.root / real
        if left.exists() and str(left) not in self.workspaces():
            self.places.drop(real)
        return self.places.make(real)

    def fork(self, who: Principal, real: str, name: str, *, tag: str, ttl: float) -> dict[str, object]:
        """Make another sandbox of theirs from one, and give it as data."""
        service = self._service
        new = self.real(who, name or f"box-{new_run()[:8]}")
        with service.making:
            self._refuse_more(who)
            service.engine.snapshots.fork(real, new, who, HOST, tag=tag, ttl=ttl)
        return row(self.look(new), self.shown(who, new))

    def _refuse_more(self, who: Principal) -> None:
        most = self._service.options.sandboxes
        if len(self.names(who, every=False)) >= most:
            raise StateError(f"there are {most} sandboxes already", hint="destroy one")

    def destroy(self, who: Principal, real: str, *, discard: bool) -> list[str]:
        """End a sandbox; gives a line for each thing that was found planted for the host."""
        self.release(real)
        findings = self._service.engine.sandboxes.destroy(real, who, HOST, discard=discard) or []
        if not self.store.exists(real) and str(self.places.root / real) not in self.workspaces():
            self.places.drop(real)
        return findings

    def workspaces(self) -> "set[str | None]":
        """Give the directories that sandboxes work in; None for none."""
        found: set[str | None] = set()
        for name in self.store.names():
            try:
                record = self.store.read(name)
            except StateError:
                record = None
            # One that is half made works in that of its own name.
            found.add(record.workspace if record is not None else str(self.places.root / name))
        return found

    def profiles(self, who: Principal) -> Offer:
        """Give what they may have sandboxes made by."""
        options = self._service.options
        return offer(who, options.profile or self._service.engine.settings.profile, options.profiles)

    # -- use

    def opened(self, real: str) -> Opened:
        """Give a sandbox that is there, opened for many commands; StateError where it has ended."""
        store = self.store
        mark = store.mark(real)
        with self._lock:
            entry = self._open.get(real)
            if entry is not None and entry.mark == mark:
                entry.used = time.monotonic()
                return entry.opened
        opened = self._service.engine.sandboxes.open(real)
        if mark is None:
            raise StateError(f"the sandbox {real!r} was destroyed at this moment", hint="make it anew")
        with self._lock:
            old = self._open.get(real)
            if old is not None and old.mark == mark:  # somebody else was first
                return old.opened
            self._open[real] = _Entry(opened, mark, time.monotonic())
        if old is not None:
            old.opened.release()
        return opened

    def inside(self, real: str) -> Inside:
        """Give what else can be done with a sandbox."""
        opened = self.opened(real)
        return Inside(self._service.engine, opened.record, opened.sandbox)

    def release(self, real: str) -> None:
        """Let a sandbox go; it can be used again."""
        with self._lock:
            entry = self._open.pop(real, None)
        if entry is not None:
            entry.opened.release()

    def forget(self) -> None:
        """Let all go: they are opened anew, with the settings as they are then. What runs goes on."""
        for real in list(self._open):
            self.release(real)

    def relax(self) -> None:
        """Let go what makes commands fast, of those that nobody has used for a while."""
        now = time.monotonic()
        for real, entry in list(self._open.items()):
            if now - entry.used > _IDLE and isinstance(entry.opened.sandbox, ReleasableSandbox):
                self.release(real)

    def look(self, real: str) -> Found:
        """Give a sandbox as it is now."""
        return self._service.engine.sandboxes.look(real)


_LONGEST = 63


def prefix(who: Principal) -> str:
    """Give how the real names of a principal's sandboxes begin: keys have namespaces of their own."""
    return f"{who.id.removeprefix(_KEY)}." if who.id.startswith(_KEY) else ""


def row(found: Found, name: str) -> dict[str, object]:
    """Give a sandbox as data, under the name that whoever asks knows."""
    record: Record | None = found.record
    end = found.end
    return {
        "name": name,
        "id": found.name,
        "state": found.state,
        "problem": found.problem or None,
        "principal": record.principal if record else None,
        "profile": record.profile if record else None,
        "driver": record.driver if record else None,
        "workspace": record.workspace if record else None,
        "mode": record.mode if record else None,
        "network": record.network if record else None,
        "created": record.created if record else None,
        "until": found.until,
        "idle_ttl": record.idle or None if record else None,
        "monitored": record.monitored if record else None,
        "unwatched": record.unwatched or None if record else None,
        "end": {"reason": end.reason, "time": end.time, "findings": end.findings} if end else None,
    }


def paths(given: Sequence[str]) -> list[str]:
    """Give paths as they are; UsageError for one with a NUL."""
    for path in given:
        if "\0" in path:
            raise UsageError("a path has no NUL", hint="leave it out")
    return [os.fspath(path) for path in given]
