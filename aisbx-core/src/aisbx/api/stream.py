"""The output of a command, line by line, while it runs."""

import os
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from aisbx.api.result import Result
from aisbx.api.running import Running


class Stream:
    """Iterate over it for the lines of stdout, as bytes with their line feeds; then `result` says how it ended.

    What it says on stderr is in the result. As a context manager it ends the command, should that still run.
    """

    def __init__(self, running: Running) -> None:
        """Read what a command prints that was started with one pipe."""
        self._running = running
        self._lines = open(os.dup(running.readers[0]), "rb")  # noqa: SIM115 - closed by `close`

    def __iter__(self) -> Iterator[bytes]:
        """Give each line as it comes; raises what kept the command from running."""
        yield from self._lines
        self._running.result  # noqa: B018 - for what it raises

    @property
    def result(self) -> Result:
        """What came of it, once it has ended; waits for that. `stdout` is empty: its lines were given already."""
        return self._running.result

    def signal(self, number: int) -> None:
        """Send the command a signal; nothing happens when it has ended."""
        self._running.signal(number)

    def close(self) -> None:
        """End the command and all that came of it; may be called twice."""
        self._running.end()
        self._lines.close()

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the command."""
        self.close()
