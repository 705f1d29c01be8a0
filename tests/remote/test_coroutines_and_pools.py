"""Coroutines and pools have the same sandboxes here and at a supervisor."""

import asyncio
import subprocess
import sys
import threading
from contextlib import suppress

from aisbx import AsyncPool, AsyncSandbox, Pool, Sandbox
from aisbx.api import AsyncBackgroundProcess
from aisbx.errors import AisbxError

from tests.remote.conftest import Way
from tests.supervisor.conftest import until

KILLED = """
import os, sys
from aisbx import Pool
pool = Pool(2, profile=sys.argv[2], workspace=sys.argv[3]) if sys.argv[2:] else Pool(2, remote=sys.argv[1])
print(pool.take().name, flush=True)
os.kill(os.getpid(), 9)
"""


async def followed(process: AsyncBackgroundProcess) -> bytes:
    return b"".join([chunk.data async for chunk in process.follow()])


async def commands(box: AsyncSandbox) -> None:
    result = await box.exec(["sh", "-c", "cat; echo no >&2; exit 3"], input="in\n")
    assert (result.code, result.text, result.errors) == (3, "in\n", "no\n")
    assert [line async for line in box.stream(["printf", r"one\ntwo"])] == [b"one\n", b"two"]
    await box.files.write("/tmp/x", b"data")
    assert await box.files.read("/tmp/x") == b"data"
    cancelled = asyncio.ensure_future(box.exec(["sleep", "601"]))
    while not any("601" in row.argv for row in await box.ps()):  # noqa: ASYNC110 - it is another process
        await asyncio.sleep(0.02)
    cancelled.cancel()
    await asyncio.wait([cancelled])
    assert cancelled.cancelled()
    assert not any("601" in row.argv for row in await box.ps())


async def processes(box: AsyncSandbox) -> None:
    one = await box.start(["sh", "-c", "while read a; do echo got $a; done; exit 4"], stdin=True)
    await one.write("a\n")
    following = one.follow()
    assert (await anext(following)).data == b"got a\n"
    waiting = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0.05)
    waiting.cancel()  # who leaves while nothing comes
    await asyncio.wait([waiting])
    await following.aclose()
    name = f"aisbx {one.id}"
    while any(thread.name == name for thread in threading.enumerate()):  # noqa: ASYNC110 - it is a thread
        await asyncio.sleep(0.02)
    await one.write(b"b\n")
    await one.close_input()
    assert await followed(one) == b"got a\ngot b\n"
    result = await one.wait(20)
    assert result is not None
    assert (result.code, result.text) == (4, "got a\ngot b\n")
    two = await box.start(["sleep", "600"])
    assert await two.wait(0.1) is None
    assert (await box.process(two.id[:8])).id == two.id
    await two.kill()
    ended = await two.wait(20)
    assert ended is not None
    assert ended.code == 137


def test_coroutines(way: Way) -> None:
    async def work() -> None:
        async with await AsyncSandbox.create("aio", **way.making, **way.finding) as box:
            await commands(box)
            await processes(box)
            assert "aio" in {one.name for one in await AsyncSandbox.list(**way.finding)}
            async with await AsyncSandbox.attach("aio", **way.finding) as again:
                assert (await again.exec(["cat", "/tmp/x"])).text == "data"
        async with await AsyncPool.create(1, **way.making, **way.finding) as pool:
            assert (await pool.run(["echo", "x"])).text == "x\n"

    asyncio.run(asyncio.wait_for(work(), 60))
    assert "aio" not in Sandbox.names(**way.finding)


def left(way: Way) -> list[str]:
    return [name for name in Sandbox.names(**way.finding) if name.startswith("pool-")]


def test_a_pool_gives_sandboxes_that_are_there_and_in_which_nothing_has_run_and_ends_them(way: Way) -> None:
    with Pool(1, **way.making, **way.finding) as pool:
        with pool.take() as first:
            assert first.exec(["touch", "/tmp/x"]).ok
        with pool.take() as second:
            assert second.name != first.name
            assert second.exec(["test", "-e", "/tmp/x"]).code == 1
        ended = {first.name, second.name}  # the last of them may be about to go
        found: list[Sandbox] = []

        def renewed() -> bool:
            names = left(way)  # once: a moment later there may be none, where it was the one that was to go
            with suppress(AisbxError):  # it is being made
                found[:] = [Sandbox.attach(name, **way.finding) for name in names if name not in ended]
            return len(names) == len(found) == 1

        assert until(renewed)
        waiting = found[0].name
        found[0].destroy()
        with pool.take() as third:
            assert third.name != waiting
            assert third.exec(["true"]).ok
    assert left(way) == []


def test_the_sandboxes_of_a_program_that_is_killed_end(way: Way) -> None:
    words = [way.finding["remote"]] if way.finding else ["", way.making["profile"], way.making["workspace"]]
    argv = [sys.executable, "-c", KILLED, *words]
    done = subprocess.run(argv, cwd=way.project, env=way.home.env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:5]) == (-9, "pool-"), done.stderr
    assert until(lambda: left(way) == [])
