"""Listen inside a sandbox's network, and hand the socket to the process outside that serves it. Run as a process.

It is gone before anything of the sandbox's runs. Once inside it can do no more than the sandbox (`forward.enter`).
"""

import marshal
import os
import socket
import sys

if __name__ == "__main__":  # started as a file, without site: find the package that this file is in
    sys.path.insert(0, __file__.rpartition("/")[0].rpartition("/")[0])

from aisbx_linux.egress import PROCESS, SOCKET
from aisbx_linux.forward import enter
from aisbx_linux.processes import leave

_BACKLOG = 1024


def main() -> None:
    """Read the arguments from stdin, marshalled; what is wrong is told on stdout and to who waits for the socket."""
    with open(0, "rb", closefd=False) as stream:
        port, first, rlimits, program = marshal.load(stream)  # noqa: S302 - from the process that started this one
    with socket.socket(fileno=SOCKET) as target:
        try:
            enter(PROCESS, first, rlimits, program)
            place = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            place.bind(("127.0.0.1", port))
            place.listen(_BACKLOG)
            socket.send_fds(target, [b"."], [place.fileno()])
        except OSError as error:
            told = f"the proxy's port {port} inside: {error.strerror or error}".encode(errors="replace")
            os.write(1, told)
            target.sendall(told)
            leave(1)
    leave(0)


if __name__ == "__main__":
    main()
