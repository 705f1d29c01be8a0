"""The interpreters of one sandbox, by language and session."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aisbx.engine.opened import Opened
from aisbx.errors import StateError
from aisbx.types import Principal

from aisbx_mcp.kernels.cell import Interpreter
from aisbx_mcp.kernels.channel import Channel
from aisbx_mcp.kernels.forked import PythonHost
from aisbx_mcp.kernels.spoken import SpokenSession

MOST = 16
"""So many sessions a sandbox has at most."""
Key = tuple[str, str]


@dataclass(slots=True)
class _Turn:
    """Whose turn it is in a session, and how many have or want it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Kernels:
    """One for a sandbox; an interpreter is started when it is needed."""

    def __init__(self, opened: Opened, principal: Principal, preload: tuple[str, ...]) -> None:
        """Start nothing yet; `preload` comes before what the sandbox's profile names."""
        self._opened = opened
        self._principal = principal
        self._preload = preload
        self._interpreters: dict[Key, Interpreter] = {}
        self._locks: dict[Key, _Turn] = {}
        self._beginning = 0
        self._python: PythonHost | None = None
        self._making = asyncio.Lock()

    @asynccontextmanager
    async def held(self, language: str, session: str) -> AsyncGenerator[Interpreter]:
        """Give an interpreter that nobody else uses meanwhile; an AisbxError says why there is none."""
        key = (language, session)
        async with self._turn(key):
            interpreter = self._interpreters.get(key)
            if interpreter is None or not interpreter.lives:
                self._interpreters.pop(key, None)
                if len(self._interpreters) + self._beginning >= MOST:
                    raise StateError(f"there are {MOST} sessions already", hint="use one of them")
                self._beginning += 1
                try:
                    interpreter = self._interpreters[key] = await self._begin(language)
                finally:
                    self._beginning -= 1
            yield interpreter

    async def end(self, language: str, session: str) -> None:
        """End an interpreter, once it has done what it does."""
        key = (language, session)
        async with self._turn(key):
            interpreter = self._interpreters.pop(key, None)
            if interpreter is not None:
                await interpreter.close()

    @asynccontextmanager
    async def _turn(self, key: Key) -> AsyncGenerator[None]:
        """Wait for a session's turn; nothing is kept of one that nobody waits for."""
        turn = self._locks.setdefault(key, _Turn())
        turn.users += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.users -= 1
            if not turn.users:
                self._locks.pop(key)

    async def prepare(self) -> None:
        """Start the Python that sessions are forked from."""
        async with self._making:
            if self._python is None or not self._python.channel.lives:
                channel = Channel()
                spec = await asyncio.to_thread(self._opened.spec)
                host = PythonHost(channel, tuple(dict.fromkeys((*self._preload, *spec.preload))))
                await channel.start(self._opened, host.argv, self._principal)
                try:
                    await _begun(host)
                except BaseException:  # whoever wanted it is gone, and nobody else has it
                    await asyncio.shield(asyncio.ensure_future(channel.close()))
                    raise
                self._python = host

    async def close(self) -> None:
        """End all."""
        interpreters = [*self._interpreters.values()]
        self._interpreters.clear()
        await asyncio.gather(*(one.close() for one in interpreters), return_exceptions=True)
        if self._python is not None:
            await self._python.close()

    async def _begin(self, language: str) -> Interpreter:
        if language == "python":
            await self.prepare()
            assert self._python is not None  # noqa: S101 - it was just made
            return self._python.session()
        channel = Channel()
        session = SpokenSession(channel, language)
        await channel.start(self._opened, session.argv, self._principal)
        return session


async def _begun(host: PythonHost) -> None:
    try:
        await host.begin()
    except ConnectionError:
        why = await host.channel.last_word()
        message = f"the interpreter ended as it started{f': {why}' if why else ''}"
        raise StateError(message, hint="call again for a new one") from None
