"""Requests that may come twice: with an `Idempotency-Key` a POST is done once, and answered alike each time.

What was answered is kept on disk for a day, so that it holds across a restart. Of a request that was begun when the
service was killed nobody knows how far it came: it is not done again, and whoever asks is told.
"""

import base64
import hashlib
import json
import os
import time
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
"""Answers that are kept of all together; the oldest go first."""
LARGEST = 8 << 20
"""Bytes of an answer that is kept."""


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
        token = hashlib.sha256(f"{who} {key}".encode()).hexdigest()
        if token in self._now:
            raise RefusedError(
                409, "state", "a request with this Idempotency-Key is being served", "wait", Retry_After="1"
            )
        row = self._read(token)
        if row is not None and row["fingerprint"] != fingerprint:
            hint = "take a new key for another request"
            raise RefusedError(409, "usage", "this Idempotency-Key was used for another request", hint)
        if row is not None and "status" not in row:
            hint = "look whether it was done, then repeat it with a new key"
            raise RefusedError(
                409, "aborted", "a request with this key was begun, and the service ended meanwhile", hint
            )
        if row is not None:
            pairs = [(str(name), str(value)) for name, value in cast("list[list[str]]", row["headers"])]
            return token, Answer(cast("int", row["status"]), pairs, base64.b64decode(str(row["body"])))
        self._write(token, {"fingerprint": fingerprint, "time": time.time()})
        self._now.add(token)
        return token, None

    def end(self, token: str, fingerprint: str, answer: Answer | None) -> None:
        """Keep what was answered; None where nothing was done, and the same may be tried again."""
        self._now.discard(token)
        if answer is None or len(answer.body) > LARGEST:
            (self._place / token).unlink(missing_ok=True)
            return
        body = base64.b64encode(answer.body).decode()
        row = {"fingerprint": fingerprint, "time": time.time(), "status": answer.status, "body": body}
        self._write(token, {**row, "headers": answer.headers})

    def sweep(self) -> None:
        """Remove what is old, or too much; any thread may."""
        try:
            found = sorted((entry.stat().st_mtime, entry.path) for entry in os.scandir(self._place))
        except FileNotFoundError:
            return
        for number, (changed, path) in enumerate(found):
            if time.time() - changed > KEPT or number < len(found) - MOST:
                Path(path).unlink(missing_ok=True)

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
