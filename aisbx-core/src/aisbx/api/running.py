"""A command that runs, with its output in pipes that this program reads; a thread of its own waits for its end."""

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from aisbx.api.bounded import HeadAndTail
from aisbx.api.result import Result, to_result
from aisbx.engine.opened import Started
from aisbx.errors import StateError
from aisbx.readiness import readable

if TYPE_CHECKING:
    from aisbx.types import Outcome

CHUNK = 1 << 16
_PAUSE = 0.02


class Running:
    """`readers` are the ends of its pipes: of stdout, and of stderr where that is `apart` and not captured."""

    def __init__(self, argv: tuple[str, ...], begin: Callable[[int, int | None], Started], *, apart: bool) -> None:
        """Start it; `begin` gets the descriptors that its output goes to; raises what it raises."""
        self._argv = argv
        self._outcome: Outcome | None = None
        self._error: BaseException | None = None
        self.readers: list[int] = []
        self._writers: list[int] = []
        try:
            for _ in range(1 + apart):
                reader, writer = os.pipe()
                self.readers.append(reader)
                self._writers.append(writer)
            self._started = begin(self._writers[0], self._writers[1] if apart else None)
        except BaseException:
            self._shut(self.readers)
            self._shut(self._writers)
            raise
        self._thread = threading.Thread(target=self._wait, name=f"aisbx {argv[0]}", daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        try:
            self._outcome = self._started.wait()
        except BaseException as error:  # noqa: BLE001 - raised again by `result`
            self._error = error
        finally:
            self._shut(self._writers)

    def gather(self, head: int, tail: int) -> Result:
        """Read all that it prints, keep the beginning and the end of each stream, and give what came of it."""
        kept = {reader: HeadAndTail(head, tail) for reader in self.readers}
        left = [*self.readers]
        while left:
            for reader in readable(left):
                data = os.read(reader, CHUNK)
                kept[reader].add(data)
                if not data:
                    left.remove(reader)
        return self.told(*kept.values())

    def told(self, *kept: HeadAndTail) -> Result:
        """Give what came of it, with what was read of its streams; waits for its end."""
        result = self.result
        streams = [(result.stdout, result.stdout_cut), (result.stderr, result.stderr_cut)]
        given = [one.given() for one in kept]
        streams[: len(given)] = given
        return result.with_output(*streams)

    @property
    def result(self) -> Result:
        """What came of it, without what came through the pipes; waits for its end. Raises what kept it from running."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        if self._outcome is None:
            raise StateError("the driver gave no exit status", hint="report it to the driver's author")
        return to_result(self._argv, self._outcome)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return not self._thread.is_alive()

    def signal(self, number: int) -> None:
        """Send the command a signal; nothing happens when it has ended."""
        self._started.process.signal(number)

    def end(self) -> None:
        """End it and all that came of it, and let its pipes go; may be called twice."""
        while self._thread.is_alive():
            self._started.process.kill()
            for reader in readable(self.readers, _PAUSE):  # what is printed still must not hold its end up
                if not os.read(reader, CHUNK):
                    self._thread.join()
        self._shut(self.readers)

    @staticmethod
    def _shut(descriptors: list[int]) -> None:
        while descriptors:
            os.close(descriptors.pop())
