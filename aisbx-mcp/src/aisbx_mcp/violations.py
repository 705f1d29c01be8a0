"""What clients' sandboxes were refused: a resource to subscribe to, and messages in the call that finds it."""

import asyncio
import json
import os
from collections import deque
from collections.abc import Mapping
from contextlib import suppress

import anyio
from aisbx.audit.follow import Follower
from aisbx.audit.read import Record
from aisbx.errors import StateError
from aisbx.violations.derive import violations_of
from mcp.types import LoggingLevel

from aisbx_mcp.resource import Resource
from aisbx_mcp.resources import sandboxes
from aisbx_mcp.room import Room
from aisbx_mcp.service import Service
from aisbx_mcp.tool import Call

KEPT = 200
"""Violations of a sandbox that can be read: the newest. The audit log has all."""
_AT_ONCE = 1 << 16
"""Bytes of the log that are read where they are wanted; of more, a thread is."""
_PATIENCE = 1.0
_LEVELS: Mapping[str, LoggingLevel] = {
    "info": "info",
    "low": "notice",
    "medium": "warning",
    "high": "error",
    "critical": "critical",
}
_LEFT_OUT = frozenset({"kind", "principal", "host", "seq", "mac", "argv", "v", "run", "pid", "sandbox"})
"""Members that are for whoever runs the host."""


class Denied:
    """The violations of one server's sandboxes since it began, read from the audit log when somebody wants them."""

    def __init__(self, path: str, prefix: str) -> None:
        """Begin at the log's end; the names of its sandboxes begin with `prefix`."""
        self._path = path
        self._prefix = prefix
        self._size = 0
        with suppress(OSError):
            self._size = os.path.getsize(path)
        self._follower = Follower(path, self._size)
        self._rows: dict[str, deque[Record]] = {}
        self._count: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._lock = asyncio.Lock()

    async def of(self, real: str) -> tuple[list[Record], int]:
        """Give the last of one sandbox, by its name on the host, and how many there were."""
        await self._read()
        return list(self._rows.get(real, ())), self._count.get(real, 0)

    async def untold(self, real: str) -> list[Record]:
        """Give those that no call has been told of; they count as told then."""
        rows, count = await self.of(real)
        new = count - self._told.get(real, 0)
        self._told[real] = count
        return rows[-new:] if new else []

    def forget(self, real: str) -> None:
        """Drop what is known of a sandbox that has ended."""
        for known in (self._rows, self._count, self._told):
            known.pop(real, None)

    async def _read(self) -> None:
        async with self._lock:
            with suppress(FileNotFoundError):
                size = os.stat(self._path).st_size
                if size == self._size:
                    return
                much, self._size = size - self._size > _AT_ONCE, size
                found = await asyncio.to_thread(lambda: list(self._follower.new())) if much else self._follower.new()
                for record in found:
                    self._take(record)

    def _take(self, record: Record) -> None:
        for one in violations_of(record):
            if (real := one.text("sandbox")).startswith(self._prefix):
                self._rows.setdefault(real, deque(maxlen=KEPT)).append(one)
                self._count[real] = self._count.get(real, 0) + 1


def denied(service: Service) -> Denied:
    """Give what a server knows; from the first time on, which is before its first sandbox is made."""
    if service.denied is None:
        service.denied = Denied(service.engine.audit["path"], service.prefix)
    return service.denied


async def tell(call: Call) -> None:
    """Tell the client of a call what its sandboxes were refused since the last one, as messages; it gets its result."""
    known = denied(call.service)
    for box in list(call.room.boxes.values()):
        with suppress(StateError, OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            for one in await known.untold(box.real):
                with anyio.move_on_after(_PATIENCE):
                    level = _LEVELS.get(one.text("severity"), "warning")
                    await call.log(level, {"sandbox": box.name, **row(one)}, "aisbx.violations")


def row(record: Record) -> dict[str, object]:
    """Give a violation as a client sees it."""
    return {key: value for key, value in record.data.items() if key not in _LEFT_OUT}


async def violations(call: Call, sandbox: str) -> str:
    """Read what a sandbox was refused, the oldest first: what was tried, by which rule, what would allow it."""
    box = await call.room.box(sandbox)
    found, _ = await denied(call.service).of(box.real)
    return json.dumps({"violations": [row(one) for one in found]}, indent=1)


async def _version(room: Room, sandbox: str) -> object:
    box = room.boxes.get(sandbox)
    return (await denied(room.service).of(box.real))[1] if box else 0


VIOLATIONS = Resource(
    violations,
    uri="aisbx://{sandbox}/violations",
    title="What a sandbox was refused",
    mime_type="application/json",
    version=_version,
    complete={"sandbox": sandboxes},
)
