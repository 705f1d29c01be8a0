"""Go on with a command that the compiled front has started in a sandbox that lasts. Builtin modules only.

As `aisbx_linux.resume`, which says what is told; here that is also which use of the sandbox it is, and what its cgroups
had counted before.
"""

import posix

from aisbx_linux.bounds import narrowed
from aisbx_linux.ending import refused
from aisbx_linux.lasting.command import Joined
from aisbx_linux.lasting.identity import parse
from aisbx_linux.lasting.join import KEPT
from aisbx_linux.resume import Taking, numbers, read_all, served

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import JoinPlan, LaunchRequest, LaunchResult

    from aisbx_linux.lasting.identity import Held
    from aisbx_linux.resume import Handed


def resume(plan: "JoinPlan", request: "LaunchRequest", handed: "Handed") -> "LaunchResult":
    """Relay until the end of a command that is going on, or take what is known of one that has ended."""
    held = parse(read_all(numbers(handed, "held")[0]))
    if held is None:
        raise ValueError("it does not describe a command that joined")
    own: LaunchRequest = {
        **request,
        "environment": {**plan["environment"], **request["environment"]},
        "cwd": request["cwd"] or plan["cwd"],
    }
    return served(ResumedJoined(held, own, plan, handed))


class ResumedJoined(Taking, Joined):
    """A command with the process, descriptors and counts that the front has handed over."""

    def __init__(self, held: "Held", request: "LaunchRequest", plan: "JoinPlan", handed: "Handed") -> None:
        """Take over; ValueError or IndexError where what is told is not complete."""
        self._baseline = f"{plan['home']}/baseline"
        super().__init__(held, narrowed(held["plan"], plan["limits"]), request, plan["home"])
        self.take(handed)
        if "kept" in handed:
            self.failure = refused(KEPT)
        if self.done:
            self._explain()
            return
        self._use = (numbers(handed, "used") or [-1])[0]
        if self._assembly.status < 0 and not self._ended:
            self._assembly.status = posix.pidfd_open(self.monitor)
        if self._ended and self.wires is not None:
            self.wires.drain()

    def _take_bounds(self, handed: "Handed", started: float, look: float) -> None:
        self._lasting.begin(started)
        self._lasting.watch(self.held["first"][0], self.command, look)
        self._lasting.since(numbers(handed, "counts"))

    def _known_at(self, workspace: str) -> str:
        del workspace  # it is that of the sandbox, and no other
        return self._baseline
