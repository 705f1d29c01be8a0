"""Tell on what the compiled program that watches a sandbox has seen (`native/watcher.c`), in words.

It answers calls, and starts this process for what there is to tell; after a quiet while this one ends.
"""

import select
import socket
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from aisbx_linux.lasting.identity import send_to
from aisbx_linux.watching.refused import Refused

if TYPE_CHECKING:
    from aisbx_linux.lasting.identity import Born

Tell = Callable[[dict[str, object]], str]
"""Takes what is told of a refused call; gives what is to be done about it: nothing, or `kill`."""
QUIET = 15.0
"""Seconds without a refused call after which this process ends: more than those in which the same is counted."""
_TICK = 1.0
_MESSAGE = 1 << 14
_WORD, _ARGUMENTS = 8, 6
_KILL = 9


class Told:
    """What is told of one sandbox."""

    def __init__(self, data: Mapping[str, object], descriptor: int) -> None:
        """Begin; `data` is as `able.to_watch` gives it. The sandbox may have ended meanwhile."""
        self._refused = Refused(cast("Mapping[int, str]", data["names"]), cast("list[str]", data["groups"]))
        self._tool = cast("Born", data["tool"])
        self._stays = bool(data["probes"])
        self._socket = socket.socket(fileno=descriptor)

    def work(self, tell: Tell, tick: Callable[[], bool]) -> None:
        """Tell until the sandbox has ended, or nothing was told for a while; see `aisbx.types.Watching`."""
        with self._socket:
            self._work(tell, tick)

    def _work(self, tell: Tell, tick: Callable[[], bool]) -> None:
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        due, last = 0.0, time.monotonic()
        while True:
            patience = _TICK if due else None if self._stays else QUIET
            if waiting.poll(None if patience is None else patience * 1000):
                message = self._socket.recv(_MESSAGE)
                if not message:
                    return
                self._take(message, tell)
                last = time.monotonic()
                due = due or last + _TICK
            now = time.monotonic()
            if due and now >= due:
                due = now + _TICK if tick() else 0.0
            if not due and not self._stays and now >= last + QUIET:
                self._leave(tell)
                return

    def _leave(self, tell: Tell) -> None:
        """Take what came meanwhile; what comes from now on starts another process like this."""
        self._socket.shutdown(socket.SHUT_RD)
        while message := self._socket.recv(_MESSAGE):
            self._take(message, tell)

    def _take(self, message: bytes, tell: Tell) -> None:
        """Tell of what a message says (`native/notify.h`)."""
        reading = _Reading(message)
        times, number = reading.number(), reading.number()
        values = [reading.number() for _ in range(_ARGUMENTS)]
        answer, waits, pid, inside = (reading.number() for _ in range(4))
        run = reading.data().decode(errors="replace")
        if times:
            self._act(tell({**self._refused.counted(number, answer, times), "run": run}))
            return
        program = reading.data().decode(errors="surrogateescape")
        places = {value: reading.data() for value in values}
        said = self._refused.arguments(number, values, lambda place, size: places.get(place, b"")[:size])
        told = self._refused.told(number, values, answer, (pid, inside, program), said if waits else {})
        if told:
            self._act(tell({**told, "run": run}))

    def _act(self, reaction: str) -> None:
        if reaction == "kill":
            send_to(self._tool, _KILL)


class _Reading:
    """A message: numbers, and bytes with their length before and a NUL behind them."""

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._place = 0

    def number(self) -> int:
        self._place += _WORD
        return int.from_bytes(self._message[self._place - _WORD : self._place], "little")

    def data(self) -> bytes:
        size = self.number()
        self._place += size + 1
        return self._message[self._place - size - 1 : self._place - 1]
