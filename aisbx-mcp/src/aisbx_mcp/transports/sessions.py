"""How many sessions of the protocol each principal has: the SDK counts those of all together, up to its own limit."""

import math
import time
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count

from aisbx.errors import AdmissionError

MOST = 64
"""Sessions of one principal at once."""


class Sessions:
    """Of all principals."""

    def __init__(self, idle: float) -> None:
        """Know of none; the SDK ends one `idle` seconds after its last request."""
        self._idle = idle
        self._numbers = count()
        self._own: dict[str, dict[str, float]] = {}
        """Principal → session, or place for one that is being opened → when it was used last (monotonic)."""

    @contextmanager
    def opening(self, who: str) -> Generator[str]:
        """Keep a place for a session and give its name for `used`; AdmissionError where there are too many."""
        own, now = self._own.setdefault(who, {}), time.monotonic()
        for old in [one for one, at in own.items() if now - at >= self._idle]:
            del own[old]
        if len(own) >= MOST:
            wait = max(1.0, math.ceil(self._idle - now + min(own.values())))
            hint = "end one with DELETE, or use it"
            raise AdmissionError(f"{who} has {MOST} sessions already", retry_after=wait, hint=hint)
        place = f"opening {next(self._numbers)}"  # which is no session's name
        own[place] = now
        try:
            yield place
        finally:
            self.ended(who, place)

    def used(self, who: str, session: str, place: str = "") -> None:
        """Note that a session was used, or begun at this place."""
        own = self._own.setdefault(who, {})
        own.pop(place, None)
        own[session] = time.monotonic()

    def ended(self, who: str, session: str) -> None:
        """Note that a session is not there, or not theirs."""
        own = self._own.get(who, {})
        own.pop(session, None)
        if not own:
            self._own.pop(who, None)
