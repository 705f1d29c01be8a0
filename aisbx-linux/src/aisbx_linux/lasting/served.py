"""A command that runs in the background of a sandbox that lasts, in a process that serves it alone.

What it prints goes to who minds it, and its input comes from there. Builtin modules only.
"""

import posix

from aisbx_linux.bounds import narrowed
from aisbx_linux.lasting.command import Joined, own_of
from aisbx_linux.lasting.family import signal_all
from aisbx_linux.lasting.identity import recall
from aisbx_linux.lasting.mark import mark, put
from aisbx_linux.lasting.terminal import Terminal
from aisbx_linux.lasting.wires import JoinedWires
from aisbx_linux.lend import Input
from aisbx_linux.relay import POLLOUT, Budget, Output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aisbx.types import Attendant, LaunchRequest, LaunchResult, LocalPlan

    from aisbx_linux.lasting.identity import Held
    from aisbx_linux.lasting.own import Own
    from aisbx_linux.terminal import RawTerminal

_KILL = 9
_ROOM = 1 << 16
_SIZE = b"".join(number.to_bytes(2, "little") for number in (24, 80, 0, 0))


def serve(data: "Mapping[str, object]", attendant: "Attendant") -> "LaunchResult":
    """Run a command to its end; `data` is what `LastingSandbox.background` gives."""
    home: str = data["home"]  # pyright: ignore[reportAssignmentType]  (plain data, as it was made)
    request: LaunchRequest = data["request"]  # pyright: ignore[reportAssignmentType]
    limits: dict[str, float] = data["limits"]  # pyright: ignore[reportAssignmentType]
    held = recall(home)
    if held is None:
        raise OSError("the sandbox has ended")
    marked = mark(request["run"])
    held, own = put(held, marked), own_of(limits, request["run"])
    running = Serving(
        held, narrowed(held["plan"], limits), request, home, attendant, stdin=bool(data["stdin"]), own=own
    )
    running.mark = marked
    running.start()
    if running.failure is None and running.monitor:
        attendant.begun(running)
    running.wait()
    return running.result()


class Serving(Joined):
    """A command with somebody who minds it in the place of a caller's streams; a `Served`."""

    def __init__(
        self,
        held: "Held",
        plan: "LocalPlan",
        request: "LaunchRequest",
        home: str,
        attendant: "Attendant",
        *,
        stdin: bool,
        own: "Own | None",
    ) -> None:
        """Keep all; nothing is started yet."""
        super().__init__(held, plan, request, home, own=own)
        self._attendant = attendant
        self._open = stdin

    @property
    def room(self) -> int:
        """How many bytes of input it takes at present; negative where it takes no more at all."""
        fed = self._fed
        return fed.room if fed is not None else -1

    @property
    def waiting(self) -> bool:
        """Whether input has not been passed on yet."""
        fed = self._fed
        return fed is not None and bool(fed.pending)

    def feed(self, data: bytes) -> None:
        """Pass input on as far as the command reads it."""
        if self._fed is not None:
            self._fed.feed(data)

    def end_input(self) -> None:
        """Let it see the end of its input; on a pty, by the key that says so."""
        if self._fed is not None:
            self._fed.end()

    def signal_all(self, number: int) -> None:
        """Send a signal to the command and to all that came of it; SIGKILL until nothing new is found."""
        if not self.monitor or self.done:
            return
        signal_all(self.held["first"][0], self.monitor, number, self.mark)

    def kill(self) -> None:
        """End the command and all that came of it."""
        self.signal_all(_KILL)

    @property
    def _fed(self) -> "Fed | None":
        return self.wires.stdin if self.wires is not None and isinstance(self.wires.stdin, Fed) else None

    def _make_wires(self) -> JoinedWires:
        return _Wires(self._attendant, self._budget, terminal=self.request["terminal"], stdin=self._open)

    def _wanted(self) -> "dict[int, tuple[int, list[Callable[[], None]]]]":
        steps = super()._wanted()
        if steps:
            for descriptor, (events, step) in self._attendant.steps().items():
                steps[descriptor] = (events, [step])
        return steps


class _Wires(JoinedWires):
    """The streams of a command whose output goes to who minds it."""

    __slots__ = ("_attendant",)

    def __init__(self, attendant: "Attendant", budget: Budget, *, terminal: bool, stdin: bool) -> None:
        """Make pipes, or the way to a pty; without `stdin` or a `terminal` there is no input."""
        self._attendant = attendant
        self.opened: list[int] = []
        self.stdin = self.stdout = self.stderr = None
        self.terminal = Terminal(_SIZE) if terminal else None
        if terminal:
            self.inside = (-1, -1, -1)
            return
        if stdin:
            reader, writer = posix.pipe2(posix.O_CLOEXEC)
            first = self._keep(reader)
            self.stdin = Fed(writer)
        else:
            first = self._keep(posix.open("/dev/null", posix.O_RDONLY | posix.O_CLOEXEC))
        second, self.stdout = self._minded(1, budget)
        third, self.stderr = self._minded(2, budget)
        self.inside = (first, second, third)

    def connect(self, request: "LaunchRequest", budget: Budget, lent: "RawTerminal | None") -> None:
        """Mind the pty, once the command has one."""
        del request, lent  # there is no caller
        if self.terminal is None:
            return
        self.stdin = Fed(posix.dup(self.terminal.master))
        self.stdout = _Minded(self.terminal.master, 1, budget, self._attendant)

    def _minded(self, stream: int, budget: Budget) -> "tuple[int, Output]":
        reader, writer = posix.pipe2(posix.O_CLOEXEC)
        return self._keep(writer), _Minded(reader, stream, budget, self._attendant)


class _Minded(Output):
    """One stream from the command to who minds it."""

    __slots__ = ("_attendant", "_stream")

    def __init__(self, source: int, stream: int, budget: Budget, attendant: "Attendant") -> None:
        super().__init__(source, -1, budget)
        self._stream = stream
        self._attendant = attendant

    def _accept(self, data: bytes) -> None:
        if data := self._within(data):
            self._attendant.printed(self._stream, data)


class Fed(Input):
    """The command's input, as it comes."""

    __slots__ = ("ends",)

    def __init__(self, target: int) -> None:
        """Feed `target`, a pipe or a pty's master."""
        super().__init__(b"", target)
        self.ends = False

    @property
    def room(self) -> int:
        """How much may be fed now; negative when nothing may be any more."""
        return -1 if self.target < 0 or self.ends else max(0, _ROOM - len(self.pending))

    def feed(self, data: bytes) -> None:
        """Pass bytes on."""
        if self.target >= 0 and not self.ends:
            self.pending += data

    def end(self) -> None:
        """End it behind what was fed."""
        if self.target >= 0 and posix.isatty(self.target):
            import termios

            self.pending += termios.tcgetattr(self.target)[6][termios.VEOF]
            return
        self.ends = True
        if not self.pending:
            self.close()

    def wants(self) -> tuple[int, int]:
        """Give the descriptor and poll event that the next step waits for; (-1, 0) while there is nothing to do."""
        return (self.target, POLLOUT) if self.target >= 0 and self.pending else (-1, 0)

    def step_on(self) -> None:
        """Write what it takes."""
        if self.target < 0:
            return
        try:
            self.pending = self.pending[posix.write(self.target, self.pending) :]
        except BlockingIOError:
            return
        except OSError:
            self.close()  # EPIPE: the command reads no more
            return
        if self.ends and not self.pending:
            self.close()

    def close(self) -> None:
        """End it now. May be called twice."""
        if self.target >= 0:
            posix.close(self.target)
            self.target = -1
