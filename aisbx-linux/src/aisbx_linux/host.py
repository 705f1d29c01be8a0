"""A process that exists for one launch: it passes signals on and lends its terminal. Builtin modules only."""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from types import TracebackType

    from aisbx.types import LaunchResult

    from aisbx_linux.launch import Launch
    from aisbx_linux.terminal import RawTerminal

if not TYPE_CHECKING:
    import _signal  # the C module: `signal` costs milliseconds for its enumerations

_RELAYED = (1, 2, 3, 10, 12, 15)  # HUP, INT, QUIT, USR1, USR2, TERM
_CONT, _TSTP, _WINCH = 18, 20, 28


def serve(launch: "Launch") -> "LaunchResult":
    """Start what is to be launched and relay until its end."""
    if launch.request["exclusive"]:
        with Owned(launch):
            launch.start()
            launch.wait()
    else:
        launch.start()
        launch.wait()
    return launch.result()


class Owned:
    """While it lasts, this process serves one launch: signals, terminal, orphans."""

    __slots__ = ("before", "launch", "raw", "wakers")

    def __init__(self, launch: "Launch") -> None:
        """Nothing is changed yet."""
        self.launch = launch
        self.before: dict[int, object] = {}
        self.raw: RawTerminal | None = None
        self.wakers: tuple[int, ...] = ()

    def __enter__(self) -> None:
        """Take the signals over; put the caller's terminal into raw mode where the command has a pty."""
        launch = self.launch
        self.wakers = posix.pipe2(posix.O_CLOEXEC | posix.O_NONBLOCK)
        launch.waker = self.wakers[0]
        _signal.set_wakeup_fd(self.wakers[1], warn_on_full_buffer=False)
        for number in _RELAYED:
            if _signal.getsignal(number) is not _signal.SIG_IGN:  # nohup stays in force
                self.before[number] = _signal.signal(number, self._relay)
        if _signal.getsignal(_TSTP) is not _signal.SIG_IGN:
            self.before[_TSTP] = _signal.signal(_TSTP, self._suspend)
        source, target = launch.request["stdin"], launch.request["stdout"]
        if launch.request["terminal"] and isinstance(source, int) and target is not None:
            from aisbx_linux.terminal import RawTerminal

            self.raw = launch.lent = RawTerminal(source, launch)
            self.raw.enter()
            self.before[_CONT] = _signal.signal(_CONT, self._continued)
            self.before[_WINCH] = _signal.signal(_WINCH, self._resize)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        """Give terminal and signals back; an error on the way out ends the sandbox first."""
        if kind is not None:
            self.launch.kill()
        if self.raw is not None:
            self.raw.give_back()
        for number, handler in self.before.items():
            _signal.signal(number, handler)  # pyright: ignore[reportArgumentType]
        _signal.set_wakeup_fd(-1)
        self.launch.waker = -1
        for descriptor in self.wakers:
            posix.close(descriptor)

    def _relay(self, number: int, _: object) -> None:
        self.launch.signal(number)

    def _suspend(self, *_: object) -> None:
        from aisbx_linux.suspend import suspend

        suspend(self.launch)
        if self.raw is not None:
            self._resize()  # nobody tells of a new size while others have the terminal

    def _continued(self, *_: object) -> None:
        if self.raw is not None:
            self.raw.continued()

    def _resize(self, *_: object) -> None:
        from aisbx_linux.terminal import copy_size, pty_of

        source, own = self.launch.request["stdin"], pty_of(self.launch)
        if own >= 0:
            if isinstance(source, int):
                copy_size(source, own)
            posix.close(own)
