"""What came of one request: whatever is told to sinks while it is served says whose it is."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from aisbx.errors import AisbxError
from aisbx.types import REQUEST_BEGIN, REQUEST_END, Event

if TYPE_CHECKING:
    from aisbx.engine.engine import Engine

_REQUEST: ContextVar[str] = ContextVar("aisbx_request", default="")
begun: dict[str, str] = {}
"""Requests that commands in the background were started in, by the command's id, until those have ended."""
_MOST = 4096


def current() -> str:
    """Give the id of the request that is served here, "" for none."""
    return _REQUEST.get()


def remember(engine: "Engine", run: str) -> None:
    """Remember, for sinks, which request a command was started in that goes on after it."""
    if not engine.settings.sinks:
        return
    if len(begun) >= _MOST:
        begun.pop(next(iter(begun)))
    begun[run] = current()


@contextmanager
def request(engine: "Engine", host: str, what: str, principal: str) -> Generator[None]:
    """Serve a request, and tell the sinks when it begins and how it ends; one within another is a part of that."""
    if not engine.settings.sinks or _REQUEST.get():
        yield
        return
    from aisbx.plan.run import new_run

    token = _REQUEST.set(new_run())
    told: dict[str, object] = {}
    engine.emit(Event(REQUEST_BEGIN, time.time(), {"host": host, "what": what, "principal": principal}))
    try:
        yield
    except AisbxError as error:
        told = {"error": error.as_record()}
        raise
    except BaseException:
        told = {"error": {"code": "aborted"}}
        raise
    finally:
        engine.emit(Event(REQUEST_END, time.time(), told))
        _REQUEST.reset(token)


@contextmanager
def stage(engine: "Engine", kind: str, **told: object) -> Generator[None]:
    """Do a part of a request, and tell the sinks how that went."""
    if not engine.settings.sinks:
        yield
        return
    began, found = time.time(), dict[str, object](told)
    try:
        yield
    except AisbxError as error:
        found["error"] = error.as_record()
        raise
    finally:
        engine.emit(Event(kind, time.time(), found, began=began))
