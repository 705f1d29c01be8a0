"""A pty of the run's own, and the caller's terminal in raw mode while it lasts. Builtin modules only."""

import posix
import time

from aisbx_linux.lend import Input
from aisbx_linux.relay import CHUNK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from aisbx_linux.launch import Launch

_EINTR = 4


class RawTerminal:
    """The caller's terminal, passing every key through; given back as it was found.

    Only while this process is in the terminal's foreground: from the background, a change of its modes or a read stops
    the process (SIGTTOU, SIGTTIN; termios(3), setpgid(2)), and nobody may be there to continue it.
    """

    EVERY = 0.5
    """Seconds between two looks whether the command has been stopped: nothing tells of it but its state."""
    __slots__ = ("active", "descriptor", "launch", "looked", "saved")

    def __init__(self, descriptor: int, launch: "Launch") -> None:
        """Nothing is changed yet; it is lent to the command of `launch`."""
        self.descriptor = descriptor
        self.launch = launch
        self.active = False
        self.looked = 0.0
        self.saved: list[Any] | None = None

    def enter(self) -> bool:
        """Switch to raw mode (cfmakeraw) unless it is; False in the background, where nothing is changed."""
        import termios

        while in_foreground(self.descriptor):
            if self.active:
                return True
            try:
                self._make_raw()
            except termios.error as error:
                if error.args[0] != _EINTR:  # the terminal has gone
                    return False
        return False

    def _make_raw(self) -> None:
        import termios

        if self.saved is None:
            self.saved = termios.tcgetattr(self.descriptor)
        raw = list(self.saved)
        raw[0] &= ~(
            termios.IGNBRK
            | termios.BRKINT
            | termios.PARMRK
            | termios.ISTRIP
            | termios.INLCR
            | termios.IGNCR
            | termios.ICRNL
            | termios.IXON
        )
        raw[1] &= ~termios.OPOST
        raw[2] = (raw[2] & ~(termios.CSIZE | termios.PARENB)) | termios.CS8
        raw[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
        termios.tcsetattr(self.descriptor, termios.TCSADRAIN, raw)
        self.active = True

    def continued(self) -> None:
        """Enter again: while this process was stopped, others may have changed the modes."""
        self.active = False
        self.enter()

    def look(self) -> None:
        """Stop as the command has, if it has been stopped: whoever waits for this process then has the terminal."""
        now = time.monotonic()
        if now >= self.looked + self.EVERY:
            from aisbx_linux.suspend import TSTP, stopped_itself

            self.looked = now
            if stopped_itself(self.launch):
                posix.kill(0, TSTP)

    def asks(self, keys: bytes, target: int) -> bool:
        """Tell whether `keys` for the pty `target` ask to stop the command, and nobody but us would do it."""
        from aisbx_linux.suspend import leaves_it

        return leaves_it(target, keys, self.launch)

    def stop(self) -> None:
        """Stop, and with us our process group."""
        from aisbx_linux.suspend import TSTP

        posix.kill(0, TSTP)

    def give_back(self) -> None:
        """Give the terminal back as it was found, if it is ours to change."""
        import termios

        if self.active and self.saved is not None and in_foreground(self.descriptor):
            termios.tcsetattr(self.descriptor, termios.TCSADRAIN, self.saved)


def in_foreground(terminal: int) -> bool:
    """Tell whether this process may read and change a terminal; one that does not control it always may."""
    try:
        return posix.tcgetpgrp(terminal) == posix.getpgrp()
    except OSError:  # ENOTTY: not our controlling terminal
        return True


class Keys(Input):
    """What is typed on the caller's terminal: in the background it is somebody else's, and stays where it is."""

    __slots__ = ("held", "lent_terminal")

    def __init__(self, source: int, target: int, lent: RawTerminal) -> None:
        """Feed `target`, a pty, from the terminal `source` while it is lent to us."""
        super().__init__(source, target)
        self.lent_terminal = lent
        self.held = False

    def wants(self) -> tuple[int, int]:
        """Wait for keys in the foreground only; `held` asks to be looked at again, for nothing tells of a change."""
        descriptor, event = super().wants()
        self.held = descriptor == self.source and not self.lent_terminal.enter()
        return (-1, 0) if self.held else (descriptor, event)

    def step_on(self) -> None:
        """As any input, and see to the key that stops a command."""
        keys = b""
        if self.target >= 0 and not self.pending and not self.at_end:
            try:
                keys = self.pending = posix.read(self.source, CHUNK)
            except BlockingIOError:
                return
            except OSError:
                self.close()  # the terminal has gone
                return
            self.at_end = not keys
        # Both before and after: one that handles the key may have ended by the time it is asked.
        asked = bool(keys) and self.lent_terminal.asks(keys, self.target)
        super().step_on()
        if asked and self.target >= 0 and self.lent_terminal.asks(keys, self.target):
            self.lent_terminal.stop()


def open_pty(like: int) -> tuple[int, int]:
    """Give (master, slave) of a new pty with the size of the terminal `like`; neither is inheritable."""
    master, slave = posix.openpty()
    copy_size(like, master)
    return master, slave


def copy_size(source: int, target: int) -> None:
    """Give a pty the size of another terminal; nothing where `source` is none."""
    import fcntl
    import termios

    try:
        size = fcntl.ioctl(source, termios.TIOCGWINSZ, b"\0" * 8)
    except OSError:
        return
    fcntl.ioctl(target, termios.TIOCSWINSZ, size)


def pty_of(launch: "Launch") -> int:
    """Give a descriptor of the command's pty that is the caller's to close; -1 where there is none, or none any more.

    Any thread may ask. The relay forgets a number before it closes it, and by then it may be somebody else's: so one
    that is still known after it was duplicated was the pty's.
    """
    wires = launch.wires
    shown = wires.stdout if wires is not None and launch.request["terminal"] else None
    number = shown.source if shown is not None else -1
    if shown is None or number < 0:
        return -1
    try:
        own = posix.dup(number)
    except OSError:
        return -1
    if shown.source == number:
        return own
    posix.close(own)
    return -1


def set_size(launch: "Launch", rows: int, columns: int) -> None:
    """Give a command's pty a size in character cells; ValueError where it has none, or none any more."""
    import fcntl
    import termios

    own = pty_of(launch)
    if own < 0:
        msg = "the command has no terminal, or none any more"
        raise ValueError(msg)
    try:
        fcntl.ioctl(own, termios.TIOCSWINSZ, b"".join(n.to_bytes(2, "little") for n in (rows, columns, 0, 0)))
    finally:
        posix.close(own)
