"""Start the first process of a sandbox that lasts, and leave it alone. Run as a short-lived process of its own.

The first process does nothing but be there: as PID 1 of its namespace no signal from inside ends it, it reaps what is
left to it (SIGCHLD is ignored), and its end is the end of all others. It sleeps for the sandbox's time to live, so that
the kernel itself keeps that promise. See docs/adr/0016.
"""

import marshal
import posix
import sys
import time

if __name__ == "__main__":  # started as a file, without site: find the package that this file is in
    sys.path.insert(0, __file__.rpartition("/")[0].rpartition("/")[0].rpartition("/")[0])

from aisbx_linux.lasting.identity import boot, keep, started
from aisbx_linux.launch import Launch
from aisbx_linux.layer.place import LAYERED
from aisbx_linux.processes import executes, leave

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import Failure, LaunchRequest, LocalPlan

BUSY = ("state", "commands run in the sandbox that is to be forked", "")
"""Given where that one has to be paused and copied first."""
FOREVER = 10 * 365 * 86_400
"""Seconds: longer than any machine runs."""
_PATIENCE = 10.0
_PAUSE = 0.001


class Holding(Launch):
    """The launch of a first process. What is needed to join it or to end it is on disk before it can run."""

    def __init__(
        self,
        plan: "LocalPlan",
        state: str,
        home: str,
        seconds: int,
        first: "LocalPlan",
        watched: "tuple[list[str], bool] | None",
        recorded: "tuple[list[str], list[int]] | None",
    ) -> None:
        """`first` is launched, `plan` is what is kept of it.

        `state` is the private directory of all runs, `home` the sandbox's own, `seconds` its time to live or 0.
        `watched` are the groups of calls that its filter allows, and whether probes are told (see `notify.notifying`);
        None where nobody is to watch it. `recorded` are those groups and the numbers of calls that are told of though
        they are allowed, None for any other than one to learn from.
        """
        request: LaunchRequest = {
            "argv": ["/usr/bin/env", "--ignore-signal=CHLD", "sleep", str(seconds or FOREVER)],
            "environment": {},
            # Not in the workspace, which may be exchanged for a snapshot of it.
            "cwd": "/" if plan["workspace"] is not None and plan["workspace"][1] in LAYERED else "",
            "stdin": None,
            "stdout": None,
            "stderr": None,
            "terminal": False,
            "capture": 4096,
            "exclusive": True,
            "state": state,
            "run": "",
            "keep_output": 0,
        }
        super().__init__(_lasting(first), request)
        self._home = home
        self._wanted_plan = plan
        self._seconds = seconds
        self._watched = watched
        self._recorded = recorded

    def _before_gate(self) -> None:
        super()._before_gate()
        groups = self.bounds.groups
        plan: LocalPlan = self._wanted_plan
        if plan["cgroup"] is not None and groups:
            from aisbx_linux.cgroup.below import divide

            groups, rows = divide(groups, plan["cgroup"][1], self.first, self.bounds.parents)
            plan = {**plan, "cgroup": (plan["cgroup"][0], rows)}
        keep(
            self._home,
            {
                "boot": boot(),
                "first": (self.first, started(self.first)),
                "tool": (self.monitor, started(self.monitor)),
                "who": (_option(self.plan, "--uid"), _option(self.plan, "--gid")),
                "groups": groups,
                "forwarder": None if self.attendants is None else self.attendants.forwarder,
                "until": time.time() + self._seconds if self._seconds else 0.0,
                "state": self.request["state"],
                "plan": plan,
                "watch": None if self._watched is None else (self._home, *self._watched),
                "record": None if self._recorded is None else (self._home, *self._recorded),
            },
        )
        if self._guard is not None:
            self._guard.keep(f"{self._home}/baseline")

    def sleeps(self) -> bool:
        """Wait until the tool has become the command; False where it ended first."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and started(self.first):
            if not executes(self.first, self.plan["program"]):
                return True
            time.sleep(_PAUSE)
        return False


def hold(
    plan: "LocalPlan",
    state: str,
    home: str,
    seconds: int,
    origin: str,
    first: "LocalPlan",
    watched: "tuple[list[str], bool] | None",
    recorded: "tuple[list[str], list[int]] | None",
) -> "Failure | None":
    """Start it, and give what kept it from running; this process is to end then, and can start nothing else.

    `origin` is the snapshot, or the home of the sandbox, that its layer begins with; "" for none.
    """
    if origin:
        from aisbx_linux.layer.snapshot import BusyError, begin, hint_for, told

        try:
            begin(origin, state, f"{home}/layer")
        except BusyError:
            return BUSY
        except OSError as error:
            return "state", told(error), hint_for(error)
    launch = Holding(plan, state, home, seconds, first, watched, recorded)
    launch.start()
    if launch.failure is None and launch.first and launch.sleeps():
        return None
    launch.kill()
    launch.wait()
    return launch.result()["failure"] or ("launch", "the sandbox ended as soon as it was made", "")


def _lasting(plan: "LocalPlan") -> "LocalPlan":
    """Give a plan whose tool outlives who starts it, and makes the command itself the first process."""
    head = ["--as-pid-1", *(word for word in plan["head"] if word != "--die-with-parent")]
    return {**plan, "head": head, "wall_time": 0.0, "watch": None}


def _option(plan: "LocalPlan", name: str) -> int:
    return int(plan["head"][plan["head"].index(name) + 1])


def main() -> None:
    """Read the arguments of `hold` from stdin, marshalled; write what it gives to stdout."""
    with open(0, "rb", closefd=False) as stream:
        arguments = marshal.load(stream)  # noqa: S302 - from the process that started this one
    try:
        failure = hold(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is, who asked must hear of it
        failure = ("launch", str(error) or type(error).__name__, "")
    posix.write(1, marshal.dumps(failure))
    leave(0)


if __name__ == "__main__":
    main()
