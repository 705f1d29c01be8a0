"""Observe one sandbox: take listeners, note what they tell of, answer, and say what was seen to who asks.

`aisbx.observer` starts it. It can only do what the sandbox's filter does: see `answer`.
"""

import json
import os
import select
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from aisbx_linux.lasting.identity import open_process, recall, send_to
from aisbx_linux.learning.answer import Going, Original
from aisbx_linux.learning.hand import DOOR
from aisbx_linux.learning.seen import Seen
from aisbx_linux.message import receive, send
from aisbx_linux.watching.refused import Refused

if TYPE_CHECKING:
    from aisbx_linux.lasting.identity import Born

REPORT = b"report"
_WAITING, _MESSAGE = 64, 128
_KILL = 9
_PEAKS = {"memory": ("memory.peak", "memory.max_usage_in_bytes"), "pids": ("pids.peak",)}
"""Limit → the files of a cgroup, of version 2 and 1, that have the most there ever was."""


class Observation:
    """One sandbox that is observed."""

    def __init__(self, data: Mapping[str, object]) -> None:
        """Open what listeners come through; OSError where the sandbox is gone."""
        home = str(data["home"])
        held = recall(home)
        if held is None or held["record"] is None:
            raise OSError("the sandbox has ended, or is none that is learned from")
        self._held = held
        try:
            self._first = open_process(held["first"])
            self._owner = open_process(cast("Born", data["owner"]))
        except ProcessLookupError:
            raise OSError("the sandbox has ended") from None
        _, groups, numbers = held["record"]
        program, arch = held["plan"]["filter"], int(str(data["arch"]))
        names = cast("Mapping[int, str]", data["names"])
        self._original = Original(program, arch, dict(names), numbers)
        self._refused = Refused(names, groups)
        self._seen = Seen(names, groups)
        self._door = _opened(home)
        self._poller = select.epoll()
        self._connections: dict[int, socket.socket] = {}
        self._listeners: dict[int, Going] = {}
        for descriptor in (self._first, self._owner, self._door.fileno()):
            self._poller.register(descriptor, select.EPOLLIN)

    def work(self) -> None:
        """Observe until the sandbox has ended; its owner's end ends it."""
        while True:
            for descriptor, events in self._poller.poll():
                if descriptor in self._listeners:
                    self._notified(self._listeners[descriptor], events)
                elif descriptor in self._connections:
                    self._take(descriptor)
                elif descriptor == self._door.fileno():
                    self._accept()
                elif descriptor == self._owner:
                    send_to(self._held["tool"], _KILL)
                    self._poller.unregister(descriptor)
                else:
                    return

    def _accept(self) -> None:
        with suppress(OSError):  # who connected has gone
            connection, _ = self._door.accept()
            self._connections[connection.fileno()] = connection
            self._poller.register(connection.fileno(), select.EPOLLIN)

    def _take(self, descriptor: int) -> None:
        """Take a listener of a connection, or say what was seen; one that has ended is let go."""
        connection = self._connections[descriptor]
        said, rights = receive(connection, _MESSAGE)
        for number in rights:
            self._listeners[number] = Going(number, "")
            self._poller.register(number, select.EPOLLIN)
        if said == REPORT:
            report = {**self._seen.report(), "peaks": self._peaks()}
            with suppress(OSError):  # who asked has gone
                send(connection, json.dumps(report).encode("ascii"))
        if not said:
            self._poller.unregister(descriptor)
            self._connections.pop(descriptor).close()

    def _notified(self, listener: Going, events: int) -> None:
        if not events & select.EPOLLIN:  # nobody has the filter any more
            self._poller.unregister(listener.fileno())
            self._listeners.pop(listener.fileno()).close()
            return
        received = listener.receive()
        if received is None:
            return
        call, thread, number, values = received
        errno = self._original.errno(number, values)
        if not errno:
            try:
                self._seen.allowed(number, thread, values, lambda: listener.waits(call))
            finally:
                listener.go_on(call)
            return
        try:
            told = self._refused.seen(number, thread, values, errno, lambda: listener.waits(call))
        finally:
            listener.refuse(call, errno)
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


def _opened(home: str) -> socket.socket:
    """Listen in a private directory for those who join the sandbox."""
    directory = os.open(home, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(FileNotFoundError):
            os.unlink(DOOR, dir_fd=directory)
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
        door.bind(f"/proc/self/fd/{directory}/{DOOR}")
        door.listen(_WAITING)
    finally:
        os.close(directory)
    return door
