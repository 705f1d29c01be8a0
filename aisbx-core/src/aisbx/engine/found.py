"""A lasting sandbox as somebody finds it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aisbx.errors import StateError
from aisbx.store import Record
from aisbx.types import Enforcement

if TYPE_CHECKING:
    from aisbx.engine.keeping import End

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


class UnappliedError(StateError):
    """A sandbox stays, for it has changes that were neither applied nor discarded."""
