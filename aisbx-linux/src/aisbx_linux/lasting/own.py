"""Limits on memory and tasks that a command in a sandbox has for itself. Builtin modules only.

By a cgroup below the sandbox's, where that has one; else by a watchdog over what came of the command, for who gave the
control up (`LastingSandbox.check` says which). The sandbox's own limits hold it all the same.
"""

from aisbx_linux.cgroup import below
from aisbx_linux.lasting.mark import mark, put
from aisbx_linux.watch import tally, used

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aisbx_linux.lasting.identity import Held
    from aisbx_linux.lasting.mark import Mark

_DATA = 2  # RLIMIT_DATA


def has_own(limits: "Mapping[str, float]") -> bool:
    """Tell whether a command's limits are more than its time and its output."""
    return any(limits.get(name) for name in below.LIMITS)


def by_groups(held: "Held") -> "set[str]":
    """Give the limits for which a command of this sandbox can have a group of its own."""
    cgroup = held["plan"]["cgroup"]
    return below.held(held["groups"], cgroup[1]) if cgroup is not None else set()


class Own:
    """What holds one command to its own limits."""

    __slots__ = ("_limits", "_made", "_run", "mark", "watched")

    def __init__(self, limits: "Mapping[str, float]", run: str) -> None:
        """Keep limits (`memory` in bytes, `pids`) and the command's id; nothing is made yet."""
        self._limits = {name: limits[name] for name in below.LIMITS if limits.get(name)}
        self._run = run
        self._made: list[str] = []
        self.mark: Mark | None = None
        self.watched: tuple[int, int] | None = None
        """Bytes and tasks (0: any number) for a watchdog to look after."""

    def make(self, held: "Held") -> "Held":
        """Give the sandbox as this command joins it; OSError where its groups can't be made."""
        grouped = by_groups(held)
        amounts = {name: amount for name, amount in self._limits.items() if name in grouped}
        if amounts:
            cgroup = held["plan"]["cgroup"]
            rows = cgroup[1] if cgroup is not None else []
            groups, self._made = below.make(held["groups"], rows, amounts, self._run)
            held = {**held, "groups": groups}
        memory, tasks = (0 if name in grouped else int(self._limits.get(name, 0)) for name in below.LIMITS)
        if memory or tasks:
            self.watched = (memory, tasks)
            self.mark = mark(self._run)
            held = put(held, self.mark, ((_DATA, memory, memory),) if memory else ())
        return held

    def look(self, processes: "Sequence[int]") -> "set[str]":
        """Give which of the watched limits are met by the command and what came of it."""
        memory, tasks = self.watched or (0, 0)
        places = [f"/proc/{process}" for process in processes]
        counted, resident = tally(places)
        met: set[str] = set()
        if tasks and counted > tasks:
            met.add("pids_limited")
        if memory and resident > memory and used(places) > memory:
            met.add("oom_killed")
        return met

    def alone(self) -> None:
        """Count the command's tasks alone, once what joined for it has ended; OSError where that can't be."""
        if "pids" in self._limits:
            below.alone(self._made, int(self._limits["pids"]))

    def remove(self) -> None:
        """Take its groups away, once what joined for it has ended."""
        below.remove(self._made)
        self._made = []
