"""May this principal ask now? One for a host; used by one thread."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from aisbx.errors import AdmissionError, AisbxError, NotFoundError, PolicyError
from aisbx.quota import kept
from aisbx.quota.limits import Limits
from aisbx.quota.standing import Standing

Tell = Callable[[str, str, AdmissionError, str], None]
"""Gets a kind (`limit.denied`, `anomaly`), the principal's id, what is to be told, and of what something is unusual."""
REQUESTS, DENIALS, NAMES = "requests", "denials", "names"
"""Of what that can be; empty for a limit."""
_MOST = 10_000
"""Principals and addresses that are remembered at once."""


class Admission:
    """The limits of a host, and what its principals have used of them."""

    def __init__(self, limits: Limits, tell: Tell, file: Path | None = None) -> None:
        """`file` is where it is kept across a restart; StateError where that cannot be used."""
        self._limits = limits
        self._tell = tell
        self._file = file
        self._standings: dict[str, Standing] = kept.load(file) if file else {}
        self._changed: set[str] = set()

    def take(self, who: str, scope: str) -> None:
        """Count a request of a principal's; AdmissionError where it comes too soon."""
        now, standing = time.time(), self._standing(who)
        if wait := standing.held(now):
            raise self._refused(who, standing, "held", f"{who} is held back for what it did", wait)
        rate = self._limits.rate(scope)
        if wait := standing.take(scope, rate, now):
            raise self._refused(who, standing, scope, f"{who} may ask {rate} times a minute ({scope})", wait)
        if self._limits.watched and (what := standing.count(now)):
            self._unusual(who, what, 0.0, REQUESTS)

    @contextmanager
    def serving(self, who: str, scope: str) -> Generator[None]:
        """Serve a request of a principal's; AdmissionError where too many are served already.

        What it is denied meanwhile, and asks for that is not there, is counted.
        """
        standing, most = self._standing(who), self._limits.concurrent(scope)
        running, standing.seen = standing.running, time.time()
        if running.get(scope, 0) >= most:
            raise self._refused(who, standing, scope, f"{who} may ask {most} at once ({scope})", 1.0)
        running[scope] = running.get(scope, 0) + 1
        try:
            yield
        except AisbxError as error:
            self._count(who, error)
            raise
        finally:
            running[scope] -= 1

    def missed(self, who: str, name: str) -> None:
        """Count that a principal asked for something that is not there."""
        now, standing = time.time(), self._standing(who)
        if self._limits.watched and (what := standing.miss(name, now)):
            self._unusual(who, what, standing.held(now), NAMES)

    def snapshot(self) -> dict[str, dict[str, object]]:
        """Give what has changed since the last time, for `save`."""
        changed = {who: kept.row(self._standings[who]) for who in self._changed if who in self._standings}
        self._changed.clear()
        return changed

    def save(self, changed: dict[str, dict[str, object]]) -> None:
        """Write a snapshot down; any thread may. StateError where it cannot be."""
        if self._file and changed:
            kept.save(self._file, changed, time.time())

    def _standing(self, who: str) -> Standing:
        if who not in self._standings:
            if len(self._standings) >= _MOST:
                self._forget()
            self._standings[who] = Standing()
        self._changed.add(who)
        return self._standings[who]

    def _forget(self) -> None:
        """Forget the principal that was not seen for longest and has nothing running."""
        idle = [one for one, standing in self._standings.items() if not any(standing.running.values())]
        if idle:
            oldest = min(idle, key=lambda one: self._standings[one].seen)
            del self._standings[oldest]
            self._changed.discard(oldest)

    def _count(self, who: str, error: AisbxError) -> None:
        if not self._limits.watched:
            return
        now, standing = time.time(), self._standing(who)
        if isinstance(error, PolicyError) and (what := standing.deny(now)):
            self._unusual(who, what, standing.held(now), DENIALS)
        if isinstance(error, NotFoundError):
            self.missed(who, error.name)

    def _refused(self, who: str, standing: Standing, scope: str, message: str, wait: float) -> AdmissionError:
        error = AdmissionError(message, retry_after=wait)
        if times := standing.tell_refusal(scope, time.time()):
            told = f"{message}; {times} refused since this was last told" if times > 1 else message
            self._tell("limit.denied", who, AdmissionError(told, retry_after=wait), "")
        return error

    def _unusual(self, who: str, what: str, hold: float, of: str) -> None:
        self._tell("anomaly", who, AdmissionError(f"{who}: {what}", retry_after=hold), of)
