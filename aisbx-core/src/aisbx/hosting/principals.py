"""Who is being served, and what whoever asks for no more than a restriction is given."""

import asyncio
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aisbx.keys import SCOPES
from aisbx.types import Principal


def local() -> Principal:
    """Give the user whom the server runs as."""
    return Principal(f"uid:{os.geteuid()}", frozenset(SCOPES))


@dataclass(slots=True)
class _Presence:
    tasks: "list[asyncio.Task[object]]" = field(default_factory=list["asyncio.Task[object]"])
    last: float = 0.0
    """When the latest request ended (monotonic)."""
    over: bool = False
    """Whether they may not go on."""


class Presences:
    """The requests of each principal that are being served."""

    def __init__(self) -> None:
        """Know of none."""
        self._all: dict[str, _Presence] = {}

    @contextmanager
    def serving(self, principal: Principal) -> Generator[None]:
        """Serve a request of a principal's, who is not away meanwhile; it ends where they may not go on."""
        presence = self._all.setdefault(principal.id, _Presence())
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine has one
        presence.tasks.append(task)
        try:
            yield
        except asyncio.CancelledError:
            if not presence.over:
                raise
        finally:
            presence.tasks.remove(task)
            presence.last = time.monotonic()

    def sweep(self, idle: float, stands: Callable[[str], bool]) -> list[str]:
        """Send away those who may not stay as `stands` says, forget who sent nothing for `idle` seconds, and give both.

        Each is named by the principal's id.
        """
        left: list[str] = []
        for who, presence in list(self._all.items()):
            if not stands(who):
                presence.over = True
                for task in presence.tasks:
                    task.cancel()
            elif presence.tasks or time.monotonic() - presence.last < idle:
                continue
            del self._all[who]
            left.append(who)
        return left
