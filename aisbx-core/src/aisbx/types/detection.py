"""What a profile says of violations: rules of its own, and what is done when something is told. Pure data."""

from dataclasses import dataclass

REACTIONS = ("record", "alert", "pause", "kill")
"""What can be done, from the least on. Every violation is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Detection:
    """A rule of a profile: told when `count` violations that it is about come within `seconds`."""

    id: str
    severity: str
    """One of `aisbx.violations.severity.SEVERITIES`."""
    means: str
    rules: tuple[str, ...] = ()
    """Ids of the rules of what it is about; empty for any, as of the next three."""
    source: str = ""
    """`syscall`, `network`, `file`, `policy`, `limit` or `anomaly`."""
    what: tuple[str, ...] = ()
    """Patterns as of fnmatch(3) for the call, or whatever else was tried."""
    arguments: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Patterns for arguments, by their names; each that is named must be there and fit one of its own."""
    first: str = ""
    """The id of a rule of which there is one before."""
    distinct: str = ""
    """Not how many there are is counted but how many values of this argument, or of `what`."""
    within: str = ""
    """Only those with the same value of this argument are counted together."""
    count: int = 1
    seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Reaction:
    """What is done about violations."""

    on: str
    """A severity, and then what is graver too; or the id of a rule."""
    do: tuple[str, ...]
    """Of `REACTIONS`, each once, in their order."""
