"""Open sockets inside a sandbox's network, and hand them to the process outside that serves them. Run as a process.

It is gone before anything of the sandbox's runs. Once inside it can do no more than the sandbox (`forward.enter`).
"""

import errno
import marshal
import os
import socket
import sys
import time

if __name__ == "__main__":  # started as a file, without site: find the package that this file is in
    sys.path.insert(0, __file__.rpartition("/")[0].rpartition("/")[0])

from aisbx_linux import route
from aisbx_linux.egress import PROCESS, SOCKET
from aisbx_linux.forward import enter
from aisbx_linux.processes import leave

_BACKLOG = 1024
_RESOLVER = 53
_PATIENCE, _PAUSE = 5.0, 0.001
"""Seconds."""
_SPARE = 128
"""Sockets for the places where names lead to: as many can be waited at in a sandbox's time."""


def main() -> None:
    """Read the arguments from stdin, marshalled; what is wrong is told on stdout and to who waits for the sockets."""
    with open(0, "rb", closefd=False) as stream:
        port, block, first, rlimits, program = marshal.load(stream)  # noqa: S302 - from the process that started this
    opened: list[socket.socket] = []

    def prepare(process: int, number: int) -> None:
        route.own(process, number)
        route.to_itself(block)
        opened.extend(_opened(port))

    with socket.socket(fileno=SOCKET) as target:
        try:
            enter(PROCESS, first, rlimits, program, prepare)
            socket.send_fds(target, [b"."], [place.fileno() for place in opened])
        except OSError as error:
            told = f"the sandbox's network: {error.strerror or error}".encode(errors="replace")
            os.write(1, told)
            target.sendall(told)
            leave(1)
    leave(0)


def _opened(port: int) -> list[socket.socket]:
    """Give what `EgressSockets` names, in its order; OSError where a place is taken."""
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    _bind(datagrams, _RESOLVER)
    spare = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(_SPARE)]
    return [_listening(port), datagrams, _listening(_RESOLVER), *spare]


def _listening(port: int) -> socket.socket:
    place = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _bind(place, port)
    place.listen(_BACKLOG)
    return place


def _bind(place: socket.socket, port: int) -> None:
    """Bind it to the sandbox's loopback, which who makes the sandbox may not have set up yet."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            place.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL or time.monotonic() > until:
                raise
            time.sleep(_PAUSE)
        else:
            return


if __name__ == "__main__":
    main()
