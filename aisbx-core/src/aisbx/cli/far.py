"""What commands in the background of a supervisor's sandbox print and take: `attach`, `input` and `logs` over there."""

import os
import threading
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from aisbx.cli.attach import concluded
from aisbx.cli.logs import as_data, show
from aisbx.cli.render import emit_json, say
from aisbx.cli.session import engine
from aisbx.errors import AisbxError, StateError, UsageError
from aisbx.remote import told
from aisbx.remote.background import RemoteBackground
from aisbx.remote.terminal import taken

if TYPE_CHECKING:
    from aisbx.engine import Engine

_CHUNK = 1 << 16
_STREAMS = {"stdout": 1, "stderr": 2}


def attached(engine: "Engine", name: str, target: str, *, logs: bool, stdin: bool) -> int:
    """Join this process's streams to a command until it ends; gives its exit code."""
    background, id = _found(engine, name, target)  # noqa: A001 - it is its name everywhere
    command, process = background.find(id), background.process(id)
    if not command.lives and not logs:
        raise StateError(f"the command {id} has ended", hint="see: aisbx logs, or attach --logs")
    cursor = 0 if logs else background.position(id, 0)
    typed = stdin and command.lives
    raw = typed and command.row["terminal"] and os.isatty(0) and os.isatty(1)
    with taken(process.resize) if raw else nullcontext():
        if typed:
            threading.Thread(target=_feed, args=(background, id), daemon=True).start()
        for kind, data, _ in background.server.follow(process.place, cursor):
            if kind in _STREAMS:
                _note_missing(data.get("missing") or 0)
                rest = memoryview(told.data(data))
                while rest:
                    rest = rest[os.write(_STREAMS[kind], rest) :]
    return concluded(background.find(id))


def _feed(background: RemoteBackground, id: str) -> None:  # noqa: A002 - as above
    process = background.process(id)
    with suppress(AisbxError, OSError):  # it has ended, or takes none
        while data := os.read(0, _CHUNK):
            process.write(data)
        process.end_input()


def fed(engine: "Engine", name: str, target: str, *, eof: bool) -> None:
    """Pass stdin on to a command; returns when its input has all of it."""
    background, id = _found(engine, name, target)  # noqa: A001 - as above
    process = background.process(id)
    while data := os.read(0, _CHUNK):
        process.write(data)
    if eof:
        process.end_input()


def printed(name: str, target: str, tail: int | None, since: float, *, follow: bool, as_json: bool) -> None:
    """Show what a command in the background printed."""
    if not name:
        raise UsageError("the runs of a supervisor are in its audit log", hint="name a sandbox: aisbx logs NAME [ID]")
    background, id = _found(engine(), name, target)  # noqa: A001 - as above
    cursor = background.position(id, tail, since)
    if as_json:
        output = as_data(b"".join(_chunks(background, id, cursor, follow=False)))
        emit_json({"sandbox": name, "id": id, "output": output})
        return
    show(_chunks(background, id, cursor, follow=follow))


def _chunks(background: RemoteBackground, id: str, cursor: int, *, follow: bool) -> Iterator[bytes]:  # noqa: A002
    place = background.process(id).place
    if follow:
        for kind, data, _ in background.server.follow(place, cursor):
            if kind in _STREAMS:
                _note_missing(data.get("missing") or 0)
                yield told.data(data)
        return
    while (row := background.server.get(f"{place}/output", cursor=cursor, limit=1 << 20))["stream"] is not None:
        cursor = row["cursor"]
        _note_missing(row.get("missing") or 0)
        yield told.data(row)


def _note_missing(count: int) -> None:
    if count:
        say(f"{count} bytes that it printed here were not kept")


def _found(engine: "Engine", name: str, target: str) -> tuple[RemoteBackground, str]:
    background: object = engine.sandboxes.background(name)
    assert isinstance(background, RemoteBackground)  # noqa: S101 - a supervisor's sandboxes have no other
    return background, background.find(target).id
