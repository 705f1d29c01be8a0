"""Python: one interpreter in a sandbox imports what is asked for, and is forked for each session."""

import asyncio
import itertools
import json
from contextlib import suppress
from importlib.resources import files

from aisbx_mcp.kernels import inside
from aisbx_mcp.kernels.cell import Cell
from aisbx_mcp.kernels.channel import Channel

# The source comes on stdin, so that neither a command line nor a file in the sandbox has to hold it.
_START = """\
import os
import sys
def line():
    data = b""
    while not data.endswith(b"\\n"):
        data += os.read(0, 1)
    return data.decode().split()
def module(name, size):
    source = b""
    while len(source) < size:
        source += os.read(0, size - len(source))
    sys.modules[name] = made = type(sys)(name)
    exec(compile(source, name, "exec"), made.__dict__)
    return made
first, second, preload = line()
host = module("aisbx_mcp.kernels.inside", int(first))
session = module("aisbx_mcp.kernels.inside_session", int(second)).Session
host.main([one for one in preload.split(",") if one != "-"], session)
"""
_GRACE = 2.0
"""Seconds that code has to end after its interrupt."""
_READY = 60.0
_LARGEST, _CHUNK = 4 << 20, 1 << 16
"""Bytes of a frame: what comes from inside takes no more of the server's memory. An image may have a quarter of it."""


class PythonHost:
    """The interpreter that is forked."""

    def __init__(self, channel: Channel, preload: tuple[str, ...]) -> None:
        """`channel` is not started yet."""
        self.channel = channel
        self.sessions: dict[int, PythonSession] = {}
        self._numbers = itertools.count(1)
        self._preload = preload
        self._ready = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    argv = ("python3", "-c", _START)

    async def begin(self) -> None:
        """Send it what it is to be; the channel has been started."""
        place = files("aisbx_mcp.kernels")
        first, second = (place.joinpath(name).read_bytes() for name in ("inside.py", "inside_session.py"))
        names = ",".join(self._preload) or "-"
        await self.channel.send(f"{len(first)} {len(second)} {names}\n".encode() + first + second)
        self._reading = asyncio.ensure_future(self._read())

    def session(self) -> "PythonSession":
        """Give a new session; it is forked when it runs something."""
        session = PythonSession(self, next(self._numbers))
        self.sessions[session.number] = session
        return session

    async def send(self, kind: int, number: int, data: bytes = b"") -> None:
        """Send a frame, once it is ready; ConnectionError where it has ended."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ready.wait(), _READY)
        await self.channel.send(inside.HEAD.pack(kind, number, len(data)) + data)

    async def _read(self) -> None:
        try:
            while True:
                head = await self.channel.out.readexactly(inside.HEAD.size)
                kind, number, size = inside.HEAD.unpack(head)
                if size > _LARGEST:
                    await self._skip(size)
                    kind, data = inside.OUT, f"[{size:,} bytes are too much to show at once]\n".encode()
                else:
                    data = await self.channel.out.readexactly(size)
                if kind == inside.READY:
                    self._ready.set()
                elif number in self.sessions:
                    self.sessions[number].take(kind, data)
        except (asyncio.IncompleteReadError, ValueError):
            pass
        self._ready.set()
        why = await self.channel.last_word()
        for session in [*self.sessions.values()]:  # each takes itself out
            session.lose(why)

    async def _skip(self, size: int) -> None:
        """Read so much and keep nothing of it."""
        while size:
            part = await self.channel.out.read(min(size, _CHUNK))
            if not part:
                raise asyncio.IncompleteReadError(part, size)
            size -= len(part)

    async def close(self) -> None:
        """End it and all sessions."""
        await self.channel.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)


class PythonSession:
    """One session."""

    def __init__(self, host: PythonHost, number: int) -> None:
        """Nothing is forked yet."""
        self.number = number
        self._host = host
        self._cell: Cell | None = None
        self._done = asyncio.Event()
        self._gone = False

    @property
    def lives(self) -> bool:
        """Whether it has its names still."""
        return not self._gone and self._host.channel.lives

    async def run(self, code: str, cell: Cell, seconds: float | None, memory: int) -> None:
        """Execute code; see `Interpreter`."""
        self._cell = cell
        self._done.clear()
        try:
            async with asyncio.timeout(seconds):
                told = json.dumps({"code": code, "memory": memory}).encode()
                await self._host.send(inside.RUN, self.number, told)
                await self._done.wait()
        except TimeoutError:
            cell.note = f"ended by its time limit of {seconds:g} s"
            await self._interrupt(cell)
        except asyncio.CancelledError:
            await asyncio.shield(self._interrupt(cell))
            raise
        except ConnectionError:
            self.lose(self._host.channel.why)
        finally:
            self._cell = None

    async def close(self) -> None:
        """End it."""
        with suppress(ConnectionError, TimeoutError):
            await asyncio.wait_for(self._host.send(inside.END, self.number), _GRACE)
        self.lose("it was ended")  # also for whoever waits for what it does

    def take(self, kind: int, data: bytes) -> None:
        """Take a frame."""
        cell = self._cell
        if kind == inside.GONE:
            code = _said(data).get("code")
            self.lose(f"it was ended by signal {-code}" if isinstance(code, int) and code < 0 else "it ended itself")
        elif cell is not None and kind == inside.OUT:
            cell.output.append(data)
        elif cell is not None and kind == inside.SHOW:
            said = _said(data)
            cell.show(str(said.get("kind", "")), str(said.get("data", "")))
        elif cell is not None and kind == inside.DONE:
            cell.ok = _said(data).get("ok") is True
            self._done.set()

    def lose(self, why: str) -> None:
        """Note that its names are lost."""
        self._gone = True
        self._host.sessions.pop(self.number, None)
        if self._cell is not None and not self._done.is_set():
            self._cell.note = self._cell.note or f"the interpreter has ended{f': {why}' if why else ''}"
        self._done.set()

    async def _interrupt(self, cell: Cell) -> None:
        """Interrupt what runs; where that does not end it, end the session; where not even that, the interpreter."""
        if await self._ask(inside.INTERRUPT):
            return
        cell.note += "; it did not heed an interrupt"
        if not await self._ask(inside.END):
            await self._host.channel.close()
            self.lose("")

    async def _ask(self, kind: int) -> bool:
        """Ask for the end of what runs; tells whether it has come in time."""
        try:
            async with asyncio.timeout(_GRACE):
                await self._host.send(kind, self.number)
                await self._done.wait()
        except (TimeoutError, ConnectionError):
            return self._done.is_set()
        return True


def _said(data: bytes) -> dict[str, object]:
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}  # pyright: ignore[reportUnknownVariableType]
