"""Go on with a launch that the compiled front has begun, with the same code as any other. Builtin modules only.

What it tells (`aisbx-linux/native/hand.c`) are lines of a name and words: numbers in decimal, times in nanoseconds of
the monotonic clock, bytes in hexadecimal (`-` for none).

It hands over once the gate is open, with whatever is not the ordinary course of a run: a signal, the time limit, the
watch, a descriptor that refuses output, a workspace that differs. Its signals are blocked until handlers are here.
"""

import posix

from aisbx_linux.guard import Guard, scans
from aisbx_linux.host import Owned
from aisbx_linux.launch import Launch
from aisbx_linux.lend import Input
from aisbx_linux.protect.scan import parse
from aisbx_linux.relay import TOOL_REPORT, Output
from aisbx_linux.wire import Wires

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal

    from aisbx.types import LaunchRequest, LaunchResult, LocalPlan

    from aisbx_linux.relay import Budget

    Handed = dict[str, list[str]]
else:
    import _signal  # the C module: `signal` costs milliseconds for its enumerations

_PIECE = 1 << 20
_SECOND = 1e9
_MICROSECOND = 1e-6


def resume(plan: "LocalPlan", request: "LaunchRequest", handed: "Handed") -> "LaunchResult":
    """Relay until the end of a run that is going on, or take what is known of one that has ended."""
    return served(Resumed(plan, request, handed))


def served(launch: "Taking") -> "LaunchResult":
    """Relay until the end of what was taken over: its signals are blocked still."""
    with Owned(launch):
        _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
        launch.wait()
    return launch.result()


class Taking(Launch):
    """A launch that can take the processes, descriptors and counts that the front has handed over."""

    def take(self, handed: "Handed") -> None:
        """Take over; ValueError or IndexError where what is told is not complete."""
        self.monitor, self.first = numbers(handed, "processes")
        status, report = handed["status"]
        self._assembly.status = int(status)
        self._report = _content(report)
        started, ended, look = (moment / _SECOND for moment in numbers(handed, "clock"))
        self._started, self._ended = started, ended
        left, log_left, log, error = numbers(handed, "budget")
        self._budget.left, self._budget.log_left = left, log_left
        if self._budget.log is not None:
            self._budget.log.descriptor, self._budget.log.error = log, error
        self.wires = _Taken(handed, self._budget)
        self._guard = Guard(self.plan, self.request["state"], self.request["run"])
        if known := numbers(handed, "look"):
            self._take_look(known[0])
        self._take_bounds(handed, started, look)
        if ended:
            self.bounds.end()
        if done := numbers(handed, "done"):
            self.done = True
            _, self._status, user, system, largest, _ = done
            self._usage = (user * _MICROSECOND, system * _MICROSECOND, largest)

    def _take_bounds(self, handed: "Handed", started: float, look: float) -> None:
        name, *parents = handed.get("group", [""])
        self.bounds.resume(started, self.first, look, name, [int(parent) for parent in parents])

    def _known_at(self, workspace: str) -> str:
        """Give the file that what is known of a workspace was read from."""
        return scans(self.request["state"], workspace)

    def _take_look(self, descriptor: int) -> None:
        """Take what the front knew of the workspace: other runs may have remembered something else since."""
        workspace = self.plan["workspace"][0] if self.plan["workspace"] else ""
        state = parse(read_all(descriptor), workspace, self._known_at(workspace))
        if state is None:
            self._findings.append("cannot look at the workspace again: what was known of it is lost")
        elif self._guard is not None:
            self._guard.share(state, "")


class Resumed(Taking):
    """A launch in a sandbox of its own that is going on."""

    def __init__(self, plan: "LocalPlan", request: "LaunchRequest", handed: "Handed") -> None:
        """Take it over; ValueError or IndexError where what is told is not complete."""
        super().__init__(plan, request)
        self.take(handed)


class _Taken(Wires):
    """The streams of a run that is going on; the command has its ends."""

    def __init__(self, handed: "Handed", budget: "Budget") -> None:
        """Take each stream as the front has left it."""
        self.opened = []
        self.stdin = self.stdout = self.stderr = None
        self.inside = (-1, -1, -1)
        if told := handed.get("stdin"):
            self.stdin = _input(told)
        if told := handed.get("stdout"):
            self.stdout = _output(told, 1, budget)
        if told := handed.get("stderr"):
            self.stderr = _output(told, 2, budget)


def _input(told: "list[str]") -> Input:
    kind, target, reader, at_end, lent, pending = told
    taken = Input.__new__(Input)  # a new one would change the pipe's size
    taken.source, taken.target, taken.reader = 0, int(target), int(reader)
    taken.kind, taken.at_end, taken.lent, taken.pending = kind, at_end == "1", int(lent), _content(pending)
    return taken


def _output(told: "list[str]", target: int, budget: "Budget") -> Output:
    source, passed, holding, held, pending = told
    if int(source) < 0:
        taken = Output(target, target, budget)
        taken.source = -1
    else:
        taken = Output(int(source), target, budget, holding=TOOL_REPORT if holding == "1" else ())
    taken.passed, taken.held, taken.pending = int(passed), _content(held), _content(pending)
    return taken


def numbers(handed: "Handed", name: str) -> "list[int]":
    """Give the words of a line as numbers; none where there is no such line."""
    return [int(word) for word in handed.get(name, ())]


def _content(word: str) -> bytes:
    """Give the bytes that a word stands for."""
    return b"" if word == "-" else bytes.fromhex(word)


def read_all(descriptor: int) -> bytes:
    """Give the whole of an open file, and leave its offset alone."""
    data = b""
    while piece := posix.pread(descriptor, _PIECE, len(data)):
        data += piece
    return data
