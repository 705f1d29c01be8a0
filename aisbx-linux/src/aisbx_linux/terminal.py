"""A pty of the run's own, and the caller's terminal in raw mode while it lasts. Builtin modules only."""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


class RawTerminal:
    """The caller's terminal, passing every key through; given back as it was found."""

    __slots__ = ("descriptor", "saved")

    def __init__(self, descriptor: int) -> None:
        """Remember the terminal's settings; nothing is changed yet."""
        import termios

        self.descriptor = descriptor
        self.saved = termios.tcgetattr(descriptor)

    def __enter__(self) -> None:
        """Switch to raw mode (termios(3), cfmakeraw)."""
        import termios

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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        """Give the terminal back as it was found."""
        import termios

        termios.tcsetattr(self.descriptor, termios.TCSADRAIN, self.saved)


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


def set_size(target: int, rows: int, columns: int) -> None:
    """Give a pty a size in character cells; ValueError where there is none (-1)."""
    import fcntl
    import termios

    if target < 0:
        msg = "the command has no terminal"
        raise ValueError(msg)
    fcntl.ioctl(target, termios.TIOCSWINSZ, b"".join(n.to_bytes(2, "little") for n in (rows, columns, 0, 0)))
