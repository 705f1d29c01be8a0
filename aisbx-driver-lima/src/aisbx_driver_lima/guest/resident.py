"""A command of a sandbox that lasts, started by a helper that waits in it: no process of Python's is made for it.

Whoever serves the connection keeps the helper for its next command, as a program of a host's does that has a sandbox
open. What the command prints goes to the host as it comes, and what the host says is heard meanwhile.
"""

import os
import posix
import signal
import struct
from collections.abc import Callable, Mapping
from select import POLLIN, POLLOUT

from aisbx.errors import StateError
from aisbx.types import Command, LaunchRequest, LocalPlan, Stdio, launch_request
from aisbx_linux.bounds import narrowed
from aisbx_linux.lasting.command import own_of
from aisbx_linux.lasting.helped import Helped
from aisbx_linux.lasting.helpers import Helpers
from aisbx_linux.lasting.own import Own
from aisbx_linux.lasting.served import Fed
from aisbx_linux.lasting.wires import JoinedWires
from aisbx_linux.relay import Budget, Output

from aisbx_driver_lima.guest import frames
from aisbx_driver_lima.guest.frames import CHUNK, Channel, ClosedError

_FULL = 4 * CHUNK
"""Bytes that wait for the host before the command's output is read no further."""


def run(
    channel: Channel, helpers: Helpers, command: Command, limits: Mapping[str, float], *, stdin: bool
) -> dict[str, object]:
    """Run one to its end, and give a `LaunchResult` without the streams; ClosedError where the host goes, and it ends.

    StateError where the sandbox has ended.
    """
    name = os.urandom(6).hex()
    request = launch_request(command, Stdio(), exclusive=False, state=helpers.held["state"], run=name, keep=0)
    plan = narrowed(helpers.held["plan"], limits)
    try:
        running = _Running(channel, helpers, plan, request, own=own_of(limits, name), stdin=stdin)
    except (FileNotFoundError, ProcessLookupError):
        raise StateError("the sandbox has ended", hint="see: aisbx ls") from None
    running.start()
    running.hear()
    running.wait()
    if running.lost is not None:
        raise running.lost
    result = dict(running.result())
    result["stdout"] = result["stderr"] = ""  # they went by
    return result


class _Running(Helped):
    """The command, which ends with its connection."""

    def __init__(
        self,
        channel: Channel,
        helpers: Helpers,
        plan: LocalPlan,
        request: LaunchRequest,
        *,
        own: Own | None,
        stdin: bool,
    ) -> None:
        super().__init__(helpers, plan, request, own=own)
        self._channel = channel
        self._fed = stdin
        self.lost: ClosedError | None = None
        """Why nobody waits for it any more."""

    def _make_wires(self) -> JoinedWires:
        return _Wires(self._channel, self._budget, stdin=self._fed)

    def _wanted(self) -> dict[int, tuple[int, list[Callable[[], None]]]]:
        steps = super()._wanted()
        if steps and self.lost is None:
            events = POLLIN | (POLLOUT if self._channel.unsent else 0)
            steps[self._channel.fileno()] = (events, [self._converse])
        return steps

    def hear(self) -> None:
        """Take what has come by now, some of it perhaps with the question: nothing else may come that wakes poll(2)."""
        while (found := self._channel.frame()) is not None:
            self._take(*found)

    def _converse(self) -> None:
        """Hear what the host says, and tell it what waits for it; ends the command where it has gone."""
        try:
            more = self._channel.pull()
            self.hear()
            self._channel.flush()
        except ClosedError as error:
            self.lost = error
        else:
            self.lost = None if more else ClosedError("the host has gone")
        if self.lost is not None:
            self.kill()

    def _take(self, kind: bytes, data: bytes) -> None:
        fed = self.wires.stdin if self.wires is not None else None
        if kind == frames.INPUT and isinstance(fed, Fed):
            if data:
                fed.feed(data)
            else:
                fed.end()
        elif kind == frames.SIGNAL and data:
            if data[0] == signal.SIGKILL:
                self.kill()
            else:
                self.signal(data[0])
        elif kind == frames.SHUT:
            for relay in self._outputs():
                if isinstance(relay, _Sent) and relay.kind == data:
                    relay.close()


class _Wires(JoinedWires):
    """Streams whose other end is the host."""

    __slots__ = ()

    def __init__(self, channel: Channel, budget: Budget, *, stdin: bool) -> None:
        self.opened: list[int] = []
        self.stdin = self.terminal = None
        self._given = -1
        if stdin:
            reader, writer = posix.pipe2(posix.O_CLOEXEC)
            first = self._keep(reader)
            self.stdin = _Input(writer, channel)
        else:
            first = self._null(posix.O_RDONLY)
        second, self.stdout = self._sent(frames.OUTPUT, budget, channel)
        third, self.stderr = self._sent(frames.ERRORS, budget, channel)
        self.inside = (first, second, third)

    def _sent(self, kind: bytes, budget: Budget, channel: Channel) -> "tuple[int, _Sent]":
        reader, writer = posix.pipe2(posix.O_CLOEXEC)
        return self._keep(writer), _Sent(reader, kind, budget, channel)


class _Sent(Output):
    """One stream from the command to the host."""

    __slots__ = ("_channel", "kind")

    def __init__(self, source: int, kind: bytes, budget: Budget, channel: Channel) -> None:
        super().__init__(source, -1, budget)
        self._channel = channel
        self.kind = kind
        """Of the frames that it becomes."""

    def wants(self) -> tuple[int, int]:
        return (-1, 0) if len(self._channel.unsent) >= _FULL else super().wants()

    def _accept(self, data: bytes) -> None:
        if data := self._within(data):
            self._channel.put(self.kind, data)


class _Input(Fed):
    """What the host sends to the command, which is told how much of it has been passed on."""

    __slots__ = ("_channel",)

    def __init__(self, target: int, channel: Channel) -> None:
        super().__init__(target)
        self._channel = channel

    def step_on(self) -> None:
        before = len(self.pending)
        super().step_on()
        left = len(self.pending) if self.target >= 0 else 0  # what nobody reads any more is under way no longer
        if before > left:
            self._channel.put(frames.TAKEN, struct.pack(">I", before - left))
