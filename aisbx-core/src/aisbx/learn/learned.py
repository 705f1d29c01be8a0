"""What was learned, as plain data."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Granted:
    """One thing that a profile gives: the key, its value there, and the evidence for it."""

    key: str
    value: object
    why: str


@dataclass(frozen=True, slots=True)
class Never:
    """One thing that was asked for and is not granted, why not, and how often and by whom it was asked for."""

    what: str
    why: str
    trace: str


@dataclass(slots=True)
class Learned:
    """All of it; it grows while the evidence is gone through."""

    extends: tuple[str, ...] = ()
    granted: list[Granted] = field(default_factory=list[Granted])
    never: list[Never] = field(default_factory=list[Never])
    unused: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])

    def grant(self, key: str, value: object, why: str) -> None:
        """Add a grant."""
        self.granted.append(Granted(key, value, why))

    def of(self, key: str) -> Iterator[Granted]:
        """Give the grants of a key of the profile."""
        return (granted for granted in self.granted if granted.key == key)
