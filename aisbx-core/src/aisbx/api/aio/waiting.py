"""Wait without a thread for each thing that is waited for."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar, cast

from aisbx.api.running import CHUNK

T = TypeVar("T")
_WORKERS = 32
_going: "set[asyncio.Task[Any]]" = set()


@cache
def _pool() -> ThreadPoolExecutor:
    """Give the threads for what takes a moment: the program's own stay free."""
    return ThreadPoolExecutor(_WORKERS, "aisbx")


async def short(work: Callable[[], T]) -> T:
    """Do something that takes a moment but blocks. Cancelled, it is done all the same."""
    return await asyncio.get_running_loop().run_in_executor(_pool(), work)


async def alone(work: Callable[[], T]) -> T:
    """Do something that may block for long, in a thread of its own. Cancelled, it is done all the same."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return  # who asked was cancelled
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(cast("T", result))

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = work()
        except BaseException as raised:  # noqa: BLE001 - raised where it is awaited
            error = raised
        with suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(tell, result, error)

    threading.Thread(target=run, name="aisbx", daemon=True).start()
    return await done


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Wait for something that goes on where the one who waits is cancelled."""
    task = asyncio.ensure_future(work)
    _going.add(task)
    task.add_done_callback(_going.discard)
    return await asyncio.shield(task)


async def readable(descriptor: int) -> None:
    """Wait until there is something to be read from a pipe or a socket, or its end."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(descriptor, tell)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


async def chunks(pipe: int) -> AsyncIterator[bytes]:
    """Give what comes through a pipe, until its end."""
    while True:
        await readable(pipe)
        data = os.read(pipe, CHUNK)
        if not data:
            return
        yield data
