"""A command in the background of a sandbox, for a program: it goes on when the program has ended."""

import signal as signals
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aisbx.api.bounded import HeadAndTail
from aisbx.api.result import Result
from aisbx.background.caller import Caller
from aisbx.background.door import END, INPUT, LONGEST, SIZE
from aisbx.background.output import Part, Reader, position_of
from aisbx.errors import StateError, UsageError
from aisbx.readiness import readable
from aisbx.types import Usage, failed

if TYPE_CHECKING:
    from aisbx.engine.background import Background, BackgroundCommand

KEPT = 1 << 20
"""Bytes that a result has of the beginning of the output, and of its end, unless it is asked otherwise."""
CHUNK = 1 << 16
_PAUSE = 0.005


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some of what a command printed on one stream (1 or 2), behind `missing` bytes that were not kept.

    `cursor` is where the next begins: an offset in bytes into all that it printed.
    """

    stream: int
    data: bytes
    cursor: int
    missing: int = 0


class BackgroundProcess:
    """A command in the background; found again by its `id`, from any program and the command line."""

    far = False
    """Whether a supervisor serves it."""

    def __init__(self, background: "Background", id: str) -> None:  # noqa: A002 - it is its name everywhere
        """Use `Sandbox.start` or `Sandbox.process`."""
        self.id = id
        self._background = background

    @property
    def state(self) -> str:
        """`starting`, `running`, `ended`, or `lost`: whoever served it was killed, and it with that."""
        return self._now().state

    @property
    def argv(self) -> tuple[str, ...]:
        """Its words, as far as they may be recorded."""
        return tuple(self._now().row["argv"])

    def wait(self, timeout: float | None = None, *, head: int = KEPT, tail: int = KEPT) -> Result | None:
        """Give what came of it when it has ended, None when `timeout` seconds passed first: then it goes on.

        The result has so many bytes of the beginning and of the end of what it printed.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while self._now().lives:
            with self._line() as caller:
                while not caller.over:
                    left = None if until is None else max(0.0, until - time.monotonic())
                    if not readable([caller.stream.fileno()], left):
                        return None
                    caller.hear()
        return self.result(head=head, tail=tail)

    def read(self, cursor: int = 0, most: int = CHUNK) -> Chunk | None:
        """Give what it printed from `cursor` on, at most so many bytes of one stream; None where there is no more yet.

        The first is at 0; each chunk has the cursor of the next.
        """
        reader = Reader(self._place, cursor)
        part = reader.read(most)
        if part is None:
            return None
        if part.missing and (behind := reader.read(most)) is not None:
            part = Part(behind.stream, behind.data, part.missing)
        return Chunk(part.stream, part.data, reader.position, part.missing)

    def follow(self, cursor: int = 0) -> Iterator[Chunk]:
        """Give what it prints from `cursor` on, as it comes, until it has ended."""
        lives = True
        while lives:
            with self._line() as caller:
                lives = self._now().lives
                while True:
                    while (chunk := self.read(cursor)) is not None:
                        cursor = chunk.cursor
                        yield chunk
                    if caller.over:
                        break
                    readable([caller.stream.fileno()])
                    caller.hear()

    def logs(self, *, tail: int | None = None, since: float = 0.0) -> bytes:
        """Give what it printed on both streams: the last `tail` lines, or `since` a time (seconds since the epoch)."""
        reader = Reader(self._place, position_of(self._place, tail, since))
        return b"".join(part.data for part in reader.rest())

    def write(self, data: bytes | str) -> None:
        """Pass input on; returns when the command's pipe or terminal has all of it. StateError where it takes none."""
        data = data.encode() if isinstance(data, str) else data
        for start in range(0, len(data), LONGEST):
            self.must_take(taken=self._ask(INPUT, data[start : start + LONGEST], patience=None))

    def close_input(self) -> None:
        """Let it see the end of its input; StateError where it takes none."""
        self.must_take(taken=self._ask(END, patience=None))

    def resize(self, rows: int, columns: int) -> None:
        """Give its terminal a size in character cells; UsageError where it has none."""
        if not self._ask(SIZE, f"{rows} {columns}".encode()):
            raise UsageError("the command has no terminal", hint="start it with terminal=True")

    def signal(self, number: int) -> None:
        """Send a signal to it and to all that came of it, also what it left running; nothing happens where none is."""
        command = self._now()
        try:
            self._background.signal(command, number)
        except StateError:
            if self._now().lives:
                raise

    def kill(self) -> None:
        """End it and all that came of it, at once, also what it left running; nothing happens where nothing is."""
        self.signal(signals.SIGKILL)

    def result(self, *, head: int = KEPT, tail: int = KEPT) -> Result:
        """Give what came of it; StateError while it runs, AbortedError where whoever served it was killed."""
        return _result(ended(self._now()), head, tail, self._place)

    def must_take(self, *, taken: bool) -> None:
        """StateError where input was not taken: who serves a command that has ended may still be there to say so."""
        if not taken and not self._now().lives:
            raise StateError("the command has ended", hint="see: aisbx ps, aisbx logs")
        if not taken:
            raise StateError("the command takes no input", hint="start it with stdin=True, or a terminal")

    def _now(self) -> "BackgroundCommand":
        return self._background.find(self.id)

    @property
    def _place(self) -> str:
        return self._background.place_of(self.id)

    def reach(self) -> Caller:
        """Connect to whoever serves it; the connection is `over` where it has ended."""
        caller = Caller.reach(self._place)
        if caller.over:
            time.sleep(_PAUSE)  # it may be about to begin, or its record about to be written
        return caller

    @contextmanager
    def _line(self) -> Generator[Caller]:
        caller = self.reach()
        try:
            yield caller
        finally:
            caller.close()

    def _ask(self, kind: bytes, content: bytes = b"", *, patience: float | None = 10.0) -> bool:
        caller = Caller(self._place)
        try:
            return caller.ask(kind, content, patience=patience)
        finally:
            caller.close()

    def __repr__(self) -> str:
        """Say which."""
        return f"<BackgroundProcess {self.id}>"


def ended(command: "BackgroundCommand") -> dict[str, Any]:
    """Give what is noted of a command's end; StateError while it runs, AbortedError where who served it was killed."""
    if command.lives:
        raise StateError(f"the command {command.id} runs", hint="use wait")
    row = command.row
    if "exit_code" not in row or "error" in row:
        error = row["error"]
        raise failed((error["code"], error["message"], error["hint"]))
    return row


def _result(row: dict[str, Any], head: int, tail: int, place: str) -> Result:
    kept = {1: HeadAndTail(head, tail), 2: HeadAndTail(head, tail)}
    for part in Reader(place).rest():
        kept[part.stream].skip(part.missing)
        kept[part.stream].add(part.data)
    (stdout, stdout_cut), (stderr, stderr_cut) = kept[1].given(), kept[2].given()
    output: dict[str, int] = row["output"]
    return Result(
        argv=tuple(row["argv"]),
        code=row["exit_code"],
        stdout=stdout,
        stderr=stderr,
        stdout_cut=stdout_cut,
        stderr_cut=stderr_cut,
        truncated=bool(stdout_cut or stderr_cut or output["dropped"] or output["lost"]),
        timed_out=row["timed_out"],
        oom_killed=row["oom_killed"],
        pids_limited=row["pids_limited"],
        duration=row["duration"],
        usage=Usage(**row["usage"]),
        findings=tuple(row["findings"]),
        run=row["id"],
    )
