"""Carry connections from the host's loopback to servers in a sandbox. Run as a process of its own, see `publish`.

It listens on the host first. Then it joins the sandbox's network and user namespaces, from which there is no way back,
gives up every capability, and stands behind the sandbox's own filter: what comes from inside meets a process that can
do no more than the sandbox can. It is not in the sandbox's PID namespace: nothing inside can see or signal it.
"""

import errno
import marshal
import os
import resource
import selectors
import socket
import sys
import time

if __name__ == "__main__":  # started as a file, without site: find the package that this file is in
    sys.path.insert(0, __file__.rpartition("/")[0].rpartition("/")[0])

from aisbx_linux import syscalls
from aisbx_linux.lasting.identity import NAMESPACES, differing
from aisbx_linux.lasting.join import confine
from aisbx_linux.link import Link
from aisbx_linux.processes import leave
from aisbx_linux.publish import PROCESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

del resource  # `confine` needs it, and nothing can be imported any more once the user has changed
_DUMPABLE = 4
_MOST = 200
"""Connections at once; further ones wait."""
_BACKLOG = 64
_LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
_TAKEN = (errno.EACCES, errno.EADDRINUSE)
_UNDER_WAY = (0, errno.EINPROGRESS)
_PATIENCE = 10.0
"""Seconds that a server inside has to accept a connection."""


def listen(ports: "list[int]") -> "list[tuple[socket.socket, int]]":
    """Listen on each port of the host's loopback, and give the listening sockets; OSError says which can't be had."""
    found: list[tuple[socket.socket, int]] = []
    for port in ports:
        for family, address in _LOOPBACK:
            try:
                listening = socket.socket(family, socket.SOCK_STREAM)
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                listening.bind((address, port))
                listening.listen(_BACKLOG)
            except OSError as error:
                if family == socket.AF_INET6 and error.errno not in _TAKEN:
                    continue  # this machine has no IPv6
                raise OSError(f"--publish {port}: {address} port {port} cannot be had: {error.strerror}") from None
            listening.settimeout(0)
            found.append((listening, port))
    return found


def enter(
    process: int,
    first: int,
    rlimits: "list[tuple[int, int, int]]",
    program: bytes,
    prepare: "Callable[[int, int], None] | None" = None,
) -> None:
    """Join a sandbox's network, and become as little as it is.

    `prepare` is called with `process` and `first` as the sandbox's user, before anything is given up.
    """
    syscalls.call("prctl", _DUMPABLE, 0, 0, 0, 0)
    flags = differing(first) & (NAMESPACES["net"] | NAMESPACES["user"])
    if not flags & NAMESPACES["net"]:
        raise OSError("the sandbox has no network of its own")
    if os.geteuid() == 0:  # its user on the host is the one whose namespaces they are
        with open(f"/proc/{first}/status", "rb", buffering=0) as stream:
            rows = dict(line.split(b":", 1) for line in stream.read().splitlines())
        uid, gid = (int(rows[name].split()[1]) for name in (b"Uid", b"Gid"))
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    if prepare is not None:
        prepare(process, first)
        flags = differing(first) & (NAMESPACES["net"] | NAMESPACES["user"])
    if flags and syscalls.call("setns", process, flags) != 0:
        raise OSError("joining the sandbox's network was refused")
    syscalls.call("prctl", _DUMPABLE, 0, 0, 0, 0)
    confine(rlimits, program)


class _Dial:
    """A connection of the host's whose counterpart inside is not there yet."""

    def __init__(self, selector: selectors.BaseSelector, client: socket.socket, port: int) -> None:
        self.until = time.monotonic() + _PATIENCE
        self._selector = selector
        self._client = client
        self._port = port
        self._places = iter(_LOOPBACK)
        self._server: socket.socket | None = None

    def advance(self) -> bool:
        """Try the next address; False where none is left, and the connection is closed."""
        self._drop()
        for family, address in self._places:
            server = socket.socket(family, socket.SOCK_STREAM)
            server.settimeout(0)
            if server.connect_ex((address, self._port)) in _UNDER_WAY:
                self._server = server
                self._selector.register(server, selectors.EVENT_WRITE, self)
                return True
            server.close()
        self._client.close()
        return False

    def connected(self) -> "Link | None":
        """Give the connection, None where this address is of no use."""
        if self._server is None or self._server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return None
        self._selector.unregister(self._server)
        return Link(self._selector, self._client, self._server)

    def close(self) -> None:
        """Give it up."""
        self._drop()
        self._client.close()

    def _drop(self) -> None:
        if self._server is not None:
            self._selector.unregister(self._server)
            self._server.close()
            self._server = None


class Forwarder:
    """Carries connections until the sandbox has ended."""

    def __init__(self, listeners: "list[tuple[socket.socket, int]]", process: int) -> None:
        """`process` is a pidfd of the sandbox's first process."""
        self._selector = selectors.DefaultSelector()
        self._selector.register(process, selectors.EVENT_READ, None)
        self._listeners = listeners
        self._listening = False
        self._dials: set[_Dial] = set()
        self._links: set[Link] = set()

    def serve(self) -> None:
        """Return when the sandbox has ended."""
        while True:
            self._listen(len(self._dials) + len(self._links) < _MOST)
            for key, ready in self._selector.select(1.0 if self._dials else None):
                what = key.data
                if what is None:
                    return
                if isinstance(what, socket.socket):
                    self._accept(what)
                elif isinstance(what, _Dial):
                    self._dialled(what)
                elif not what.serve(key.fileobj, ready):
                    self._links.discard(what)
            now = time.monotonic()
            for dial in [dial for dial in self._dials if dial.until < now]:
                self._dials.discard(dial)
                dial.close()

    def _listen(self, wanted: bool) -> None:  # noqa: FBT001
        if wanted == self._listening:
            return
        self._listening = wanted
        for place, _ in self._listeners:
            if wanted:
                self._selector.register(place, selectors.EVENT_READ, place)
            else:
                self._selector.unregister(place)

    def _accept(self, place: socket.socket) -> None:
        try:
            client, _ = place.accept()
        except OSError:
            return  # it has gone again
        dial = _Dial(self._selector, client, dict(self._listeners)[place])
        if dial.advance():
            self._dials.add(dial)

    def _dialled(self, dial: _Dial) -> None:
        link = dial.connected()
        if link is not None:
            self._dials.discard(dial)
            self._links.add(link)
        elif not dial.advance():
            self._dials.discard(dial)


def main() -> None:
    """Read the arguments from stdin, marshalled; answer on stdout with `ok`, or with what is wrong."""
    with open(0, "rb", closefd=False) as stream:
        ports, first, rlimits, program = marshal.load(stream)  # noqa: S302 - from the process that started this one
    try:
        listeners = listen(ports)
        enter(PROCESS, first, rlimits, program)
    except OSError as error:
        os.write(1, (error.strerror or str(error)).encode(errors="replace"))
        leave(1)
    os.write(1, b"ok")
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    Forwarder(listeners, PROCESS).serve()
    leave(0)


if __name__ == "__main__":
    main()
