"""Carry out a `LocalPlan`: the one place that starts processes in a sandbox. On the hot path: builtin modules only.

Order of a launch, and why nothing of the command can run before its walls stand:

1. open the sources, write contents to memory files;
2. start the tool with an empty environment, descriptors that were made for it, and nothing else open; while it is
   loaded, find the workspace's protected files; only then is it told, over a pipe, what to mount;
3. it reports its first process; that one's limits are set from here, inside its user namespace;
4. only then is the system-call filter written to the pipe that the tool waits on. A launcher that dies before
   leaves an empty filter, which the kernel refuses: the filter is the gate, and the gate fails closed;
5. relay the streams until every process has ended, then look at the workspace again.
"""

import posix
import time

from aisbx_linux.assemble import Assembly, assemble, instruct
from aisbx_linux.bounds import Bounds
from aisbx_linux.ending import TIMED_OUT, aborted, code_of, composed, exit_code, ran, refused, unexplained
from aisbx_linux.guard import Guard
from aisbx_linux.processes import below, deliver, first_child, runs, send
from aisbx_linux.relay import POLLIN, Budget, Log
from aisbx_linux.spawn import outside_id, spawn
from aisbx_linux.wire import Wires

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from aisbx.types import Failure, LaunchRequest, LaunchResult, LocalPlan

    from aisbx_linux.attend import Attendants
    from aisbx_linux.relay import Output
    from aisbx_linux.terminal import RawTerminal

FORMAT = 7  # of `LocalPlan`; a plan of another version is not carried out
_HOLD = 0.1
_LONGEST = 86_400.0  # seconds of one wait: poll(2) takes no more than 24 days
_turns = iter(range(1 << 62))
_INT, _KILL, _TERM = 2, 9, 15


def __getattr__(name: str) -> object:
    """Give HOT, LATE, LAYER and `carried` of `modules`: only the making of a plan asks for them."""
    if name not in {"HOT", "LATE", "LAYER", "carried"}:
        raise AttributeError(name)
    from aisbx_linux import modules

    return getattr(modules, name)


def launch(plan: "LocalPlan", request: "LaunchRequest") -> "LaunchResult":
    """Run one command to its end."""
    from aisbx_linux.host import serve

    return serve(Launch(plan, request))


class Launch:
    """One command in a sandbox of its own. Not for use by several threads at once."""

    def __init__(self, plan: "LocalPlan", request: "LaunchRequest") -> None:
        """Keep plan and request; nothing is opened yet."""
        if plan["format"] != FORMAT:
            msg = f"plan format {plan['format']} is not {FORMAT}"
            raise ValueError(msg)
        self.plan = plan
        self.request = request
        self.monitor = 0
        """The process on the host whose end is the end of all others: the tool, or the helper that started it."""
        self.first = 0
        """The sandbox's PID 1 as the host sees it."""
        self.wires: Wires | None = None
        self.failure: Failure | None = None
        self.bounds = Bounds(plan)
        self.done = False
        self.asked = 0
        """The last signal that a person or the time limit sent through us."""
        self.lent: RawTerminal | None = None
        """The caller's terminal, where this process may change it."""
        self.waker = -1
        """Readable once a signal has come: one that comes just before poll(2) would not interrupt it."""
        kept = f"{request['state']}/runs/{request['run']}.log" if request["state"] and request["keep_output"] else ""
        self._budget = Budget(plan["output"], Log(kept, request["keep_output"]) if kept else None)
        self._assembly = Assembly()
        self._report = b""
        self._home = ""  # of a sandbox that lasts
        self._guard: Guard | None = None
        self.attendants: Attendants | None = None
        self._findings: list[str] = []
        self._status = 0
        self._usage: tuple[float, float, int] = (0.0, 0.0, 0)
        self._started = self._ended = 0.0

    def start(self) -> None:
        """Start the command; what goes wrong is kept for `result`, and then nothing has run."""
        self._started, assembly = time.monotonic(), self._assembly
        try:
            self.bounds.begin(self._started)
            self.wires = Wires(self.request, self._budget, self.lent)
            self._guard = guard = Guard(self.plan, self.request["state"], self.request["run"], self._home)
            assembly.layer = guard.lay()
            assemble(assembly, self.plan, self.request)
            outside = outside_id(self.plan, next(_turns))
            # A helper mounts in a namespace of its own, where nothing can be added later.
            covered = None if self.request["exclusive"] else guard.hold(None)
            self.monitor = spawn(self.plan, assembly, self.wires, outside, covered, self.bounds.doors)
            assembly.close()
            self.wires.close_inside()
            # While the tool is being loaded; it waits for its options.
            covered = guard.hold(assembly.layout) if covered is None else covered
            instruct(assembly, self.plan, self.request, covered)
            if self.asked:  # before there was anything to end
                self.kill()
            self.bounds.prepare()
            if self._await_first() and not self.asked:
                self.bounds.hold(self.first)
                self._before_gate()
                assembly.open_gate(self.plan["filter"], exclusive=self.request["exclusive"])
            elif self.asked:
                self.kill()  # the gate stays shut
        except (ProcessLookupError, BrokenPipeError):
            pass  # it has ended before its gate was opened: the tool says why
        except Exception as error:  # noqa: BLE001 - whatever it was: it is told, and nothing is left behind
            self.failure = self.failure or refused(str(error))
            self.kill()
        finally:
            assembly.end()
            if self.wires is not None:
                self.wires.close_inside()

    def wait(self, timeout: float | None = None) -> bool:
        """Relay until every process has ended; False when `timeout` seconds passed first."""
        until = None if timeout is None else time.monotonic() + timeout
        while not self.done:
            try:
                self._step(until)
            except Exception as error:  # noqa: BLE001 - the workspace is looked at, and a record written, whatever it was
                self._give_up(error)
            if until is not None and time.monotonic() >= until:
                return self.done
        return True

    def signal(self, number: int) -> None:
        """Pass a signal on: to the foreground group for those a terminal sends, else to the command."""
        if self.done:
            return
        if number in {_INT, _TERM} and self.asked == number:
            self.kill()  # asked twice
        self.asked = number
        if not deliver(self.command(), self.members, number):
            self.kill()  # nothing that could handle it: `start` goes no further, or all is about to end

    def command(self) -> int:
        """Give the command's process on the host, 0 where there is none (yet)."""
        return first_child(self.first) if self.first else 0

    def members(self) -> list[int]:
        """Give the processes on the host that are the command's, itself among them."""
        return below(self.first) if self.first else []

    def resize(self, rows: int, columns: int) -> None:
        """Give the command's pty a size, from any thread; ValueError where it has none, or none any more."""
        from aisbx_linux.terminal import set_size

        set_size(self, rows, columns)

    def kill(self) -> None:
        """End every process now: the kernel ends a PID namespace with its first process."""
        if self.monitor and not self.done:
            send(self.monitor, _KILL)

    def result(self) -> "LaunchResult":
        """Give what came of it, once `wait` has returned True."""
        bounds = self.bounds
        code = TIMED_OUT if bounds.timed_out else exit_code(self._report, self._status, self.asked)
        if self.failure is not None:
            code = code_of(self.failure)
        wires, findings = self.wires, self._findings
        if wires and any(output.error for output in wires.outputs()) and self.failure is None and not bounds.timed_out:
            from aisbx_linux.undelivered import answer

            code, told = answer(code, wires)
            findings = [*findings, *told]
        findings = [*findings, *self._budget.lost()]
        return composed(code, self.failure, bounds, wires, (self._ended - self._started, *self._usage), findings)

    def _before_gate(self) -> None:
        """Do what is to be done once there is a first process, and while nothing of the command's can run."""
        if self.plan["publish"] or "egress" in self.plan:
            from aisbx_linux.attend import Attendants

            self.attendants = Attendants(self.plan, self.first, self.request["run"], self._home)

    def _await_first(self) -> bool:
        """Read the tool's report of its first process; False when it ended without."""
        while b"\n" not in self._report:
            data = posix.read(self._assembly.status, 4096)
            if not data:
                return False
            self._report += data
        # The tool counts in the namespace that it is in; we need the number that the host knows.
        self.first = first_child(self.monitor if self.request["exclusive"] else first_child(self.monitor))
        return self.first > 0

    def _step(self, until: "float | None") -> None:
        """Wait for one thing to happen, until a moment at most, and serve it."""
        from select import poll

        steps = self._wanted()
        if not steps and self.request["terminal"] and self.wires and ran(self._report):
            self._findings += self.wires.let_go(self.request["argv"][0])
            steps = self._wanted()
        if not steps:
            self._finish()
            return
        poller = poll()
        for descriptor, (events, _) in steps.items():
            poller.register(descriptor, events)
        now = time.monotonic()
        held = self.wires is not None and self.wires.held()
        wake = _HOLD if held else 0 if self.lent is None else self.lent.EVERY
        moments = self.bounds.moments(until, now + wake if wake else None)
        ready = poller.poll(max(0.0, min(*moments, now + _LONGEST) - now) * 1000 if moments else None)
        for descriptor, _ in ready:
            for step in steps[descriptor][1]:
                step()
        if held and runs(self.first, self.plan["program"], *(self.wires.instead() if self.wires else ())):
            self._release()
        if self.lent is not None:
            self.lent.look()
        if self.bounds.mind():
            self.kill()

    def _give_up(self, error: Exception) -> None:
        """End a run that cannot be served any more: its streams are dropped, not what comes after its end."""
        if self.done or self.wires is None:
            raise error  # it is not the streams
        self.failure = self.failure or aborted(error)
        self.kill()
        self.wires, dropped = None, self.wires
        dropped.close()

    def _outputs(self) -> "list[Output]":
        return [] if self.wires is None else self.wires.outputs()

    def _wanted(self) -> "dict[int, tuple[int, list[Callable[[], None]]]]":
        """Give what the loop waits for: descriptor → poll events and the steps to take."""
        steps: dict[int, tuple[int, list[Callable[[], None]]]] = {}
        if self._assembly.status >= 0:
            steps[self._assembly.status] = (POLLIN, [self._read_status])
        if self.wires:
            self.wires.add_steps(steps)
        if steps and self.waker >= 0:
            steps[self.waker] = (POLLIN, [self._wake])
        return steps

    def _wake(self) -> None:
        posix.read(self.waker, 64)  # its handler has run by now

    def _read_status(self) -> None:
        data = posix.read(self._assembly.status, 4096)
        self._report += data
        if not data:
            posix.close(self._assembly.status)
            self._assembly.status = -1
            self._ended = time.monotonic()
            self.bounds.end()
            if self.wires:
                self.wires.end_input()
            if ran(self._report) and not self.request["terminal"]:
                self._release()

    def _release(self) -> None:
        for relay in self._outputs():
            relay.release()

    def _finish(self) -> None:
        """Every stream has ended: reap, make sure that nothing is left, and look at the workspace again."""
        self.done = True
        self._ended = self._ended or time.monotonic()
        if self.attendants is not None:  # may be in the tool's PID namespace, which ends when all in it are reaped
            self.attendants.close()
        self._reap()
        self.bounds.settle()
        self._budget.close()
        self._explain()
        if self._guard is not None:
            self._findings += self._guard.settle()

    def _reap(self) -> None:
        if self.monitor:
            _, self._status, used = posix.wait4(self.monitor, 0)
            self._usage = (used.ru_utime, used.ru_stime, used.ru_maxrss * 1024)

    def _explain(self) -> None:
        """Without the tool's own word that the command ended, it never ran: say why."""
        ended = self.bounds.timed_out or "oom_killed" in self.bounds.happened or self.asked
        if not (ran(self._report) or ended or self.failure is not None):
            self.failure = unexplained(self._outputs(), self.request["argv"][0], self._status)
