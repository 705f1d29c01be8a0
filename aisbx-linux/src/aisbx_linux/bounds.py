"""What holds a launch to its limits of time, memory and tasks: the clock, its cgroups, or a look now and then.

On the hot path: builtin modules only, and the cgroups' and the watch's own only where a plan asks for them.
"""

import time

from aisbx_linux.processes import first_child, send
from aisbx_linux.rlimits import set_limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aisbx.types import LocalPlan

    from aisbx_linux.cgroup.group import Door, Group
    from aisbx_linux.watch import Watch

GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL at the time limit."""
LOOK = 0.1
"""Seconds from the start to the watch's first look; a command that ends before is not looked at."""
_TERM = 15


class Bounds:
    """The limits of one launch, and which of them it met."""

    __slots__ = ("_deadline", "_first", "_group", "_look", "_plan", "_watch", "happened", "timed_out")

    def __init__(self, plan: "LocalPlan") -> None:
        """Keep the plan; the clock runs from `begin`."""
        self._plan = plan
        self._deadline = self._look = 0.0
        self._first = 0
        self._group: Group | None = None
        self._watch: Watch | None = None
        self.timed_out = False
        self.happened: set[str] = set()
        """Names of `LaunchResult`: `oom_killed`, `pids_limited`."""

    @property
    def doors(self) -> "Sequence[Door]":
        """What the process that starts the tool goes through, into the cgroups and back."""
        return () if self._group is None else self._group.doors

    @property
    def groups(self) -> "list[str]":
        """The directories of the cgroups that were made."""
        return [] if self._group is None else self._group.paths

    @property
    def parents(self) -> "list[int]":
        """The open directories that they are in."""
        return [] if self._group is None else self._group.parents

    def begin(self, now: float) -> None:
        """Start the clock, at a moment of time.monotonic, and make the cgroups; OSError where that can't be now."""
        if self._plan["wall_time"]:
            self._deadline = now + self._plan["wall_time"]
        if self._plan["cgroup"] is not None:
            from aisbx_linux.cgroup.group import Group

            self._group = Group(self._plan["cgroup"][1])
            self._group.make()

    def resume(self, started: float, first: int, look: float, name: str, parents: "list[int]") -> None:
        """Go on for a launch whose clock began at `started` and whose cgroups, named `name`, have been made.

        `look` is the moment of the watch's first look, 0 for none; `parents` are the open directories of the cgroups.
        """
        self._first, self._look = first, look
        if self._plan["wall_time"]:
            self._deadline = started + self._plan["wall_time"]
        if parents and self._plan["cgroup"] is not None:
            from aisbx_linux.cgroup.group import Group

            self._group = Group.taken(self._plan["cgroup"][1], name, parents)

    def prepare(self) -> None:
        """Set the cgroups' limits and load what `hold` needs, while the tool works on another core."""
        if self._plan["outside"] is None:
            import resource as _  # noqa: F401
        if self._group is not None:
            self._group.limit()

    def hold(self, first: int) -> None:
        """Hold the sandbox's first process, and so all its later ones. OSError where the kernel refuses."""
        self._first = first
        if self._group is not None:
            self._group.add(first)
        if self._plan["watch"] is not None:
            self._look = time.monotonic() + LOOK
        if self._plan["outside"] is None:
            set_limits(self._plan["rlimits"], first)

    def moments(self, *others: "float | None") -> "list[float]":
        """Give when `mind` has something to do next, and the others that are set: moments of time.monotonic."""
        return [moment for moment in (self._deadline, self._look, *others) if moment]

    def mind(self) -> bool:
        """Look at clock and use; True when everything is to be ended now."""
        now = time.monotonic()
        if self._look and now >= self._look and self._overused():
            return True
        if not self._deadline or now < self._deadline:
            return False
        command = self._command()
        again, self.timed_out = self.timed_out, True
        if again or not command:
            self._deadline = 0.0
            return True
        send(command, _TERM)
        self._deadline += GRACE
        return False

    def end(self) -> None:
        """Stop looking: the command has ended."""
        self._deadline = self._look = 0.0

    def settle(self) -> None:
        """Once every process has ended: read what the cgroups saw, and remove them."""
        if self._group is not None:
            self.happened |= self._group.settle()

    def _command(self) -> int:
        """Give the process that is asked first to end."""
        return first_child(self._first) if self._first else 0

    def _overused(self) -> bool:
        from aisbx_linux.watch import SHARE, Watch

        if self._watch is None:
            memory, tasks, places = self._plan["watch"] or (0, 0, [])
            self._watch = Watch(self._first, memory, tasks, places)
        begun = time.monotonic()
        self.happened |= self._watch.look()
        now = time.monotonic()
        self._look = now + max(LOOK, (now - begun) * SHARE)
        return "oom_killed" in self.happened


def narrowed(plan: "LocalPlan", limits: "Mapping[str, float]") -> "LocalPlan":
    """Narrow a plan for one command by its own `wall_time` (seconds) and `output` (bytes).

    A wider bound is no reason to fail and changes nothing.
    """
    if not limits:
        return plan
    wall_time, output = (limits.get(name, 0) for name in ("wall_time", "output"))
    return {
        **plan,
        "wall_time": min(wall_time or plan["wall_time"], plan["wall_time"] or wall_time),
        "output": int(min(output or plan["output"], plan["output"] or output)),
    }
