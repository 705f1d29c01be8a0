"""Watch one sandbox: take listeners, answer what they tell of, and tell it on. In a process of its own, on the host.

`aisbx.watcher` starts it. A call is answered before anything is written: who waits for a disk here is not what runs in
the sandbox. So that nobody inside can have this process read and write without end, it describes so many calls a
second; of others it tells how many there were.
"""

import posix
import select
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from aisbx_linux.lasting.identity import open_process, recall, send_to
from aisbx_linux.message import receive
from aisbx_linux.watching.hand import NO_RUN, SOCKET
from aisbx_linux.watching.notify import Listener
from aisbx_linux.watching.refused import Answers, Refused
from aisbx_linux.watching.told import Tell, Told

if TYPE_CHECKING:
    from aisbx_linux.lasting.identity import Born

RATE, BURST = 100.0, 200.0
"""Calls that are described in a second, and at once."""
_TICK = 1.0
"""Seconds after which is told how many were not."""
_WAITING, _MESSAGE = 64, 128
_KILL = 9
_MOST_COUNTED = 512


class Watch:
    """One sandbox that is watched."""

    def __init__(self, data: Mapping[str, object]) -> None:
        """Open what listeners come through, as `LastingSandbox.watching` says; OSError where the sandbox is gone."""
        home = str(data["home"])
        held = recall(home)
        if held is None or held["watch"] is None:
            raise OSError("the sandbox has ended, or is none that is watched")
        self._held = held
        try:
            self._first = open_process(held["first"])
            owner = cast("Born | None", data["owner"])
            self._owner = open_process(owner) if owner else -1
        except ProcessLookupError:
            raise OSError("the sandbox has ended") from None
        names = cast("Mapping[int, str]", data["names"])
        self._answers = Answers(held["plan"]["filter"], int(str(data["arch"])), names)
        self._refused = Refused(names, held["watch"][1])
        self._door = _opened(home)
        self._poller = select.epoll()
        self._connections: dict[int, socket.socket] = {}
        self._listeners: dict[int, Listener] = {}
        self._budget, self._since = BURST, time.monotonic()
        self._counted: dict[tuple[str, int], tuple[int, int]] = {}
        self._due = 0.0
        for descriptor in (self._first, self._door.fileno(), *([self._owner] if self._owner >= 0 else [])):
            self._poller.register(descriptor, select.EPOLLIN)

    def work(self, tell: Tell, tick: Callable[[], bool]) -> None:
        """Watch until the sandbox has ended; see `aisbx.types.Watching`."""
        while True:
            for descriptor, events in self._poller.poll(self._patience()):
                if descriptor in self._listeners:
                    self._notified(self._listeners[descriptor], events, tell)
                elif descriptor in self._connections:
                    self._take(descriptor)
                elif descriptor == self._door.fileno():
                    self._accept()
                elif descriptor == self._owner:
                    send_to(self._held["tool"], _KILL)
                    self._poller.unregister(descriptor)
                else:
                    self._count(tell)
                    return
            if self._due and time.monotonic() >= self._due:
                self._count(tell)
                self._due = time.monotonic() + _TICK if tick() else 0.0

    def _patience(self) -> float | None:
        return max(0.0, self._due - time.monotonic()) if self._due else None

    def _accept(self) -> None:
        with suppress(OSError):  # who connected has gone
            connection, _ = self._door.accept()
            self._connections[connection.fileno()] = connection
            self._poller.register(connection.fileno(), select.EPOLLIN)

    def _take(self, descriptor: int) -> None:
        """Take a listener of a connection; one that has ended is let go."""
        connection = self._connections[descriptor]
        said, rights = receive(connection, _MESSAGE)
        for number in rights:
            self._listeners[number] = Listener(number, "" if said == NO_RUN else said.decode(errors="replace"))
            self._poller.register(number, select.EPOLLIN)
        if not said:
            self._poller.unregister(descriptor)
            self._connections.pop(descriptor).close()

    def _notified(self, listener: Listener, events: int, tell: Tell) -> None:
        if not events & select.EPOLLIN:  # nobody has the filter any more
            self._poller.unregister(listener.fileno())
            self._listeners.pop(listener.fileno()).close()
            return
        received = listener.receive()
        if received is None:
            return
        self._due = self._due or time.monotonic() + _TICK
        call, thread, number, values = received
        answer = self._answers.errno(number, values)
        if not self._describes():
            listener.refuse(call, answer)
            self._add(listener.run, number, answer)
            return
        try:
            told = self._refused.seen(number, thread, values, answer, lambda: listener.waits(call))
        finally:
            listener.refuse(call, answer)
        if told:
            self._act(tell({**told, "run": listener.run}))

    def _describes(self) -> bool:
        now = time.monotonic()
        self._budget = min(BURST, self._budget + (now - self._since) * RATE)
        self._since = now
        if self._budget < 1:
            return False
        self._budget -= 1
        return True

    def _add(self, run: str, number: int, answer: int) -> None:
        key = (run, number)
        if key not in self._counted and len(self._counted) >= _MOST_COUNTED:
            key = next(iter(self._counted))
        times, first = self._counted.get(key, (0, answer))
        self._counted[key] = times + 1, first

    def _count(self, tell: Tell) -> None:
        """Tell how many calls there were that were not described."""
        counted, self._counted = self._counted, {}
        for (run, number), (times, answer) in counted.items():
            self._act(tell({**self._refused.counted(number, answer, times), "run": run}))

    def _act(self, reaction: str) -> None:
        if reaction == "kill":
            send_to(self._held["tool"], _KILL)


def prepare(data: Mapping[str, object]) -> Watch:
    """Open what there is to watch; OSError where the sandbox is gone."""
    return Watch(data)


def told(data: Mapping[str, object], descriptor: int) -> Told:
    """Take what the compiled program tells that watches (`native/watcher.c`)."""
    return Told(data, descriptor)


def _opened(home: str) -> socket.socket:
    """Listen in a private directory for those who join the sandbox."""
    directory = posix.open(home, posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
    try:
        with suppress(FileNotFoundError):
            posix.unlink(SOCKET, dir_fd=directory)
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
        door.bind(f"/proc/self/fd/{directory}/{SOCKET}")
        door.listen(_WAITING)
    finally:
        posix.close(directory)
    return door
