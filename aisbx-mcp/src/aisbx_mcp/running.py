"""One command of a client: its output, its input, its end."""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from aisbx.engine.opened import Opened, Started
from aisbx.errors import AisbxError, StateError
from aisbx.types import Command, Outcome, Principal, Stdio

from aisbx_mcp.options import HOST
from aisbx_mcp.output import Output

KILL = 9
_CHUNK = 1 << 16
_PATIENCE, _AGAIN = 10.0, 0.01
_LINE = 1 << 17


class Running:
    """A command that was started; it is used by the event loop that it was started in."""

    def __init__(self, name: str, sandbox: str, output: Output) -> None:
        """Use `start`; `sandbox` is what its client calls the sandbox."""
        self.id = name
        self.sandbox = sandbox
        self.output = output
        self.argv: tuple[str, ...] = ()
        self.turn = asyncio.Lock()
        """Of whoever gives it input: what is reviewed and what is read come in one order."""
        self.unfinished = b""
        """The line of its input that has not ended yet, as its reader takes it."""
        self.outcome: Outcome | None = None
        self.error: AisbxError | None = None
        self.began = time.monotonic()
        self.seconds = 0.0
        self.seen = 0
        """Where the client's reading of the output has come to."""
        self._input = -1
        self._ended = asyncio.Event()
        self._news = asyncio.Event()
        self._started: Started | None = None

    @property
    def lives(self) -> bool:
        """Whether it has not ended yet."""
        return not self._ended.is_set()

    async def start(self, opened: Opened, command: Command, principal: Principal, given: bytes | None) -> None:
        """Start it; an AisbxError says why it may not be. `given` is its input; None leaves that open for `feed`."""
        loop = asyncio.get_running_loop()
        self.argv = command.argv
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        stdin: int | bytes | None = given
        feeding = -1
        if given is None:
            feeding, self._input = os.pipe()
            os.set_blocking(self._input, False)
            stdin = feeding
        try:
            stdio = Stdio(None if stdin == b"" else stdin, writer, writer)
            lent = [one for one in (writer, feeding) if one >= 0]
            self._started = await in_thread(lambda: opened.start(command, stdio, principal, HOST), lent)
        except BaseException:
            os.close(reader)
            self._close_input()
            raise
        loop.add_reader(reader, self._read, loop, reader)

        def tell(outcome: Outcome | None, error: AisbxError | None) -> None:
            with suppress(RuntimeError):  # the loop has ended, and the client with it
                loop.call_soon_threadsafe(self._end, outcome, error)

        target = waiter(self._started, lent, tell)
        threading.Thread(target=target, name=f"aisbx {self.id}", daemon=True).start()

    @property
    def takes_input(self) -> bool:
        """Whether `feed` may give it some."""
        return self._input >= 0 and self.lives

    async def wait(self, seconds: float) -> bool:
        """Wait for its end, at most so long; tells whether it has ended."""
        try:
            await asyncio.wait_for(self._ended.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def news(self, seconds: float, position: int) -> None:
        """Wait until there is output from a position on, or the end, at most so long."""
        until = time.monotonic() + seconds
        while self.lives and self.output.size <= position:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), until - time.monotonic())
            except TimeoutError:
                return

    async def signal(self, number: int) -> None:
        """Send a signal to it, SIGKILL to all that came of it too; nothing happens when it has ended.

        Also where whoever wants that is cancelled meanwhile.
        """
        if self._started is None or not self.lives:
            return
        process = self._started.process
        work = process.kill if number == KILL else lambda: process.signal(number)
        await asyncio.shield(asyncio.ensure_future(asyncio.to_thread(work)))

    async def feed(self, data: bytes, *, end: bool) -> None:
        """Give it input; StateError where it takes none."""
        if not self.takes_input:
            why = "has ended" if not self.lives else "takes no input"
            raise StateError(f"process {self.id} {why}", hint="start it with interactive=true")
        until = time.monotonic() + _PATIENCE
        taken = 0
        self.unfinished = unfinished(self.unfinished + data)
        while taken < len(data) and self._input >= 0:
            try:
                taken += os.write(self._input, data[taken:])
            except BlockingIOError:
                if time.monotonic() > until:
                    raise StateError(f"process {self.id} took {taken} bytes and reads no more", hint="wait") from None
                await asyncio.sleep(_AGAIN)
            except BrokenPipeError:
                raise StateError(f"process {self.id} has closed its input", hint="read its output") from None
        if taken < len(data):
            raise StateError(f"process {self.id} took {taken} bytes and has ended", hint="read its output")
        if end:
            self._close_input()

    def _read(self, loop: asyncio.AbstractEventLoop, reader: int) -> None:
        try:
            data = os.read(reader, _CHUNK)
        except BlockingIOError:
            return
        if data:
            self.output.append(data)
        else:
            loop.remove_reader(reader)
            os.close(reader)
            self.output.close()
            self._finish()
        self._news.set()

    def _end(self, outcome: Outcome | None, error: AisbxError | None) -> None:
        """Keep what came of it; the rest of its output may still be under way."""
        self.outcome, self.error = outcome, error
        self.seconds = time.monotonic() - self.began
        self._close_input()
        self._finish()

    def _finish(self) -> None:
        """End it where how it ended is known and all its output has been read."""
        closed = self.output.closed
        if closed and (self.outcome is not None or self.error is not None):
            self._ended.set()
            self._news.set()

    def _close_input(self) -> None:
        if self._input >= 0:
            os.close(self._input)
        self._input = -1


def unfinished(given: bytes) -> bytes:
    """Give the last line of what a shell was given, with those before that it continues; of a long one, the end."""
    lines = given.split(b"\n")
    first = len(lines) - 1
    while first and lines[first - 1].endswith(b"\\"):
        first -= 1
    return b"\n".join(lines[first:])[-_LINE:]


def waiter(
    started: Started, closed: list[int], tell: Callable[[Outcome | None, AisbxError | None], object]
) -> Callable[[], None]:
    """Give what a thread does: wait for the end, close what went to the command, and tell."""

    def wait() -> None:
        outcome: Outcome | None = None
        failure: AisbxError | None = None
        try:
            outcome = started.wait()
        except AisbxError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - of a driver: it must not leave the client waiting
            failure = StateError(f"the driver failed: {error}", hint="report it to the driver's author")
        _close(closed)
        tell(outcome, failure)

    return wait


async def in_thread(begin: Callable[[], Started], lent: list[int]) -> Started:
    """Start a command in a thread. What is `lent` to it is closed where it does not start.

    One that has started after all when nobody wants it any more is ended, and has that until then.
    """
    starting = asyncio.ensure_future(asyncio.to_thread(begin))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        starting.add_done_callback(lambda done: _unwanted(done, lent))
        raise
    except BaseException:
        _close(lent)
        raise


def _unwanted(starting: "asyncio.Future[Started]", lent: list[int]) -> None:
    if starting.cancelled() or starting.exception() is not None:
        _close(lent)
        return
    started = starting.result()
    wait = waiter(started, lent, _ignore)

    def end() -> None:
        started.process.kill()
        wait()

    threading.Thread(target=end, daemon=True).start()


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _ignore(_outcome: Outcome | None, _error: AisbxError | None) -> None:
    pass
