"""How far a command's own limits will be held in a sandbox that lasts, and by what."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aisbx.types import ControlState, Level

from aisbx_linux.cgroup.below import LIMITS
from aisbx_linux.lasting.own import by_groups

if TYPE_CHECKING:
    from aisbx_linux.lasting.identity import Held


def states_of(held: "Held", limits: Mapping[str, float]) -> list[ControlState]:
    """Give a row for each of `memory` and `pids` that a command has for itself."""
    grouped = by_groups(held)
    return [
        ControlState(f"limit:{name}", Level.FULL, "a cgroup for the command, below the sandbox's")
        if name in grouped
        else ControlState(
            f"limit:{name}",
            Level.PARTIAL,
            "a watchdog over all that came of the command",
            "between two looks, a tenth of a second or more apart, a command can pass its own limit, for the "
            "sandbox has no cgroup in which one could be made for it",
            "make the sandbox where cgroups can be made (see: aisbx doctor), or limit the sandbox",
        )
        for name in LIMITS
        if limits.get(name)
    ]
