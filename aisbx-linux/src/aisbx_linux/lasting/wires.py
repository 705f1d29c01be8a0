"""The streams of a command that joins a sandbox: as of any, but for its pty, which is opened inside."""

import posix

from aisbx_linux.lend import Input
from aisbx_linux.relay import Budget, Output
from aisbx_linux.wire import Wires

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import LaunchRequest

    from aisbx_linux.lasting.terminal import Terminal
    from aisbx_linux.terminal import RawTerminal


class JoinedWires(Wires):
    """With a terminal, `inside` has a negative number in its place, and the relays are there after `connect`."""

    __slots__ = ("_given", "terminal")

    def __init__(
        self, request: "LaunchRequest", budget: Budget, lent: "RawTerminal | None" = None, *, null: int = -1
    ) -> None:
        """Make what the request asks for; there is no tool between. `null` is /dev/null, open for reading, if kept."""
        self.terminal: Terminal | None = None
        self._given = null
        super().__init__(request, budget, lent, tool=False)

    def _null(self, flags: int) -> int:
        return self._given if flags == posix.O_RDONLY and self._given >= 0 else super()._null(flags)

    def _terminal(
        self, request: "LaunchRequest", budget: Budget, lent: "RawTerminal | None", holding: "tuple[bytes, ...]"
    ) -> None:
        from aisbx_linux.lasting.terminal import Terminal, size_of

        del lent  # `connect` has it
        source, target, errors = request["stdin"], request["stdout"], request["stderr"]
        if not isinstance(source, int) or target is None:
            raise ValueError("a terminal needs descriptors for stdin and stdout")
        self.terminal = Terminal(size_of(source))
        third = -1
        if errors is not None and not posix.isatty(errors):
            third, self.stderr = self._out(errors, budget, 0, holding=holding)
        self.inside = (-1, -1, third)

    def connect(self, request: "LaunchRequest", budget: Budget, lent: "RawTerminal | None") -> None:
        """Relay between the caller and the pty, once the command has one; nothing to do without a terminal."""
        if self.terminal is None:
            return
        from aisbx_linux.terminal import Keys

        source, target = request["stdin"], request["stdout"]
        if not isinstance(source, int) or target is None:
            return  # refused before
        keys = posix.dup(self.terminal.master)
        self.stdin = Input(source, keys) if lent is None else Keys(source, keys, lent)
        self.stdout = Output(self.terminal.master, target, budget)

    def close_inside(self) -> None:
        """As any, and end the way on which a master comes out."""
        super().close_inside()
        if self.terminal is not None:
            self.terminal.close()
