"""Make the pipes or the pty of a run, and the relays that join them to the caller. Builtin modules only."""

import posix

from aisbx_linux.lend import Input
from aisbx_linux.relay import SETSID_REPORT, TERMINAL_REPORTS, TOOL_REPORT, Budget, Output, kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from aisbx.types import LaunchRequest

    from aisbx_linux.terminal import RawTerminal


class Wires:
    """The streams of one run: what the command gets, and what the launcher relays."""

    __slots__ = ("inside", "opened", "stderr", "stdin", "stdout")

    def __init__(
        self, request: "LaunchRequest", budget: Budget, lent: "RawTerminal | None" = None, *, tool: bool = True
    ) -> None:
        """Make what the request asks for; `inside` are the descriptors that become 0, 1 and 2.

        With a `tool` between, what it reports on the command's streams is held back at first.
        """
        self.opened: list[int] = []
        self.stdin: Input | None = None
        self.stdout: Output | None = None
        self.stderr: Output | None = None
        capture = request["capture"]
        if request["terminal"]:
            self._terminal(request, budget, lent, TERMINAL_REPORTS if tool else ())
            return
        standard_input = request["stdin"]
        if standard_input is None or (isinstance(standard_input, int) and kind_of(standard_input) == "null"):
            first = self._null(posix.O_RDONLY)
        else:
            reader, writer = posix.pipe2(posix.O_CLOEXEC)
            first = self._keep(reader)
            self.stdin = Input(standard_input, writer)
        second, self.stdout = self._out(request["stdout"], budget, capture)
        third, self.stderr = self._out(request["stderr"], budget, capture, holding=TOOL_REPORT if tool else ())
        self.inside = (first, second, third)

    def outputs(self) -> "list[Output]":
        """Give the relays from the command."""
        return [relay for relay in (self.stdout, self.stderr) if relay is not None]

    def held(self) -> bool:
        """Tell whether a relay keeps something back that has to be looked at again after a while."""
        return any(relay.held for relay in (self.stdin, self.stdout, self.stderr) if relay is not None)

    def instead(self) -> "tuple[str, ...]":
        """Give the program that runs in the command's place, where what it says of the command is held back."""
        # It comes in pieces.
        if not any(held.startswith(SETSID_REPORT[: len(held)]) for relay in self.outputs() if (held := relay.held)):
            return ()
        from aisbx_linux.assemble import TERMINAL

        return TERMINAL[:1]

    def let_go(self, command: str) -> "list[str]":
        """Pass on, at a command's end, what is still held back; gives lines to be told in place of setsid's own."""
        from aisbx_linux.ending import reworded

        told: list[str] = []
        for relay in self.outputs():
            line = reworded(relay.held.decode(errors="replace").strip(), command)
            if line:
                told.append(line)
                relay.held = b""
            relay.release()
        return told

    def add_steps(self, steps: "dict[int, tuple[int, list[Callable[[], None]]]]") -> None:
        """Add what the relays wait for: descriptor → poll events and the steps to take."""
        for relay in (self.stdin, self.stdout, self.stderr):
            descriptor, event = relay.wants() if relay is not None else (-1, 0)
            if relay is not None and descriptor >= 0:
                events, others = steps.get(descriptor, (0, []))
                steps[descriptor] = (events | event, [*others, relay.step_on])

    def drain(self) -> None:
        """Pass on what is there by now, and end the streams."""
        if self.stdin is not None:
            self.stdin.close()
        for relay in self.outputs():
            relay.drain()

    def end_input(self) -> None:
        """Feed nothing more."""
        if self.stdin:
            self.stdin.close()

    def close(self) -> None:
        """Drop the streams with what is still under way in them."""
        for relay in (self.stdin, self.stdout, self.stderr):
            if relay is not None:
                try:
                    relay.close()
                except OSError:
                    continue  # the caller's own descriptor: nothing can be given back to it

    def lend(self, owner: int) -> None:
        """Make what was made for the command its user's on the host, else /dev/stdout could not be opened inside.

        Not /dev/null, which is the host's own: who owns it may close it to all others.
        """
        for descriptor in self.opened:
            if kind_of(descriptor) != "null":
                posix.fchown(descriptor, owner, owner)

    def close_inside(self) -> None:
        """Close the ends that the command holds by now."""
        for descriptor in self.opened:
            posix.close(descriptor)
        self.opened.clear()

    def _keep(self, descriptor: int) -> int:
        self.opened.append(descriptor)
        return descriptor

    def _null(self, flags: int) -> int:
        return self._keep(posix.open("/dev/null", flags | posix.O_CLOEXEC))

    def _out(
        self, target: "int | None", budget: Budget, capture: int, *, holding: "tuple[bytes, ...]" = ()
    ) -> "tuple[int, Output | None]":
        if target is not None and kind_of(target) == "null" and not holding:
            return self._null(posix.O_WRONLY), None
        reader, writer = posix.pipe2(posix.O_CLOEXEC)
        relay = Output(reader, -1 if target is None else target, budget, capture=capture, holding=holding)
        return self._keep(writer), relay

    def _terminal(
        self, request: "LaunchRequest", budget: Budget, lent: "RawTerminal | None", holding: "tuple[bytes, ...]"
    ) -> None:
        from aisbx_linux.terminal import Keys, open_pty

        source, target, errors = request["stdin"], request["stdout"], request["stderr"]
        if not isinstance(source, int) or target is None:
            msg = "a terminal needs descriptors for stdin and stdout"
            raise ValueError(msg)
        master, slave = open_pty(source)
        self._keep(slave)
        keys = posix.dup(master)
        self.stdin = Input(source, keys) if lent is None else Keys(source, keys, lent)
        self.stdout = Output(master, target, budget, holding=holding)
        third = slave
        if errors is not None and not posix.isatty(errors):
            third, self.stderr = self._out(errors, budget, 0, holding=holding)
        self.inside = (slave, slave, third)
