"""What has ended is removed, what was never finished too, and what belonged to a key that has ended ends."""

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from aisbx.engine.found import ENDED
from aisbx.errors import AisbxError
from aisbx.hosting.principals import local
from aisbx.types import Principal

from aisbx_supervisor.options import HOST, UPLOAD
from aisbx_supervisor.pools import NAME as POOLED
from aisbx_supervisor.pools import NOBODY

if TYPE_CHECKING:
    from aisbx_supervisor.service import Service

_EVERY = 5.0
_SHOWN = 300.0
"""Seconds for which one that has ended is still there to be asked why."""
_STALE = 600.0
"""Seconds after which nothing more was written to what is on its way, so that nobody does any more."""
_KEY_ID = 12


class Reaper:
    """Of one service. Sandboxes end by themselves when their time is over; this removes what is left of them."""

    def __init__(self, service: "Service") -> None:
        """Look at nothing yet."""
        self._service = service
        self._seen: dict[str, float] = {}

    async def run(self) -> None:
        """Look again and again, at once for the first time: that adopts what an earlier service has left."""
        while True:
            try:
                await self._service.aside(self.look)
            except AisbxError as error:
                _log.warning("%s; hint: %s", error.message, error.hint)
            await asyncio.sleep(_EVERY)

    def look(self) -> None:
        """Look once."""
        boxes = self._service.boxes
        for name in boxes.store.names():
            found = boxes.look(name)  # which starts the process anew that keeps its time, if that was killed
            owner = key_of(name)
            if found.state == ENDED and found.record is not None and found.record.principal == NOBODY.id:
                self._service.pools.lose(name, found.record.profile)
                continue
            if name.startswith(POOLED) and found.record is not None and found.record.principal.startswith("key:"):
                owner = found.record.principal
            if found.record is None or found.record.principal != owner:
                continue  # not whole, see below; somebody's at the command line, or another host's
            if not self._service.stands(owner):
                self._end(name, owner)
            elif found.state != ENDED:
                self._seen.pop(name, None)
            elif time.monotonic() - self._seen.setdefault(name, time.monotonic()) > _SHOWN:
                self._end(name, owner)
        with self._service.making:
            self._service.engine.sandboxes.sweep(local().id, HOST)  # what a service that was killed had half made
        boxes.relax()
        boxes.places.sweep(boxes.workspaces())
        self._service.once.sweep()
        self._drop_uploads()

    def _drop_uploads(self) -> None:
        """Remove what a service that was killed had on its way into a sandbox."""
        place = self._service.engine.state / "supervisor"
        for path in place.glob(f"{UPLOAD}*"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _STALE:
                    path.unlink()

    def _end(self, name: str, owner: str) -> None:
        """End one; a layer stays for review where it holds changes."""
        self._service.boxes.release(name)
        with suppress(AisbxError):
            self._service.engine.sandboxes.destroy(name, Principal(owner), HOST, keep=True)
        self._seen.pop(name, None)


def key_of(name: str) -> str:
    """Give the principal of a sandbox that a key made, by its real name; empty for any other."""
    beginning, dot, _ = name.partition(".")
    owned = dot and len(beginning) == _KEY_ID and not set(beginning) - set("0123456789abcdef")
    return f"key:{beginning}" if owned else ""


_log = logging.getLogger("aisbx")
