"""What the host asks of a sandbox that lasts, beside running commands: each call by name, its answer as JSON."""

import json
import select
from dataclasses import astuple
from typing import TYPE_CHECKING, Any, cast

from aisbx.errors import StateError
from aisbx.types import Command, Files, Freezer
from aisbx_linux.lasting.files import JoinedFiles, end
from aisbx_linux.lasting.sandbox import LastingSandbox

from aisbx_driver_lima.guest import frames
from aisbx_driver_lima.guest.frames import CHUNK, Channel, ClosedError, TreeReader, TreeWriter
from aisbx_driver_lima.guest.once import unpickled

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST = 64 << 30


def answer(channel: Channel, sandbox: LastingSandbox, question: dict[str, Any]) -> None:
    """Do one thing, and say what came of it."""
    what, arguments = str(question["what"]), list(question["arguments"])
    files, freezer = cast("Files", sandbox.files), cast("Freezer", sandbox.freezer)
    works: dict[str, Callable[[], object]] = {
        "look": lambda: [freezer.paused, freezer.mechanism],
        "warm": sandbox.warm,
        "pause": freezer.pause,
        "resume": freezer.resume,
        "processes": lambda: [astuple(row) for row in sandbox.processes()],
        "consumption": lambda: astuple(sandbox.consumption()),
        "signal": lambda: sandbox.signal(*arguments),
        "check": lambda: [_row(state) for state in sandbox.check(*unpickled(channel, (Command,)))],
        "list": lambda: [astuple(row) for row in files.list(arguments[0])],
        "stat": lambda: astuple(files.stat(arguments[0])),
        "mkdir": lambda: files.mkdir(arguments[0], parents=arguments[1]),
        "remove": lambda: files.remove(arguments[0], recursive=arguments[1]),
        "write": lambda: files.write(arguments[0], _given(channel), arguments[1]),
    }
    if what == "read":
        data = files.read(*arguments)
        channel.send(frames.RESULT, b"null")
        writer = TreeWriter(channel)
        writer.write(data)
        writer.end()
    elif what == "watch":
        _watch(channel, files, *arguments)
    elif what in {"pull", "push"}:
        _stream(channel, sandbox.handle, what, arguments)
    else:
        value = works[what]()
        channel.send(frames.RESULT, json.dumps(value).encode())


def _row(state: Any) -> list[str]:  # noqa: ANN401 - a ControlState
    return [state.control, state.level.value, state.mechanism, state.reason, state.remedy]


def _given(channel: Channel) -> bytes:
    reader, data = TreeReader(channel, _MOST), b""
    while part := reader.read(CHUNK):
        data += part
    return data


def _watch(channel: Channel, files: Files, path: str) -> None:
    """Tell what happens until the directory, or the host, has gone."""
    watch = files.watch(path)
    channel.send(frames.RESULT, b"null")
    import threading

    def hang_up() -> None:
        poller = select.poll()
        poller.register(channel.fileno(), select.POLLIN | select.POLLHUP)
        poller.poll()
        watch.close()

    threading.Thread(target=hang_up, daemon=True).start()
    for event in watch:
        channel.send(frames.RESULT, json.dumps([event.kind, event.name]).encode())
    channel.send(frames.END)


def _stream(channel: Channel, home: str, what: str, arguments: list[Any]) -> None:
    """Have the process that works on files inside, and the host, speak to each other."""
    process = JoinedFiles(home).start(what, *arguments)
    try:
        if process.stdin is None or process.stdout is None:
            raise ClosedError("there is no pipe")
        if what == "push":
            _take_in(channel, process.stdin)
            process.stdin.close()
            channel.send(frames.RESULT, json.dumps(_understood(process.stdout.read())).encode())
            return
        writer = TreeWriter(channel)
        while data := process.stdout.read(CHUNK):
            writer.write(data)
        writer.end()
    finally:
        end(process)


def _take_in(channel: Channel, target: Any) -> None:  # noqa: ANN401 - a pipe
    reader = TreeReader(channel, _MOST)
    while data := reader.read(CHUNK):
        try:
            target.write(data)
            target.flush()
        except BrokenPipeError:
            reader.drain()  # the other end says why
            return


def _understood(told: bytes) -> object:
    """Give what the process answered; StateError with what it could not do."""
    import marshal

    try:
        value = marshal.loads(told[4:])  # noqa: S302 - of a process that was started here
    except (EOFError, ValueError):
        value = "the sandbox has ended, or what worked on its files was killed"
    if isinstance(value, tuple):
        return cast("tuple[object]", value)[0]
    raise StateError(str(value))
