"""The output of a command, line by line, while it runs."""

import os
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from aisbx.api.result import Result, to_result
from aisbx.engine.opened import Started
from aisbx.errors import StateError

if TYPE_CHECKING:
    from aisbx.types import Outcome

_KILL = 9


class Stream:
    """Iterate over it for the lines of stdout, as bytes with their line feeds; then `result` says how it ended.

    What it says on stderr is in the result. As a context manager it ends the command, should that still run.
    """

    def __init__(self, argv: tuple[str, ...], begin: Callable[[int], Started]) -> None:
        """Start the command; `begin` gets the descriptor that its output goes to."""
        reader, self._writer = os.pipe()
        self._lines = open(reader, "rb")  # noqa: SIM115 - closed by `close`
        self._argv = argv
        self._outcome: Outcome | None = None
        self._error: BaseException | None = None
        try:
            self._started = begin(self._writer)
        except BaseException:
            self._lines.close()
            os.close(self._writer)
            raise
        self._thread = threading.Thread(target=self._wait, name=f"aisbx {argv[0]}", daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        try:
            self._outcome = self._started.wait()
        except BaseException as error:  # noqa: BLE001 - raised again by `result`
            self._error = error
        finally:
            os.close(self._writer)

    def __iter__(self) -> Iterator[bytes]:
        """Give each line as it comes; raises what kept the command from running."""
        yield from self._lines
        self._thread.join()
        if self._error is not None:
            raise self._error

    @property
    def result(self) -> Result:
        """What came of it, once it has ended; waits for that. `stdout` is empty: its lines were given already."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        if self._outcome is None:
            raise StateError("the driver gave no exit status", hint="report it to the driver's author")
        return to_result(self._argv, self._outcome)

    def signal(self, number: int) -> None:
        """Send the command a signal; nothing happens when it has ended."""
        self._started.process.signal(number)

    def close(self) -> None:
        """End the command; may be called twice."""
        while self._thread.is_alive():
            self.signal(_KILL)
            self._thread.join(0.05)
        self._lines.close()

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the command."""
        self.close()
