"""How the service is: each check looks at the real thing, and says when it last did."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

from aisbx.errors import AisbxError
from aisbx.paths import ensure_private

if TYPE_CHECKING:
    from aisbx_supervisor.service import Service

HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"
_KEPT = 5.0
"""Seconds for which what was found holds."""
_LEAST, _LOW = 64 << 20, 512 << 20
"""Free bytes below which nothing can be kept, and below which it is told."""
_STEP = 5.0
"""Seconds by which the clock may have been set since the last look."""
_YEAR = 2024


@dataclass(frozen=True, slots=True)
class Finding:
    """Of one check."""

    name: str
    status: str
    message: str
    time: float

    def as_record(self) -> dict[str, str]:
        """Give it as data."""
        return {"name": self.name, "status": self.status, "message": self.message, "lastRun": stamp(self.time)}


class Health:
    """One for a service; any thread may ask."""

    def __init__(self, service: "Service") -> None:
        """Look at nothing yet."""
        self._service = service
        self._lock = Lock()
        self._found: list[Finding] = []
        self._at = -_KEPT
        self._offset = time.time() - time.monotonic()

    def look(self) -> tuple[str, dict[str, object]]:
        """Give the status of all, and all as data; what was found within the last seconds is given again."""
        with self._lock:
            if time.monotonic() - self._at >= _KEPT:
                self._found = list(self._all())
                self._at = time.monotonic()
            found = self._found
        worst = max((one.status for one in found), key=[HEALTHY, DEGRADED, UNHEALTHY].index)
        last = max(one.time for one in found)
        checks = {one.name: one.as_record() for one in found}
        return worst, {"status": worst, "lastCheck": stamp(last), "checks": checks}

    def _all(self) -> Iterator[Finding]:
        checks: dict[str, Callable[[], tuple[str, str]]] = {
            "drivers": self._drivers,
            "state": self._state,
            "disk": self._disk,
            "audit": self._audit,
            "keys": self._keys,
            "sinks": self._sinks,
            "pool": self._pool,
            "clock": self._clock,
        }
        for name, check in checks.items():
            try:
                status, message = check()
            except (AisbxError, OSError) as error:
                # A path would say more than whoever may look without a key needs to know.
                said = error.strerror if isinstance(error, OSError) else getattr(error, "code", "")
                status, message = UNHEALTHY, f"failed: {said or type(error).__name__}"
            yield Finding(name, status, message, time.time())

    def _drivers(self) -> tuple[str, str]:
        engine = self._service.engine
        chosen = self._service.options.driver or engine.settings.driver
        works = {name: engine.driver(name).probe().usable for name in engine.plugins.names("driver")}
        told = ", ".join(f"{name} {'works' if fine else 'does not work'}" for name, fine in works.items())
        usable = works.get(chosen, False) if chosen != "auto" else any(works.values())
        return (HEALTHY if usable else UNHEALTHY), told or "none is installed"

    def _state(self) -> tuple[str, str]:
        with tempfile.TemporaryFile(dir=ensure_private(self._service.engine.state)) as file:
            file.write(b"\0" * 4096)
            file.flush()
        return HEALTHY, "writable"

    def _disk(self) -> tuple[str, str]:
        places = [self._service.engine.state, self._service.boxes.places.root]
        free = min(shutil.disk_usage(place).free for place in places if os.path.isdir(place))
        status = UNHEALTHY if free < _LEAST else DEGRADED if free < _LOW else HEALTHY
        return status, f"{free >> 20} MiB free"

    def _audit(self) -> tuple[str, str]:
        from aisbx.audit.reserve import opened

        opened(self._service.engine.audit).close()
        return HEALTHY, "records can be written"

    def _keys(self) -> tuple[str, str]:
        from aisbx.engine.door import ANYBODY

        self._service.door.stands(ANYBODY)
        return HEALTHY, "readable" if self._service.options.auth else "none is asked for"

    def _sinks(self) -> tuple[str, str]:
        engine = self._service.engine
        if not engine.settings.sinks:
            return HEALTHY, "none is set"
        engine.sinks.ready()
        return HEALTHY, f"{len(engine.settings.sinks)} loaded"

    def _pool(self) -> tuple[str, str]:
        """Say how many wait for a thread, and of sandboxes that are made ahead how many wait for who asks."""
        service = self._service
        waiting, ready, problem = service.waiting, service.pools.waiting(), service.pools.problem
        told = [f"{waiting} requests wait for a thread"]
        told += [f"{ready[name]} of {size} sandboxes of {name} wait" for name, size in service.options.pools]
        told += [f"none can be made: {problem}"] if problem else []
        return (DEGRADED if waiting or problem else HEALTHY), "; ".join(told)

    def _clock(self) -> tuple[str, str]:
        offset = time.time() - time.monotonic()
        step, self._offset = offset - self._offset, offset
        if datetime.now(UTC).year < _YEAR:
            return DEGRADED, "it is not set"
        if abs(step) > _STEP:
            return DEGRADED, f"it was set by {step:.0f} s since the last look"
        return HEALTHY, "it runs evenly"


def stamp(when: float) -> str:
    """Give a time as RFC 3339 has it, in UTC."""
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
