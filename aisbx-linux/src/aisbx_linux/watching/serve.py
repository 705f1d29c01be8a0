"""Watch one sandbox: take listeners, answer what they tell of, and tell it on. In a process of its own, on the host.

`aisbx.watcher` starts it. A call is answered before anything is written: who waits for a disk here is not what runs in
the sandbox. So that nobody inside can have this process read and write without end, it describes so many calls a
second; of others it tells how many there were.
"""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from aisbx_linux.lasting.identity import recall
from aisbx_linux.watching.hand import NO_RUN, SOCKET
from aisbx_linux.watching.notify import Listener
from aisbx_linux.watching.reception import Call, Reception
from aisbx_linux.watching.refused import Answers, Refused
from aisbx_linux.watching.told import Tell, Told

if TYPE_CHECKING:
    from aisbx_linux.lasting.identity import Born

RATE, BURST = 100.0, 200.0
"""Calls that are described in a second, and at once."""
_TICK = 1.0
"""Seconds after which is told how many were not."""
_MOST_COUNTED = 512
_UNKNOWN = 512


class Watch(Reception[Listener]):
    """One sandbox that is watched."""

    _tell: Tell

    def __init__(self, data: Mapping[str, object]) -> None:
        """Open what listeners come through, as `LastingSandbox.watching` says; OSError where the sandbox is gone."""
        home = str(data["home"])
        held = recall(home)
        if held is None or held["watch"] is None:
            raise OSError("the sandbox has ended, or is none that is watched")
        super().__init__(held, cast("Born | None", data["owner"]), home, SOCKET)
        names = cast("Mapping[int, str]", data["names"])
        self._answers = Answers(held["plan"]["filter"], int(str(data["arch"])), names)
        self._refused = Refused(names, held["watch"][1])
        self._budget, self._since = BURST, time.monotonic()
        self._counted: dict[tuple[str, int], tuple[int, int, int]] = {}
        self._due = 0.0

    def work(self, tell: Tell, tick: Callable[[], bool]) -> None:
        """Watch until the sandbox has ended; see `aisbx.types.Watching`."""
        self._tell = tell
        while self._serve(self._patience()):
            if self._due and time.monotonic() >= self._due:
                self._count()
                self._due = time.monotonic() + _TICK if tick() else 0.0
        self._count()

    def _patience(self) -> float | None:
        return max(0.0, self._due - time.monotonic()) if self._due else None

    def _made(self, listener: int, said: bytes) -> Listener:
        return Listener(listener, "" if said == NO_RUN else said.decode(errors="replace"))

    def _heard(self, listener: Listener, call: Call) -> None:
        self._due = self._due or time.monotonic() + _TICK
        number, thread, which, values = call
        answer = self._answers.errno(which, values)
        if not self._describes():
            listener.refuse(number, answer)
            self._add(listener.run, which, answer)
            return
        try:
            told = self._refused.seen(which, thread, values, answer, lambda: listener.waits(number))
        finally:
            listener.refuse(number, answer)
        if told:
            self._act(self._tell({**told, "run": listener.run}))

    def _describes(self) -> bool:
        now = time.monotonic()
        self._budget = min(BURST, self._budget + (now - self._since) * RATE)
        self._since = now
        if self._budget < 1:
            return False
        self._budget -= 1
        return True

    def _add(self, run: str, number: int, answer: int) -> None:
        # Numbers beyond every call there is are of one kind: they take no room from the others.
        key = (run, number if 0 <= number < _UNKNOWN else _UNKNOWN)
        if key not in self._counted and len(self._counted) >= _MOST_COUNTED:
            key = next(iter(self._counted))
        times, first, shown = self._counted.get(key, (0, answer, number))
        self._counted[key] = times + 1, first, shown

    def _count(self) -> None:
        """Tell how many calls there were that were not described."""
        counted, self._counted = self._counted, {}
        for (run, _), (times, answer, number) in counted.items():
            self._act(self._tell({**self._refused.counted(number, answer, times), "run": run}))

    def _act(self, reaction: str) -> None:
        if reaction == "kill":
            self._end()


def prepare(data: Mapping[str, object]) -> Watch:
    """Open what there is to watch; OSError where the sandbox is gone."""
    return Watch(data)


def told(data: Mapping[str, object], descriptor: int) -> Told:
    """Take what the compiled program tells that watches (`native/watcher.c`)."""
    return Told(data, descriptor)
