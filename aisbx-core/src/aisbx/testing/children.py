"""Do something in a process of its own: as another launcher would, or to see what its sudden death leaves behind."""

import contextlib
import os
import pickle
import select
import signal
import time
import traceback
import warnings
from collections.abc import Callable
from typing import TypeVar, cast

T = TypeVar("T")


def fork(work: Callable[[], object]) -> tuple[int, int]:
    """Start a child that does `work`; gives its pid and a descriptor that gives the pickled answer."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # Python ≥ 3.12 warns of threads; the test runner's own do not matter to a child that only launches.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        os.close(writer)
        return child, reader
    os.close(reader)
    try:
        answer: tuple[bool, object] = (True, work())
    except BaseException:  # noqa: BLE001  (a child must never run on into its parent's tests)
        answer = (False, traceback.format_exc())
    try:
        with os.fdopen(writer, "wb") as file:
            file.write(pickle.dumps(answer))
    finally:
        os._exit(0)


def in_child(work: Callable[[], T], seconds: float) -> T:
    """Give what `work` gives in a child; RuntimeError where it raised, TimeoutError when it is late."""
    child, reader = fork(work)
    end = time.monotonic() + seconds
    data = bytearray()
    try:
        while True:
            ready, _, _ = select.select([reader], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                msg = f"the launcher did not end within {seconds:g} s"
                raise TimeoutError(msg)
            part = os.read(reader, 1 << 20)
            if not part:
                break
            data += part
    finally:
        os.close(reader)
        kill(child)
    done, answer = cast("tuple[bool, object]", pickle.loads(bytes(data)) if data else (False, "the launcher died"))
    if not done:
        raise RuntimeError(answer)
    return cast("T", answer)


def killed_when(work: Callable[[], object], ready: Callable[[], bool], seconds: float) -> None:
    """Start `work` in a child and SIGKILL it once `ready` says so; TimeoutError if that never happens."""
    child, reader = fork(work)
    end = time.monotonic() + seconds
    try:
        while not ready():
            if time.monotonic() > end:
                msg = f"nothing had started in the sandbox after {seconds:g} s"
                raise TimeoutError(msg)
            time.sleep(0.01)
    finally:
        kill(child)
        os.close(reader)


def kill(child: int) -> None:
    """End and reap a child."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
