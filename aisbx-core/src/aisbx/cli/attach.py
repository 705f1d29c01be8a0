"""A terminal, or streams, joined to a command in the background: what `aisbx attach` does."""

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from select import select
from typing import TYPE_CHECKING

from aisbx.background.caller import Caller
from aisbx.background.door import END, INPUT, LONGEST, SIZE
from aisbx.background.output import Part, Reader, position_of
from aisbx.cli.ends import met
from aisbx.cli.render import say
from aisbx.errors import StateError, UsageError

if TYPE_CHECKING:
    from aisbx.engine.background import Background, BackgroundCommand

_AHEAD = 4
"""Messages with input that may be on their way."""
_CONTROL = "ctrl-"


def attached(background: "Background", command: "BackgroundCommand", *, logs: bool, stdin: bool, keys: bytes) -> int:
    """Join this process's streams to a command until it ends, or its detach keys are typed; gives the exit code."""
    position = 0 if logs else position_of(command.place, 0)
    reader = Reader(command.place, position)
    if command.lives:
        caller = Caller(command.place)
        try:
            left = _Session(caller, reader, keys, terminal=command.row["terminal"], stdin=stdin).serve()
        finally:
            caller.close()
        if left:
            say(f"left {command.id}: it goes on")
            return 0
    elif not logs:
        raise StateError(f"the command {command.id} has ended", hint="see: aisbx logs, or attach --logs")
    for part in reader.rest():
        show(part)
    return concluded(background.find(command.id))


def keys_of(text: str) -> bytes:
    """Give the keys of `ctrl-p,ctrl-q`, or of letters; UsageError for what is neither."""
    keys = b""
    for word in text.split(","):
        letter = word.removeprefix(_CONTROL)
        if len(letter) != 1 or not letter.isascii() or (word != letter and not "@" <= letter.upper() <= "_"):
            raise UsageError(f"--detach-keys: {word!r} is no key", hint="write ctrl-p,ctrl-q, or single letters")
        keys += bytes([ord(letter.upper()) & 0x1F]) if word != letter else letter.encode()
    return keys


def show(part: Part) -> None:
    """Pass on what was printed, on the stream that it was printed on."""
    if part.missing:
        say(f"{part.missing} bytes that it printed here were not kept")
    rest = memoryview(part.data)
    while rest:
        rest = rest[os.write(part.stream, rest) :]


def concluded(command: "BackgroundCommand") -> int:
    """Tell how a command ended; gives its exit code."""
    row = command.row
    if "exit_code" not in row:
        raise StateError(f"the command {command.id}: {row.get('error', {}).get('message', 'it has ended')}")
    dropped = row["output"]["dropped"]
    ends = met(
        timed_out=row["timed_out"],
        oom_killed=row["oom_killed"],
        pids_limited=row["pids_limited"],
        dropped=dropped,
    )
    for line in (*row["findings"], *ends):
        say(line)
    return row["exit_code"]


class _Session:
    """One connection, from its beginning to the command's end or until it is left."""

    def __init__(self, caller: Caller, reader: Reader, keys: bytes, *, terminal: bool, stdin: bool) -> None:
        self._caller = caller
        self._reader = reader
        self._keys = keys
        self._terminal = terminal
        self._raw = terminal and stdin and os.isatty(0) and os.isatty(1)
        self._input = stdin
        self._ahead = 0
        self._held = b""
        """Of the detach keys, what was typed so far."""

    def serve(self) -> bool:
        """Relay; True where it was left, False where the command ended."""
        waker, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            with _wakes(wake), _raw(0) if self._raw else _wakes(-1):
                self._resize()
                for part in self._reader.rest():
                    show(part)
                return self._relay(waker)
        finally:
            os.close(waker)
            os.close(wake)

    def _relay(self, waker: int) -> bool:
        caller = self._caller
        while not caller.over:
            wanted = [caller.stream.fileno(), waker]
            if self._input and self._ahead < _AHEAD:
                wanted.append(0)
            ready = select(wanted, [], [])[0]
            if waker in ready:
                os.read(waker, 64)
                self._resize()
            if caller.stream.fileno() in ready:
                caller.hear()
                self._ahead -= len(caller.answers)
                caller.answers.clear()
                for part in self._reader.rest():
                    show(part)
            if 0 in ready and self._type():
                return True
        return False

    def _type(self) -> bool:
        """Pass on what is typed; True where the keys to leave were."""
        data = os.read(0, LONGEST // 2)
        if not data:
            self._input = False
            self._send(END)
            return False
        if not self._raw:
            self._send(INPUT, data)
            return False
        out = b""
        for number in data:
            self._held += bytes([number])
            if self._held == self._keys:
                self._send(INPUT, out) if out else None
                return True
            while self._held and not self._keys.startswith(self._held):
                out, self._held = out + self._held[:1], self._held[1:]
        if out:
            self._send(INPUT, out)
        return False

    def _send(self, kind: bytes, data: bytes = b"") -> None:
        self._caller.send(kind, data)
        self._ahead += 1

    def _resize(self) -> None:
        if self._raw:
            size = os.get_terminal_size(0)
            self._send(SIZE, f"{size.lines} {size.columns}".encode())


@contextmanager
def _wakes(descriptor: int) -> Generator[None]:
    """Have a byte written to a descriptor when the terminal's size changes; nothing where it is negative."""
    if descriptor < 0:
        yield
        return
    before = signal.signal(signal.SIGWINCH, _noticed)
    signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGWINCH, before)


def _noticed(_number: int, _frame: object) -> None:
    """Do nothing: the byte that is written for a signal is what is waited for."""


@contextmanager
def _raw(terminal: int) -> Generator[None]:
    """Have a terminal pass every key through, and give it back as it was found."""
    import termios
    import tty

    saved = termios.tcgetattr(terminal)
    try:
        tty.setraw(terminal, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, saved)
