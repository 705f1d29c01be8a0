"""Observe one sandbox: take listeners, note what they tell of, answer, and say what was seen to who asks.

`aisbx.observer` starts it. It can only do what the sandbox's filter does: see `answer`.
"""

import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from aisbx_linux.lasting.identity import recall
from aisbx_linux.learning.answer import Going
from aisbx_linux.learning.hand import DOOR
from aisbx_linux.learning.seen import Seen
from aisbx_linux.message import send
from aisbx_linux.watching.reception import Call, Reception
from aisbx_linux.watching.refused import Answers, Refused

if TYPE_CHECKING:
    from aisbx_linux.lasting.identity import Born

REPORT = b"report"
_PEAKS = {"memory": ("memory.peak", "memory.max_usage_in_bytes"), "pids": ("pids.peak",)}
"""Limit → the files of a cgroup, of version 2 and 1, that have the most there ever was."""


class Observation(Reception[Going]):
    """One sandbox that is observed."""

    def __init__(self, data: Mapping[str, object]) -> None:
        """Open what listeners come through; OSError where the sandbox is gone."""
        home = str(data["home"])
        held = recall(home)
        if held is None or held["record"] is None:
            raise OSError("the sandbox has ended, or is none that is learned from")
        super().__init__(held, cast("Born", data["owner"]), home, DOOR)
        _, groups, numbers = held["record"]
        program, arch = held["plan"]["filter"], int(str(data["arch"]))
        names = cast("Mapping[int, str]", data["names"])
        self._answers = Answers(program, arch, names, numbers)
        self._refused = Refused(names, groups)
        self._seen = Seen(names, groups)

    def work(self) -> None:
        """Observe until the sandbox has ended; its owner's end ends it."""
        while self._serve():
            pass

    def _made(self, listener: int, said: bytes) -> Going:
        del said  # which run it is of makes no difference
        return Going(listener, "")

    def _said(self, connection: socket.socket, said: bytes) -> None:
        if said == REPORT:
            report = {**self._seen.report(), "peaks": self._peaks()}
            with suppress(OSError):  # who asked has gone
                send(connection, json.dumps(report).encode("ascii"))

    def _heard(self, listener: Going, call: Call) -> None:
        number, thread, which, values = call
        errno = self._answers.errno(which, values)
        if not errno:
            try:
                self._seen.allowed(which, thread, values, lambda: listener.waits(number))
            finally:
                listener.go_on(number)
            return
        try:
            told = self._refused.seen(which, thread, values, errno, lambda: listener.waits(number))
        finally:
            listener.refuse(number, errno)
        if told:
            self._seen.refused(told)

    def _peaks(self) -> dict[str, int]:
        """Give the most memory (bytes) and tasks there were, as far as cgroups know."""
        found: dict[str, int] = {}
        for group in self._held["groups"]:
            for limit, files in _PEAKS.items():
                for file in files:
                    with suppress(OSError, ValueError), open(f"{group}/{file}", encoding="ascii") as stream:
                        found[limit] = max(found.get(limit, 0), int(stream.read()))
        return found


def prepare(data: Mapping[str, object]) -> Observation:
    """Open what there is to observe; OSError where the sandbox is gone."""
    return Observation(data)
