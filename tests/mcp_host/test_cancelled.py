"""What a call that is cancelled while it starts something leaves behind: nothing."""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aisbx import Sandbox
from aisbx.api.doors import engine, principal
from aisbx.engine.opened import Opened
from aisbx.errors import StateError
from aisbx_mcp.kernels import channel
from aisbx_mcp.kernels.channel import Channel
from aisbx_mcp.kernels.forked import PythonHost
from aisbx_mcp.kernels.pool import Kernels

from tests.mcp_host.conftest import Home, until


@pytest.fixture
def opened(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in home.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    with Sandbox.create("cancelled") as sandbox:
        sandbox.exec(["true"])
        found = engine().sandboxes.open("cancelled")
        yield found
        found.release()


def pipes() -> int:
    links = Counter[str]()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            links[os.readlink(entry).partition(":")[0]] += 1
        except OSError:
            continue  # the one that lists them
    return links["pipe"]


def cancelled(work: Callable[[], Awaitable[object]]) -> None:
    """Do it once to its cancellation, and see that no pipe of it stays."""

    async def attempt() -> tuple[int, bool]:
        before = pipes()
        with pytest.raises(asyncio.CancelledError):
            await work()
        return before, await asyncio.to_thread(until, lambda: pipes() <= before, 5.0)

    before, gone = asyncio.run(attempt())
    assert gone, f"{pipes() - before} pipes are left"


@pytest.mark.parametrize("after", [0, 1])
def test_a_channel_that_nobody_waits_for_any_more(opened: Opened, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    connect, done = channel._connect, list[int]()

    async def cut_off(
        loop: asyncio.AbstractEventLoop, descriptor: int, reader: asyncio.StreamReader
    ) -> asyncio.BaseTransport:
        if len(done) == after:
            os.close(descriptor)  # as connect_read_pipe does
            raise asyncio.CancelledError
        done.append(descriptor)
        return await connect(loop, descriptor, reader)

    monkeypatch.setattr(channel, "_connect", cut_off)
    cancelled(lambda: Channel().start(opened, ["cat"], principal()))


def test_an_interpreter_that_ends_as_it_starts_is_told_of(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = PythonHost.begin

    async def late(host: PythonHost) -> None:
        await host.channel._ended.wait()
        await begin(host)

    monkeypatch.setattr(PythonHost, "argv", ("sh", "-c", "echo so >&2; echo that is why >&2"))
    monkeypatch.setattr(PythonHost, "begin", late)
    before = pipes()

    async def attempt() -> bool:
        kernels = Kernels(opened, principal(), ())
        for _ in range(2):
            with pytest.raises(StateError, match="as it started: that is why"):
                await kernels.prepare()
        return await asyncio.to_thread(until, lambda: pipes() <= before, 5.0)

    assert asyncio.run(attempt())


def test_an_interpreter_that_nobody_waits_for_any_more(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cut_off(_host: PythonHost) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(PythonHost, "begin", cut_off)
    cancelled(lambda: Kernels(opened, principal(), ()).prepare())
