"""`AsyncSandbox`: a sandbox that lasts, for coroutines."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from types import TracebackType
from typing import Self, Unpack

from aisbx.api.aio.background import AsyncBackgroundProcess
from aisbx.api.aio.files import AsyncSandboxFiles
from aisbx.api.aio.waiting import chunks, short, to_the_end
from aisbx.api.background import BackgroundProcess
from aisbx.api.bounded import HeadAndTail
from aisbx.api.changes import Applied
from aisbx.api.options import CommandOptions, Options, to_command, words_of
from aisbx.api.result import Result
from aisbx.api.running import Running
from aisbx.api.sandbox import CAPTURE, Sandbox
from aisbx.engine.found import Found
from aisbx.snapshots import Snapshot
from aisbx.types import Change, Command, ProcessRow


class AsyncSandbox:
    """A sandbox that lasts, for coroutines; see `Sandbox`. A command has one thread, which only waits for its end."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Use `create` or `attach`."""
        self.name = sandbox.name
        self.files = AsyncSandboxFiles(sandbox.files)
        """Its files."""
        self._sandbox = sandbox

    @classmethod
    async def create(
        cls, name: str = "", *, ttl: float = 0.0, idle_ttl: float = 0.0, remote: str = "", **options: Unpack[Options]
    ) -> Self:
        """Make one; without a name one is made up. `remote` is a supervisor's address."""
        create = Sandbox.create
        return cls(await short(lambda: create(name, ttl=ttl, idle_ttl=idle_ttl, remote=remote, **options)))

    @classmethod
    async def attach(cls, name: str, *, remote: str = "") -> Self:
        """Find one that is there; StateError where there is none, or it has ended."""
        return cls(await short(lambda: Sandbox.attach(name, remote=remote)))

    @staticmethod
    async def list(*, remote: str = "") -> list[Found]:
        """Give every sandbox as it is now; see `Sandbox.list`."""
        return await short(lambda: Sandbox.list(remote=remote))

    async def info(self) -> Found:
        """Give how it is now."""
        return await short(lambda: self._sandbox.info)

    async def exec(
        self,
        argv: Sequence[str],
        *,
        input: bytes | str | None = None,  # noqa: A002 - as subprocess.run has it
        keep: tuple[int, int] = (CAPTURE, 0),
        check: bool = False,
        **own: Unpack[CommandOptions],
    ) -> Result:
        """Run a command to its end; see `Sandbox.exec`. Cancelled, it ends the command and what came of it first."""
        running = await self._running(to_command(words_of(argv), own), input, apart=True)
        try:
            kept = [HeadAndTail(*keep) for _ in running.readers]
            await asyncio.gather(*map(_fill, kept, running.readers))
        finally:
            await _let_go(running)
        result = running.told(*kept)
        return result.check() if check else result

    async def stream(
        self,
        argv: Sequence[str],
        *,
        input: bytes | str | None = None,  # noqa: A002 - as subprocess.run has it
        **own: Unpack[CommandOptions],
    ) -> AsyncGenerator[bytes]:
        """Give the lines of a command while it runs; it ends with the iteration."""
        running = await self._running(to_command(words_of(argv), own), input, apart=False)
        try:
            rest = b""
            async for data in chunks(running.readers[0]):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    yield line + b"\n"
            if rest:
                yield rest
            running.result  # noqa: B018 - for what it raises
        finally:
            await _let_go(running)

    async def start(
        self,
        argv: Sequence[str],
        *,
        stdin: bool = False,
        terminal: bool = False,
        **own: Unpack[CommandOptions],
    ) -> AsyncBackgroundProcess:
        """Start a command in the background; see `Sandbox.start`."""
        start = self._sandbox.start
        return _process(await short(lambda: start(argv, stdin=stdin, terminal=terminal, **own)))

    async def process(self, id: str = "") -> AsyncBackgroundProcess:  # noqa: A002 - it is its name everywhere
        """Find a command in the background by its id, or the beginning of one; without one, the last started."""
        return _process(await short(lambda: self._sandbox.process(id)))

    async def processes(self) -> "list[AsyncBackgroundProcess]":
        """Give the commands in the background, also those that have ended, the oldest first."""
        return [_process(one) for one in await short(self._sandbox.processes)]

    async def ps(self) -> Sequence[ProcessRow]:
        """Give every process that runs in it, with its number inside."""
        return await short(self._sandbox.ps)

    async def signal(self, pid: int, number: int) -> None:
        """Send a signal to one process, by its number inside; StateError where there is none."""
        await short(lambda: self._sandbox.signal(pid, number))

    async def pause(self) -> None:
        """Stop every process where it stands, until `resume`; no command joins meanwhile."""
        await short(self._sandbox.pause)

    async def resume(self) -> None:
        """Let the processes go on."""
        await short(self._sandbox.resume)

    async def changes(self, *paths: str) -> "list[Change]":
        """Give what differs from a `cow` or `guarded` workspace."""
        return await short(lambda: [*self._sandbox.changes.list(*paths)])

    async def diff(self, *paths: str) -> str:
        """Give what `aisbx diff` prints."""
        return await short(lambda: self._sandbox.changes.diff(*paths))

    async def apply(self, *paths: str, force: bool = False) -> Applied:
        """Take changes over into the workspace; see `Changes.apply`."""
        return await short(lambda: self._sandbox.changes.apply(*paths, force=force))

    async def discard(self, *paths: str) -> "list[Change]":
        """Drop changes; gives them. StateError while the sandbox runs."""
        return await short(lambda: self._sandbox.changes.discard(*paths))

    async def snapshot(self, tag: str = "") -> Snapshot:
        """Keep what its workspace holds now; see `Sandbox.snapshot`."""
        return await short(lambda: self._sandbox.snapshot(tag))

    async def snapshots(self) -> "list[Snapshot]":
        """Give its snapshots, the oldest first."""
        return await short(self._sandbox.snapshots)

    async def restore(self, tag: str) -> None:
        """Have its workspace hold what it did at a snapshot; see `Sandbox.restore`."""
        await short(lambda: self._sandbox.restore(tag))

    async def remove_snapshot(self, tag: str) -> None:
        """Remove a snapshot; StateError where there is none."""
        await short(lambda: self._sandbox.remove_snapshot(tag))

    async def fork(self, name: str = "", *, tag: str = "", ttl: float = 0.0) -> "AsyncSandbox":
        """Make another from it; see `Sandbox.fork`."""
        return AsyncSandbox(await short(lambda: self._sandbox.fork(name, tag=tag, ttl=ttl)))

    async def destroy(self, *, discard: bool = False) -> "list[str]":
        """End everything in it and remove it; see `Sandbox.destroy`."""
        return await short(lambda: self._sandbox.destroy(discard=discard))

    async def close(self) -> None:
        """Let it go; it stays, and can be used again."""
        await short(self._sandbox.close)

    async def _running(self, command: Command, given: bytes | str | None, *, apart: bool) -> Running:
        """Start a command; cancelled meanwhile, it is ended."""
        starting = asyncio.ensure_future(short(lambda: self._sandbox.running(command, given, apart=apart)))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            await to_the_end(_ended(starting))
            raise

    async def __aenter__(self) -> Self:
        """Give itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Destroy it where it was made here, let it go where not."""
        await short(lambda: self._sandbox.__exit__(kind, error, trace))

    def __repr__(self) -> str:
        """Say which."""
        return f"<AsyncSandbox {self.name}>"


def _process(one: BackgroundProcess) -> AsyncBackgroundProcess:
    if not one.far:
        return AsyncBackgroundProcess(one)
    from aisbx.api.aio.remoted import AsyncRemoteBackgroundProcess  # HTTP and TLS, for those who ask a supervisor

    return AsyncRemoteBackgroundProcess(one)


async def _fill(kept: HeadAndTail, pipe: int) -> None:
    async for data in chunks(pipe):
        kept.add(data)


async def _let_go(running: Running) -> None:
    """End a command, at once where it has ended by itself."""
    if running.over:
        running.end()
    else:
        await to_the_end(short(running.end))


async def _ended(starting: "asyncio.Future[Running]") -> None:
    await asyncio.wait([starting])
    if not starting.cancelled() and starting.exception() is None:
        await short(starting.result().end)
