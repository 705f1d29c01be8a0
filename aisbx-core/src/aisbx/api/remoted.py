"""A command in the background of a supervisor's sandbox, for a program."""

import time
from collections.abc import Iterator

from aisbx.api.background import CHUNK, KEPT, BackgroundProcess, Chunk, ended
from aisbx.api.bounded import HeadAndTail
from aisbx.api.result import Result, to_result
from aisbx.engine.background import Background
from aisbx.remote import told
from aisbx.remote.background import RemoteBackground
from aisbx.remote.server import Leaving
from aisbx.types import Captured, Enforcement, Outcome

_PAUSE = 0.1
_STREAMS = {"stdout": 1, "stderr": 2}


class RemoteBackgroundProcess(BackgroundProcess):
    """One that a supervisor serves."""

    far = True

    def __init__(self, background: Background, id: str) -> None:  # noqa: A002 - it is its name everywhere
        """Use `Sandbox.start` or `Sandbox.process`."""
        super().__init__(background, id)
        assert isinstance(background, RemoteBackground)  # noqa: S101 - a supervisor's sandboxes have no other
        self._far = background
        self._process = background.process(id)

    def wait(self, timeout: float | None = None, *, head: int = KEPT, tail: int = KEPT) -> Result | None:
        """Give what came of it when it has ended, None when `timeout` seconds passed first: then it goes on."""
        until = None if timeout is None else time.monotonic() + timeout
        while self._now().lives:
            if until is not None and time.monotonic() >= until:
                return None
            time.sleep(_PAUSE if until is None else min(_PAUSE, max(0.0, until - time.monotonic())))
        return self.result(head=head, tail=tail)

    def read(self, cursor: int = 0, most: int = CHUNK) -> Chunk | None:
        """Give what it printed from `cursor` on, at most so many bytes of one stream; None for no more yet."""
        row = self._far.server.get(f"{self._process.place}/output", cursor=cursor, limit=most)
        if row["stream"] is None:
            return None
        return Chunk(row["stream"], told.data(row), row["cursor"], row.get("missing") or 0)

    def follow(self, cursor: int = 0) -> Iterator[Chunk]:
        """Give what it prints from `cursor` on, as it comes, until it has ended."""
        yield from self.chunks(cursor, Leaving())

    def chunks(self, cursor: int, leaving: Leaving) -> Iterator[Chunk]:
        """Do so until another thread has whoever reads leave."""
        for kind, data, behind in self._far.server.follow(self._process.place, cursor, leaving):
            if kind in _STREAMS:
                yield Chunk(_STREAMS[kind], told.data(data), behind, data.get("missing") or 0)

    def logs(self, *, tail: int | None = None, since: float = 0.0) -> bytes:
        """Give what it printed on both streams: the last `tail` lines, or `since` a time (seconds since the epoch)."""
        return b"".join(chunk.data for chunk in self._rest(self._far.position(self.id, tail, since)))

    def write(self, data: bytes | str) -> None:
        """Pass input on; returns when the command's pipe or terminal has all of it. StateError where it takes none."""
        self._process.write(data.encode() if isinstance(data, str) else data)

    def close_input(self) -> None:
        """Let it see the end of its input; StateError where it takes none."""
        self._process.end_input()

    def resize(self, rows: int, columns: int) -> None:
        """Give its terminal a size in character cells; UsageError where it has none."""
        self._process.resize(rows, columns)

    def result(self, *, head: int = KEPT, tail: int = KEPT) -> Result:
        """Give what came of it; StateError while it runs, AbortedError where whoever served it was killed."""
        row = ended(self._now())
        kept = {1: HeadAndTail(head, tail), 2: HeadAndTail(head, tail)}
        for chunk in self._rest(0):
            kept[chunk.stream].skip(chunk.missing)
            kept[chunk.stream].add(chunk.data)
        status = told.status(row, stdout=Captured(), stderr=Captured())
        outcome = Outcome(run=self.id, status=status, profile="", driver="", enforcement=Enforcement())
        return to_result(tuple(row["argv"]), outcome).with_output(kept[1].given(), kept[2].given())

    def _rest(self, cursor: int) -> Iterator[Chunk]:
        while (chunk := self.read(cursor, 1 << 20)) is not None:
            cursor = chunk.cursor
            yield chunk
