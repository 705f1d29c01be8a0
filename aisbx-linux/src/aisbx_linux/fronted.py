"""One-shot runs of a program that the compiled front carries out, each in a process of its own (`native/program.c`).

It is this process's child, started for the thread that waits for it, and ends with that thread. It is told what is
asked for in a memory file, for command lines and variables can be read by all.
"""

import fcntl
import marshal
import os
import posix
import select
from contextlib import suppress
from typing import TYPE_CHECKING

from aisbx_linux.ending import aborted, code_of, signal_of
from aisbx_linux.lasting import asking

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aisbx.types import LaunchRequest, LaunchResult

_ENDED, _PYTHON, _DECLINED = range(3)
_FIRST = 16
"""Above all numbers that descriptors get in the front."""
_PIECE = 1 << 16
_KILL = 9
_MICRO = 1e-6
_WORD = 8


class Given:
    """A plan in memory files, for any number of runs at once."""

    def __init__(self, plan: bytes, entry: bytes) -> None:
        """Write both forms of it."""
        self.files: list[int] = []
        for name, data in (("plan", plan), ("entry", entry)):
            self.files.append(_file(name, data))

    def __del__(self) -> None:
        """Close them."""
        for file in self.files:
            posix.close(file)


def run(
    given: Given, front: "tuple[str, str, str]", request: "LaunchRequest", who: tuple[str, str]
) -> "LaunchResult | None":
    """Run a command whose streams are captured; None where nothing has run, and it is to be done in Python.

    `front` is the program, the interpreter and its lean front; `who` the principal and the host.
    """
    told = asking.number(posix.getpid()) + b"".join(asking.text(word.encode()) for word in (request["run"], *who))
    variables = [f"{name}={value}" for name, value in request["environment"].items()]
    if "\0" in "".join((*request["argv"], *variables)):
        return None  # which refuses it
    told += asking.texts(request["argv"]) + asking.texts(variables)
    opened: list[int] = []
    try:
        pipes = [_pipe(opened) for _ in range(3)]
        opened.append(_file("request", told))
        inside = [writer for _, writer in pipes] + given.files + opened[-1:]
        child = _start(front, inside)
        for _, writer in pipes:
            opened.remove(writer)
            posix.close(writer)
        return _wait(child, [reader for reader, _ in pipes], request)
    finally:
        for descriptor in opened:
            posix.close(descriptor)


def _start(front: "tuple[str, str, str]", inside: "list[int]") -> int:
    """Start it with stdout, stderr, answer, plan, entry and request as descriptors 1 to 6; all above those."""
    program, interpreter, script = front
    actions: list[tuple[object, ...]] = [(posix.POSIX_SPAWN_OPEN, 0, "/dev/null", posix.O_RDONLY, 0)]
    actions += [(posix.POSIX_SPAWN_DUP2, descriptor, number) for number, descriptor in enumerate(inside, 1)]
    return posix.posix_spawn(
        program,
        [program, "--program", interpreter, script],
        os.environ,
        file_actions=actions,  # pyright: ignore[reportArgumentType]
        setsid=True,
        setsigmask=(),
    )


def _wait(child: int, readers: "list[int]", request: "LaunchRequest") -> "LaunchResult | None":
    """Read stdout, stderr and the answer until their end, and give what came of it."""
    data, dropped = [bytearray() for _ in readers], [0] * len(readers)
    most = (request["capture"], request["capture"], 1 << 62)
    try:
        waiting = select.poll()
        for reader in readers:
            waiting.register(reader, select.POLLIN)
        left = len(readers)
        while left:
            for reader, _ in waiting.poll():
                stream, piece = readers.index(reader), posix.read(reader, _PIECE)
                if not piece:
                    waiting.unregister(reader)
                    left -= 1
                room = most[stream] - len(data[stream])
                data[stream] += piece[:room]
                dropped[stream] += max(0, len(piece) - room)
    except BaseException:
        posix.kill(child, _KILL)  # it takes along what it has started
        _reap(child)
        raise
    _reap(child)
    return _answered(bytes(data[2]), data[:2], dropped)


def _answered(answer: bytes, printed: "list[bytearray]", dropped: "list[int]") -> "LaunchResult | None":
    kind = int.from_bytes(answer[:_WORD], "little") if answer else -1
    if kind == _DECLINED:
        return None
    result = _result(printed, dropped)
    if kind == _ENDED:
        _, code, duration, user, system, result["max_rss_bytes"] = memoryview(answer).cast("q")
        result["code"], result["signal"] = code, signal_of(code)
        result["duration"] = duration * _MICRO
        result["user_seconds"], result["system_seconds"] = user * _MICRO, system * _MICRO
    elif kind == _PYTHON:
        taken: Mapping[str, object] = marshal.loads(answer[_WORD:])  # noqa: S302 - from a process of ours
        counted = ("stdout", "stderr", "stdout_bytes", "stderr_bytes")
        result.update({name: value for name, value in taken.items() if name not in counted})  # pyright: ignore[reportCallIssue, reportArgumentType]
        result["stdout_dropped"] += dropped[0]
        result["stderr_dropped"] += dropped[1]
    else:
        result["failure"] = failure = aborted(OSError("the process that carried it out was killed"))
        result["code"] = code_of(failure)
    return result


def _result(printed: "list[bytearray]", dropped: "list[int]") -> "LaunchResult":
    return {
        "code": 0,
        "signal": 0,
        "timed_out": False,
        "oom_killed": False,
        "pids_limited": False,
        "duration": 0.0,
        "user_seconds": 0.0,
        "system_seconds": 0.0,
        "max_rss_bytes": 0,
        "stdout": bytes(printed[0]),
        "stderr": bytes(printed[1]),
        "stdout_bytes": len(printed[0]) + dropped[0],
        "stderr_bytes": len(printed[1]) + dropped[1],
        "stdout_dropped": dropped[0],
        "stderr_dropped": dropped[1],
        "findings": [],
        "failure": None,
    }


def _file(name: str, data: bytes) -> int:
    """Give a memory file, above all numbers that are used in the front."""
    file = posix.memfd_create(name, posix.MFD_CLOEXEC)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[posix.write(file, rest) :]
    except BaseException:
        posix.close(file)
        raise
    return _above(file)


def _pipe(opened: "list[int]") -> "tuple[int, int]":
    reader, writer = posix.pipe2(posix.O_CLOEXEC)
    opened.append(writer)
    reader = _above(reader)
    opened[-1:] = [reader, writer]
    opened[-1] = writer = _above(writer)
    return reader, writer


def _above(descriptor: int) -> int:
    if descriptor >= _FIRST:
        return descriptor
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST)
    finally:
        posix.close(descriptor)


def _reap(child: int) -> None:
    with suppress(ChildProcessError):  # whoever waits for every child of this process was first
        posix.waitpid(child, 0)
