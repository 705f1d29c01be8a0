"""One command in a sandbox that lasts: started by joining it, served like any other. Builtin modules only."""

import posix
import time

from aisbx_linux.bounds import narrowed
from aisbx_linux.ending import refused
from aisbx_linux.guard import Guard
from aisbx_linux.host import serve
from aisbx_linux.lasting.bounds import CommandBounds, Counts
from aisbx_linux.lasting.identity import lives, recall
from aisbx_linux.lasting.join import JoinError, failed_to_join, start
from aisbx_linux.lasting.pause import PAUSED, share
from aisbx_linux.lasting.wires import JoinedWires
from aisbx_linux.launch import FORMAT as OF_PLANS
from aisbx_linux.launch import Launch
from aisbx_linux.processes import below

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from aisbx.types import JoinPlan, LaunchRequest, LaunchResult, LocalPlan

    from aisbx_linux.lasting.identity import Held
    from aisbx_linux.lasting.mark import Mark
    from aisbx_linux.lasting.own import Own

_KILL = 9


FORMAT = 1  # of `JoinPlan`; a plan of another version is not carried out


def __getattr__(name: str) -> object:
    """Give HOT and LATE of `modules`, and `carried`: only the keeping of a plan asks for them."""
    if name not in {"HOT", "LATE", "carried"}:
        raise AttributeError(name)
    if name == "carried":
        from aisbx_linux.lasting.carried import carried

        return carried
    from aisbx_linux import modules

    return modules.JOINING if name == "HOT" else modules.JOINING_LATE


def launch(plan: "JoinPlan", request: "LaunchRequest") -> "LaunchResult":
    """Run one command to its end in a sandbox that lasts.

    ProcessLookupError where that has ended, or is to be watched and nobody does.
    """
    if plan["format"] != FORMAT:
        msg = f"plan format {plan['format']} is not {FORMAT}"
        raise ValueError(msg)
    held = recall(plan["home"])
    if held is None or held["plan"]["format"] != OF_PLANS or not lives(held):
        raise ProcessLookupError
    if held["watch"] is not None:
        from aisbx_linux.watching.hand import listened

        if not listened(plan["home"]):  # whoever opens the sandbox has it watched again
            raise ProcessLookupError
    own: LaunchRequest = {
        **request,
        "environment": {**plan["environment"], **request["environment"]},
        "cwd": request["cwd"] or plan["cwd"],
    }
    return serve(joined(held, own, plan["limits"], plan["home"]))


def joined(held: "Held", request: "LaunchRequest", limits: "Mapping[str, float]", home: str) -> "Joined":
    """Give a command that is not started yet.

    `limits` are its own (see `narrowed`), `home` is the sandbox's private directory.
    """
    return Joined(held, narrowed(held["plan"], limits), request, home, own=own_of(limits, request["run"]))


def own_of(limits: "Mapping[str, float]", run: str) -> "Own | None":
    """Give what holds a command to limits of its own that take more than a clock and a count; None for no such."""
    if not ("memory" in limits or "pids" in limits):
        return None
    from aisbx_linux.lasting.own import Own

    return Own(limits, run)


class Joined(Launch):
    """A command that joined a sandbox; its end is not the sandbox's."""

    def __init__(
        self,
        held: "Held",
        plan: "LocalPlan",
        request: "LaunchRequest",
        home: str,
        counts: "Counts | None" = None,
        *,
        own: "Own | None" = None,
    ) -> None:
        """Keep all; nothing is started yet. `counts` are those of somebody who keeps them, `own` its own limits."""
        super().__init__(plan, request)
        self.held = held
        self.bounds = self._lasting = CommandBounds(plan, counts or Counts(held))
        self.mark: Mark | None = None
        """By what all that came of it is known."""
        self._own = own
        self._home = home
        self._joining = -1
        """What keeps the sandbox as it is while the command starts."""
        self._use = -1

    def start(self) -> None:
        """Start the command; what goes wrong is kept for `result`, and then nothing has run."""
        self._started = time.monotonic()
        request, plan = self.request, self.plan
        try:
            self._joining = share(self._home)
            self._use = _used(self._home)
            if self._own is not None:
                self._limit(self._own)
            self.bounds.begin(self._started)
            self.wires = wires = self._make_wires()
            self._guard = Guard(plan, request["state"], request["run"])
            self._remember(self._guard)
            if plan["outside"] is not None:
                wires.lend(self.owner)
            self._enter(wires)
            if self.asked:
                self.kill()
        except JoinError as error:
            self.failure = failed_to_join(error, request["argv"][0], self.held)
            if self._own is not None and not error.number and self._lasting.met():
                self.failure = ("launch", "its own limits are less than it takes to start a command", "ask for more")
        except Exception as error:  # noqa: BLE001 - whatever it was: it is told, and nothing is left behind
            hint = "aisbx resume" if str(error) == PAUSED else ""
            self.failure = self.failure or (("state", PAUSED, hint) if hint else refused(_reason(error)))
            self.kill()
        finally:
            if self._joining >= 0:
                posix.close(self._joining)
            if self.wires is not None:
                self.wires.close_inside()

    def _limit(self, own: "Own") -> None:
        """Have it join under its own limits. OSError where they can't be."""
        self.held = own.make(self.held)
        self.mark = self.mark or own.mark
        self.bounds = self._lasting = CommandBounds(self.plan, Counts(self.held), own)

    def _remember(self, guard: Guard) -> None:
        """Have it know what the workspace held when the sandbox was made. OSError where that is lost."""
        guard.since(f"{self._home}/baseline")

    def _told(self) -> "tuple[list[str], dict[str, str], str]":
        """Give argv, variables and directory of the command."""
        request, plan = self.request, self.plan
        return request["argv"], {**plan["environment"], **request["environment"]}, request["cwd"] or plan["cwd"]

    def _enter(self, wires: "JoinedWires") -> None:
        """Start the command itself. JoinError where it can't be."""
        run = self.request["run"]
        self.monitor = self.first = start(self.held, *self._told(), wires.inside, terminal=wires.terminal, run=run)
        if self._own is not None:
            self._own.alone()
        wires.connect(self.request, self._budget, self.lent)
        self._assembly.status = posix.pidfd_open(self.monitor)
        self._lasting.watch(self.held["first"][0], self.command)

    def command(self) -> int:
        """Give the command's process on the host, 0 where there is none (yet)."""
        return self.monitor

    def members(self) -> list[int]:
        """Give the command's process and all below it."""
        command = self.command()
        return [command, *below(command)] if command else []

    @property
    def owner(self) -> int:
        """The uid on the host of root's sandbox."""
        return posix.stat(f"/proc/{self.held['first'][0]}").st_uid

    def kill(self) -> None:
        """End the command and all that came of it, but for what began a session of its own and left it."""
        command = self.command()
        if command and not self.done:
            from aisbx_linux.lasting.family import signal_all

            signal_all(self.held["first"][0], command, _KILL, self.mark)

    def _make_wires(self) -> JoinedWires:
        return JoinedWires(self.request, self._budget, self.lent)

    def _read_status(self) -> None:
        """End the streams with the command: what it left running may have them still, but is not waited for."""
        posix.close(self._assembly.status)
        self._assembly.status = -1
        self._over()

    def _over(self) -> None:
        self._ended = time.monotonic()
        self.bounds.end()
        if self.bounds.timed_out:  # it may have ended at the first word, and left others behind
            from aisbx_linux.lasting.family import end_session

            end_session(self.held["first"][0], self._lasting.asked, self.mark)
        if self.wires is not None:
            self.wires.drain()

    def _finish(self) -> None:
        try:
            super()._finish()
        finally:
            if self._own is not None:
                self._own.remove()
            if self._use >= 0:
                from aisbx_linux.lasting.use import end

                end(self._use)
                self._use = -1

    def _explain(self) -> None:
        code = posix.waitstatus_to_exitcode(self._status)
        self._report = b'"exit-code": %d}' % (code if code >= 0 else 128 - code)


def _reason(error: Exception) -> str:
    """Say what is wrong, without the number of it."""
    if isinstance(error, OSError) and isinstance(error.filename, str):
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _used(home: str) -> int:
    """Note that a sandbox is used, where somebody counts that; see `use.begin`."""
    try:
        posix.stat(f"{home}/used")
    except FileNotFoundError:
        return -1
    from aisbx_linux.lasting.use import begin

    return begin(home)
