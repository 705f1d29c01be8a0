"""A lasting sandbox as somebody finds it."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aisbx.errors import StateError
from aisbx.store import Record
from aisbx.types import Enforcement

if TYPE_CHECKING:
    from aisbx.engine.keeping import End

_SET = 1.0
"""Seconds: when the clock was moved by more, somebody has set it."""
RUNNING, PAUSED, ENDED, UNFINISHED = "running", "paused", "ended", "unfinished"


@dataclass(frozen=True, slots=True)
class Found:
    """A sandbox as it is now: `record` None where it is unfinished, `problem` where it cannot be read."""

    name: str
    state: str
    record: Record | None = None
    enforcement: Enforcement = field(default_factory=Enforcement)
    problem: str = ""
    end: "End | None" = None
    """How it ended by itself, where it did."""

    @property
    def left(self) -> float | None:
        """Give the seconds of its time to live that are left, however the clock was set; None where none counts."""
        record = self.record
        if record is None or not record.until or self.state not in {RUNNING, PAUSED}:
            return None
        age = time.monotonic() - record.clock if record.clock else time.time() - record.created
        return max(0.0, record.until - record.created - age)

    @property
    def until(self) -> float | None:
        """Give when it ends, or would have, in seconds since the epoch by the clock of now; None where it lasts."""
        if self.record is None or not self.record.until:
            return None
        left = self.left
        now = self.record.until if left is None else time.time() + left
        return self.record.until if abs(now - self.record.until) < _SET else round(now, 3)


class UnappliedError(StateError):
    """A sandbox stays, for it has changes that were neither applied nor discarded."""
