"""Requests that may come twice: with an `Idempotency-Key` a POST is done once, and answered alike each time.

What was answered is kept on disk for a day, so that it holds across a restart. Of a request that was begun when the
service was ended nobody knows how far it came: it is not done again, and whoever asks is told. The same holds where
there is no room for what was answered.
"""

import base64
import hashlib
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from aisbx.errors import StateError
from aisbx.hosting.requests import RefusedError
from aisbx.paths import ensure_private, write_own

KEPT = 24 * 3600.0
LONGEST = 255
"""Characters of a key."""
MOST = 10_000
"""Requests of a principal's that are known; the oldest are forgotten first."""
LARGEST = 8 << 20
"""Bytes of an answer that is kept."""
ROOM = 256 << 20
"""Bytes of a principal's answers that are kept; of the oldest is known then only that they were given."""
AGAIN = frozenset({401, 408, 413, 421, 429, 503})
"""Statuses of requests that were not done: the same key may be used again."""
_SMALL = 4096
_WHO = 16
"""Characters of a token that say whose it is."""


@dataclass(slots=True)
class Answer:
    """What was answered."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    body: bytes = b""


class Once:
    """All such requests of a service; used by its event loop."""

    def __init__(self, place: Path) -> None:
        """Make nothing yet."""
        self._place = place
        self._now: set[str] = set()

    def begin(self, who: str, key: str, fingerprint: str) -> "tuple[str, Answer | None]":
        """Give a token for `end` where this is new, or the answer that was given; RefusedError where it is neither."""
        if not 0 < len(key) <= LONGEST or not key.isascii() or not key.isprintable():
            raise RefusedError(400, "usage", "Idempotency-Key is 1 to 255 printable characters", "use a UUID")
        whose = hashlib.sha256(who.encode()).hexdigest()[:_WHO]
        token = whose + hashlib.sha256(f"{who} {key}".encode()).hexdigest()[_WHO:]
        if token in self._now:
            raise RefusedError(
                409, "state", "a request with this Idempotency-Key is being served", "wait", Retry_After="1"
            )
        row = self._read(token)
        if row is not None and row["fingerprint"] != fingerprint:
            hint = "take a new key for another request"
            raise RefusedError(409, "usage", "this Idempotency-Key was used for another request", hint)
        if row is not None and "gone" in row:
            told = f"this was done, and answered with {row['gone']}; that answer is told once, or was too large to keep"
            raise RefusedError(409, "state", told, "look at what it did; to do it again, take a new key")
        if row is not None and "status" not in row:
            hint = "look whether it was done, then repeat it with a new key"
            raise RefusedError(409, "aborted", "a request with this key was begun, and cut off before its answer", hint)
        if row is not None:
            pairs = [(str(name), str(value)) for name, value in cast("list[list[str]]", row["headers"])]
            return token, Answer(cast("int", row["status"]), pairs, base64.b64decode(str(row["body"])))
        self._write(token, {"fingerprint": fingerprint, "time": time.time()})
        self._now.add(token)
        return token, None

    def end(self, token: str, fingerprint: str, answer: Answer | None, *, secret: bool = False) -> None:
        """Keep what was answered, None where it was cut off; of one that is `secret` only that it was given.

        Where it says that nothing was done, the same may be tried again.
        """
        self._now.discard(token)
        if answer is not None and answer.status in AGAIN:
            (self._place / token).unlink(missing_ok=True)
            return
        if answer is None:
            return  # what was written at its beginning says so
        row: dict[str, object] = {"fingerprint": fingerprint, "time": time.time()}
        if secret or len(answer.body) > LARGEST:
            self._write(token, {**row, "gone": answer.status})
            return
        body = base64.b64encode(answer.body).decode()
        self._write(token, {**row, "status": answer.status, "body": body, "headers": answer.headers})

    def sweep(self) -> None:
        """Remove what is old, or too much of one principal; any thread may."""
        found: dict[str, list[tuple[float, int, str]]] = {}
        try:
            for entry in os.scandir(self._place):
                with suppress(FileNotFoundError):
                    status = entry.stat()
                    found.setdefault(entry.name[:_WHO], []).append((status.st_mtime, status.st_size, entry.name))
        except FileNotFoundError:
            return
        for rows in found.values():
            room = ROOM
            for number, (changed, size, token) in enumerate(sorted(rows, reverse=True)):
                room -= size
                if token in self._now:
                    continue
                if time.time() - changed > KEPT or number >= MOST:
                    (self._place / token).unlink(missing_ok=True)
                elif room < 0 and size > _SMALL and not token.startswith("."):
                    with suppress(StateError):  # that is told to whoever asks for it
                        self._shorten(token, changed)

    def _shorten(self, token: str, changed: float) -> None:
        """Forget what was answered, and keep that it was."""
        row = self._read(token)
        if row is not None and "status" in row:
            self._write(token, {"fingerprint": row["fingerprint"], "time": row["time"], "gone": row["status"]})
            os.utime(self._place / token, (changed, changed))

    def _read(self, token: str) -> dict[str, object] | None:
        path = self._place / token
        try:
            row: object = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StateError(f"what was answered to this key cannot be read: {error}", hint="take a new key") from error
        found = cast("dict[str, object]", row)
        when = found.get("time")
        return found if isinstance(when, float) and time.time() - when < KEPT else None

    def _write(self, token: str, row: dict[str, object]) -> None:
        ensure_private(self._place.parent)
        write_own(ensure_private(self._place) / token, json.dumps(row).encode())
