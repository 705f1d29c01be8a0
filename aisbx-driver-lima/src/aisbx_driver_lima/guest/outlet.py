"""The guest's half of an allow-list: what connects to the proxy inside goes to the host, which decides on it there.

Run as a process by the launcher, in the place of `aisbx.egress.server` and as that is run. The guest leads nowhere:
the host has connections ready in it, and each is used for one of the sandbox's. No name has an address inside.
"""

import collections
import json
import marshal
import os
import selectors
import socket
import sys
from typing import NoReturn

if __name__ == "__main__":  # started as a file, without site: find the package that this file is in
    sys.path.insert(0, __file__.rpartition("/")[0].rpartition("/")[0].rpartition("/")[0])

from aisbx_linux.egress import PROCESS, SOCKET
from aisbx_linux.link import Link
from aisbx_linux.processes import leave

_PATIENCE = 10.0
_MOST = 253
"""Descriptors of one message (unix(7), SCM_MAX_FD)."""
_NAMED = 3
_HEADER = 12
"""Bytes of a message's header (RFC 1035, 4.1.1)."""
TAKEN = b"."
"""To the host: this connection is used now."""


class Outlet:
    """Joins what comes from inside and what the host has ready."""

    def __init__(self, proxy: socket.socket, names: socket.socket, host: socket.socket) -> None:
        """`proxy` listens inside, `names` gets questions there, `host` listens for those who bring a connection."""
        self._proxy, self._names, self._host = proxy, names, host
        self._ready: collections.deque[socket.socket] = collections.deque()
        self._selector = selectors.DefaultSelector()
        self._accepting = False
        self._selector.register(PROCESS, selectors.EVENT_READ)
        for place in (names, host):
            place.settimeout(0)
            self._selector.register(place, selectors.EVENT_READ, place)
        proxy.settimeout(0)

    def serve(self) -> None:
        """Return when the sandbox has ended."""
        while True:
            self._accept_while(wanted=bool(self._ready))
            for key, events in self._selector.select():
                if key.fd == PROCESS:
                    return
                self._step(key.fileobj, key.data, events)

    def _step(self, place: object, what: object, events: int) -> None:
        if place is self._host:
            self._bring()
        elif place is self._names:
            self._deny()
        elif place is self._proxy:
            self._join()
        elif isinstance(what, Link):
            what.serve(place, events)
        elif isinstance(what, socket.socket):  # one that was ready: the host has given it up
            self._selector.unregister(what)
            self._ready.remove(what)
            what.close()

    def _accept_while(self, *, wanted: bool) -> None:
        """Take connections from inside only where there is one to be used: others wait in the kernel's queue."""
        if wanted == self._accepting:
            return
        self._accepting = wanted
        if wanted:
            self._selector.register(self._proxy, selectors.EVENT_READ, self._proxy)
        else:
            self._selector.unregister(self._proxy)

    def _bring(self) -> None:
        try:
            messenger, _ = self._host.accept()
            with messenger:
                messenger.settimeout(_PATIENCE)
                _, descriptors, _, _ = socket.recv_fds(messenger, 1, 1)
        except OSError:
            return
        for descriptor in descriptors:
            connection = socket.socket(fileno=descriptor)
            self._ready.append(connection)
            self._selector.register(connection, selectors.EVENT_READ, connection)

    def _join(self) -> None:
        if not self._ready:
            return  # the host has just given up the last one
        try:
            client, _ = self._proxy.accept()
        except OSError:
            return
        connection = self._ready.popleft()
        self._selector.unregister(connection)
        try:
            connection.sendall(TAKEN)
        except OSError:
            connection.close()
            client.close()
            return
        Link(self._selector, client, connection)

    def _deny(self) -> None:
        """Say that there is no such name, to whoever does not use the proxy: it would else wait."""
        try:
            message, sender = self._names.recvfrom(512)
            if len(message) > _HEADER:
                # A response, recursion available, NXDOMAIN; the question is repeated, and nothing else.
                head = message[:2] + bytes([message[2] & 0x79 | 0x80, 0x83]) + message[4:6] + bytes(6)
                self._names.sendto(head + message[_HEADER:], sender)
        except OSError:
            return


def _sockets() -> tuple[socket.socket, socket.socket]:
    """Take those that were opened inside; OSError where none come."""
    with socket.socket(fileno=SOCKET) as source:
        source.settimeout(_PATIENCE)
        said, descriptors, _, _ = socket.recv_fds(source, 500, _MOST)
    if len(descriptors) < _NAMED:
        raise OSError(said.decode(errors="replace") or "nobody listens in the sandbox's network")
    for spare in descriptors[2:]:
        os.close(spare)
    proxy, names = (socket.socket(fileno=descriptor) for descriptor in descriptors[:2])
    return proxy, names


def main() -> NoReturn:
    """Serve until the sandbox has ended."""
    with open(0, "rb", closefd=False) as stream:
        job = marshal.load(stream)[0]  # noqa: S302 - from the launcher that started this
    place = str(json.loads(job)["place"])
    host = socket.socket(socket.AF_UNIX)
    try:
        os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
        host.bind(place)
        host.listen(64)
        proxy, names = _sockets()
        outlet = Outlet(proxy, names, host)
    except OSError as error:
        os.write(1, (error.strerror or str(error)).encode(errors="replace"))
        leave(1)
    os.write(1, b"ok")
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    outlet.serve()
    os.unlink(place)
    leave(0)


if __name__ == "__main__":
    main()
