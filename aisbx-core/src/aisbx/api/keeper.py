"""A process that makes and ends the sandboxes of a pool, so that the program's threads need not wait for that.

Most of that is Python, which would hold the lock of the program's interpreter. It also ends all that are left when the
program has gone, whatever ended that. Who kills both leaves sandboxes that end by their time to live, for
`aisbx prune` to remove.
"""

import json
import os
import pickle
import select
import signal
import socket
import sys
import threading
import time
from contextlib import suppress

from aisbx.api.doors import HOST, engine, principal
from aisbx.errors import AisbxError, RemoteError, StateError
from aisbx.types import ReleasableSandbox, RunRequest

_ABOVE = 16
_SOCKET = 3
_PATIENCE = 10.0
_PAUSE = 0.1
_GONE = "what makes the sandboxes of the pool has ended"
_TROUBLE = "a sandbox of the pool could not be made or ended"
_ANSWERED = {"make", "end", "discard"}
_MAIN = "from aisbx.api.keeper import main; main()"


class KeeperGoneError(StateError):
    """The process is not there any more."""


class Keeper:
    """The process, as the program sees it; any number of threads may use it."""

    def __init__(self, request: RunRequest, ttl: float, remote: str = "") -> None:
        """Start it; what it makes, or has a supervisor make, is by this request, and lives for `ttl` seconds."""
        import fcntl

        self._asking, self._sending = threading.Lock(), threading.Lock()
        self._socket, theirs = socket.socketpair()
        self._lines = self._socket.makefile("rb")
        told = os.memfd_create("pool", os.MFD_CLOEXEC)
        os.write(told, pickle.dumps((os.getpid(), request, ttl, remote)))
        os.lseek(told, 0, os.SEEK_SET)
        moved = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _ABOVE) for number in (told, theirs.fileno())]
        try:
            # It imports what this process would; of -I only that which does not depend on where it is started.
            self._pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-P", "-c", _MAIN],
                {**os.environ, "PYTHONPATH": os.pathsep.join(filter(os.path.isabs, sys.path))},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, moved[0], 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_DUP2, moved[1], _SOCKET),
                ],
                setsid=True,
                setsigmask=(),
            )
        finally:
            theirs.close()
            for number in (told, *moved):
                os.close(number)

        self._owner = os.getpid()

    def add(self, name: str) -> None:
        """Have it end a sandbox that this process is about to make, if this process does not."""
        self._say("add", name)

    def use(self, name: str) -> None:
        """Take note that something is about to run in a sandbox: until then nothing in the workspace is its doing."""
        self._say("use", name)

    def drop(self, name: str) -> None:
        """Leave a sandbox alone: it has ended."""
        self._say("drop", name)

    def make(self, name: str) -> None:
        """Make a sandbox; StateError says why not."""
        self._ask("make", name)

    def end(self, name: str, *, discard: bool) -> None:
        """End a sandbox and remove it; StateError says why that cannot be."""
        self._ask("discard" if discard else "end", name)

    def close(self) -> None:
        """Have it end what there still is, and itself, and wait for that."""
        if self._owner == os.getpid():
            with suppress(OSError):  # it has gone
                self._socket.shutdown(socket.SHUT_RDWR)  # a fork of this process may have the socket too
        self._lines.close()
        self._socket.close()
        try:
            os.waitpid(self._pid, 0)
        except ChildProcessError:
            return  # whoever waits for every child of this process was first

    def _say(self, what: str, name: str) -> None:
        try:
            with self._sending:
                self._socket.sendall(f"{what} {name}\n".encode())
        except (BrokenPipeError, ConnectionResetError):
            raise KeeperGoneError(_GONE, hint="make another pool") from None

    def _ask(self, what: str, name: str) -> None:
        with self._asking:
            self._say(what, name)
            try:
                answer = self._lines.readline()
            except ConnectionResetError:
                answer = b""
        if not answer:
            raise KeeperGoneError(_GONE, hint="make another pool")
        problem = json.loads(answer)
        if problem:
            raise StateError(problem[0], hint=problem[1])


class _Work:
    """The sandboxes of one pool, in the process that makes and ends them."""

    def __init__(self, request: RunRequest, ttl: float, remote: str) -> None:
        self._engine = engine(remote)
        self._request, self._ttl = request, ttl
        self.unused: set[str] = set()
        self.used: set[str] = set()

    def do(self, what: str, name: str) -> list[str]:
        """Do what is asked for, and give message and hint of what kept it from being done, nothing else."""
        try:
            if what == "use":
                self.unused.discard(name)
                self.used.add(name)
            elif what in {"add", "make"}:
                self.unused.add(name)
                if what == "make":
                    self._engine.sandboxes.create(self._request, principal(), HOST, name, self._ttl)
            else:
                if what in {"end", "discard"}:
                    self._end(name, discard=what == "discard")
                self.unused.discard(name)
                self.used.discard(name)
        except AisbxError as error:
            return [error.message, error.hint]
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are in use
            return [f"{_TROUBLE}: {str(error) or type(error).__name__}", "see: aisbx doctor"]
        return []

    def end_all(self) -> None:
        """End all that are left, also those that are being made; for as long as it takes, within reason."""
        until = time.monotonic() + _PATIENCE
        while names := self._left():
            for name in sorted(names):
                self.do("discard", name)
            if time.monotonic() > until:
                return
            time.sleep(_PAUSE)  # what made one has not let go of it yet

    def _left(self) -> set[str]:
        known = self.unused | self.used
        try:
            return known & set(self._engine.sandboxes.names())
        except RemoteError:  # the supervisor starts anew, or has gone
            return known

    def _end(self, name: str, *, discard: bool) -> None:
        sandboxes = self._engine.sandboxes
        if name in self.unused:
            with suppress(StateError):  # it has ended by itself
                opened = sandboxes.open(name).sandbox
                if isinstance(opened, ReleasableSandbox):
                    opened.renew()  # what is in the workspace by now is not its doing, and stays
        sandboxes.destroy(name, principal(), HOST, discard=discard)


def main() -> None:
    """Serve the program that started this process, until it has gone; then end what is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends with the program, and not before
    with open(0, "rb", closefd=False) as stream:
        client, *asked = pickle.load(stream)  # noqa: S301 - from the process that started this one
    work = _Work(*asked)
    life = _life(client)
    link = socket.socket(fileno=_SOCKET)
    os.set_inheritable(_SOCKET, False)  # noqa: FBT003 - positional only
    os.set_blocking(_SOCKET, False)
    _serve(work, link, life)
    work.end_all()  # the program has gone, or lets go


def _life(client: int) -> int | None:
    """Give what is readable once the program has gone; None where it has gone already, before this one could begin."""
    try:
        life = os.pidfd_open(client)
    except ProcessLookupError:
        return None
    return life if os.getppid() == client else None  # else its number is another's by now


def _serve(work: _Work, link: socket.socket, life: int | None) -> None:
    """Do what the program asks for until it has gone, and has been heard to the end."""
    waiting = select.poll()
    for descriptor in (link.fileno(), *([] if life is None else [life])):
        waiting.register(descriptor, select.POLLIN)
    rest = b""
    while True:
        gone = life is None or life in [descriptor for descriptor, _ in waiting.poll()]
        try:
            data = link.recv(1 << 16)
        except BlockingIOError:  # others have its end of the socket too
            data = b""
            if not gone:
                continue
        except ConnectionResetError:
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            what, _, name = line.decode().partition(" ")
            if gone and what == "make":
                continue
            answer = work.do(what, name)
            if what in _ANSWERED:
                with suppress(OSError):  # it has gone: what follows says so
                    link.sendall(json.dumps(answer).encode() + b"\n")
        if not data:
            return
