"""`AsyncSandbox`: the same for asyncio. Each command is waited for by a thread; a cancelled one is ended."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Self, Unpack

from aisbx.api.options import Options
from aisbx.api.result import Result
from aisbx.api.sandbox import Sandbox


class AsyncSandbox:
    """A sandbox that lasts, for coroutines; see `Sandbox`."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Use `create` or `attach`."""
        self.name = sandbox.name
        self._sandbox = sandbox

    @classmethod
    async def create(cls, name: str = "", *, ttl: float = 0.0, **options: Unpack[Options]) -> Self:
        """Make one; without a name one is made up."""
        return cls(await asyncio.to_thread(lambda: Sandbox.create(name, ttl=ttl, **options)))

    @classmethod
    async def attach(cls, name: str) -> Self:
        """Find one that is there; StateError where there is none, or it has ended."""
        return cls(await asyncio.to_thread(Sandbox.attach, name))

    async def exec(
        self,
        argv: Sequence[str],
        *,
        input: bytes | str | None = None,  # noqa: A002 - as subprocess.run has it
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the sandbox keeps it, also if nobody awaits
        output: int | None = None,
        check: bool = False,
    ) -> Result:
        """Run a command to its end; see `Sandbox.exec`. Cancelled, it ends the command first."""
        stream = await asyncio.to_thread(
            lambda: self._sandbox.stream(argv, input=input, env=env, cwd=cwd, timeout=timeout, output=output)
        )
        try:
            lines = await asyncio.to_thread(lambda: b"".join(stream))
        finally:
            stream.close()
        result = stream.result.with_stdout(lines)
        return result.check() if check else result

    async def stream(
        self,
        argv: Sequence[str],
        *,
        input: bytes | str | None = None,  # noqa: A002 - as subprocess.run has it
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the sandbox keeps it, also if nobody awaits
        output: int | None = None,
    ) -> AsyncIterator[bytes]:
        """Give the lines of a command while it runs; it ends with the iteration."""
        stream = await asyncio.to_thread(
            lambda: self._sandbox.stream(argv, input=input, env=env, cwd=cwd, timeout=timeout, output=output)
        )
        lines = iter(stream)
        try:
            while (line := await asyncio.to_thread(next, lines, None)) is not None:
                yield line
        finally:
            await asyncio.shield(asyncio.to_thread(stream.close))

    async def destroy(self, *, discard: bool = False) -> list[str]:
        """End everything in it and remove it; see `Sandbox.destroy`."""
        return await asyncio.to_thread(lambda: self._sandbox.destroy(discard=discard))

    async def __aenter__(self) -> Self:
        """Give itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Destroy it where it was made here, let it go where not."""
        await asyncio.to_thread(self._sandbox.__exit__, kind, error, trace)

    def __repr__(self) -> str:
        """Say which."""
        return f"<AsyncSandbox {self.name}>"
