"""What a sandbox uses, for hosts that tell it to whoever watches them."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from aisbx.types.plugin import Sandbox


@dataclass(frozen=True, slots=True)
class Consumption:
    """Of all that is alive in a sandbox now, and of what that has waited for.

    Seconds of processor time, and bytes that are resident.
    """

    cpu: float
    memory: int
    """What several processes share counts for each."""


@runtime_checkable
class MeteredSandbox(Sandbox, Protocol):
    """A sandbox whose use of the machine can be seen from outside."""

    def consumption(self) -> Consumption:
        """Say it; zero where it has ended. May be as of a second ago."""
        ...
