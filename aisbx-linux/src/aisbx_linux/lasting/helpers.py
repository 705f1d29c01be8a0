"""The helpers that start commands for this process, and what those of one sandbox have in common. See `helper`."""

import _socket
import marshal
import os
import posix
import sys

from aisbx_linux.lasting import asking, helper
from aisbx_linux.lasting.join import JoinError, connected
from aisbx_linux.lasting.kept import Kept
from aisbx_linux.message import SOCKET, receive, send
from aisbx_linux.processes import send as signal
from aisbx_linux.spawn import strays

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from aisbx_linux.lasting.client import Client, Exchange
    from aisbx_linux.lasting.identity import Held

_ABOVE = 16
_ANSWER = 512
_IDLE = 8
"""How many helpers are kept for the next command."""
_KILL = 9
_PROGRAM = "aisbx-helper"


_told: set[str] = set()


def compiled() -> str:
    """Give the compiled helper beside the interpreter, "" where there is none that may and can be executed."""
    program = f"{sys.executable.rpartition('/')[0]}/{_PROGRAM}"
    if program in _told or os.environ.get("AISBX_FRONT") == "0":
        return ""
    if posix.access(program, posix.X_OK):
        return program
    if posix.access(program, posix.F_OK):
        _by_python(program, "is its file system mounted with noexec?")
    return ""


def _by_python(program: str, why: str) -> None:
    """Say once that the helper in Python takes the place of the compiled one, which is there."""
    from logging import getLogger

    _told.add(program)
    told = "%s can't be executed: %s Commands are started by Python instead, which is slower; hint: aisbx doctor"
    getLogger("aisbx").warning(told, program, why)


class Helper:
    """A process that has joined a sandbox for this one; JoinError where it cannot."""

    def __init__(self, held: "Held") -> None:
        """Start it and wait until it has joined."""
        import fcntl

        self._watch = connected(held, "")
        """What ends with who watches the sandbox, None where nobody is to."""
        self.watched = -1 if self._watch is None else self._watch.fileno()
        """What becomes readable then, -1 where nobody is to watch."""
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        self._socket, self._owner = ours, posix.getpid()
        self.number = ours.fileno()
        """What becomes readable with the answer."""
        self.idle: list[Helper] | None = None
        """Where it waits for the next command, see `Helpers`."""
        self.exchange: Exchange | None = None
        """What the compiled library reads output into, once it has been used."""
        self._pids = posix.memfd_create("pids", posix.MFD_CLOEXEC)
        posix.ftruncate(self._pids, helper.PIDS_SIZE)
        given = [theirs.fileno(), self._pids, *([] if self._watch is None else [self._watch.fileno()])]
        moved = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _ABOVE) for number in given]
        actions: list[tuple[object, ...]] = [(posix.POSIX_SPAWN_CLOSE, stray) for stray in strays()]
        actions += [(posix.POSIX_SPAWN_OPEN, number, "/dev/null", posix.O_RDWR, 0) for number in range(SOCKET)]
        actions += [(posix.POSIX_SPAWN_DUP2, number, SOCKET + place) for place, number in enumerate(moved)]
        try:
            program = compiled() if held["record"] is None else ""
            self.pid, program = _start(actions, program, ["watched"] if self._watch else [])
        finally:
            theirs.close()
            for number in moved:
                posix.close(number)
        send(ours, asking.joining(_notifying(held)) if program else marshal.dumps(held))  # pyright: ignore[reportArgumentType]
        answer = receive(ours)[0]
        if answer != asking.JOINED:
            self.close()
            raise JoinError(0, answer[1:].decode(errors="replace") or "the helper ended")

    def ask(self, request: bytes, streams: tuple[int, int, int], joining: int) -> bool:
        """Ask for a command, as `asking.request` tells of it; False where the helper has gone: nothing was started.

        It holds `joining`, as of `pause.share`, until the command has begun.
        """
        try:
            send(self._socket, request, (*streams, joining))
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def answer(self) -> "asking.Answer | None":
        """Give what came of it; None where the helper has gone."""
        answer = receive(self._socket, _ANSWER)[0]
        return asking.answered(answer) if answer else None

    @property
    def unwatched(self) -> bool:
        """Whether what it starts would be refused without anybody's notice: who watches the sandbox has ended."""
        return self._watch is not None and self._watch.gone()

    def fileno(self) -> int:
        """Give what becomes readable with the answer."""
        return self._socket.fileno()

    def running(self) -> int:
        """Give the pid of its command, 0 while there is none, `helper.STARTING` while it is not known."""
        return int.from_bytes(posix.pread(self._pids, 8, 0), "little")

    def kill(self) -> None:
        """End it, and so what it was about to start."""
        signal(self.pid, _KILL)

    def close(self) -> None:
        """Let it go; it ends its command and itself."""
        if self._owner == posix.getpid():
            try:  # noqa: SIM105 - contextlib is one import more
                self._socket.shutdown(_socket.SHUT_RDWR)  # a fork of this process may have the socket too
            except OSError:
                pass  # it has gone
        self._socket.close()
        if self._watch is not None:
            self._watch.close()
        posix.close(self._pids)
        try:  # noqa: SIM105 - contextlib is one import more
            posix.waitpid(self.pid, 0)
        except ChildProcessError:
            pass  # whoever waits for every child of this process was first


def _notifying(held: "Held") -> "Held":
    """Give a sandbox with the filter that is put on, which the compiled helper takes as it is."""
    watch = held["watch"]
    if watch is None:
        return held
    from aisbx_linux.watching.notify import notifying

    plan = held["plan"]
    return {**held, "plan": {**plan, "filter": notifying(plan["filter"], probes=watch[2])}}


def _start(actions: "list[tuple[object, ...]]", program: str, words: list[str]) -> "tuple[int, str]":
    """Start a helper, the compiled `program` with these words or "" for the one in Python; its pid, and which it is."""
    argv = [program, *words] if program else [sys.executable, "-I", "-S", helper.__file__]
    try:
        pid = posix.posix_spawn(
            argv[0],
            argv,
            {},
            file_actions=actions,  # pyright: ignore[reportArgumentType]
            setsid=True,
            setsigmask=(),
        )
    except OSError as error:
        if not program:
            raise
        _by_python(program, f"{error.strerror}.")
        return _start(actions, "", [])
    return pid, program


class Helpers:
    """The helpers of one client for one sandbox; any number of threads may use it."""

    def __init__(self, held: "Held", home: str) -> None:
        """Start none yet; `home` is the sandbox's private directory."""
        self.held = held
        self.home = home
        self._kept: Kept | None = None
        self.known: Client | None = None
        """What `client` gave, until it is forgotten."""
        self.idle: list[Helper] = []
        """Those that have nothing to do; another list once they were let go."""
        self._owner = posix.getpid()
        self._around: tuple[Mapping[str, str], str, tuple[bytes, bytes]] = ({}, "", asking.surroundings({}, ""))

    def surroundings(self, environment: "Mapping[str, str]", cwd: str) -> "tuple[bytes, bytes]":
        """Give what `asking.surroundings` does; of one command after the other they are mostly the same."""
        known = self._around
        if (known[0] is not environment and known[0] != environment) or known[1] != cwd:
            known = self._around = (environment, cwd, asking.surroundings(environment, cwd))
        return known[2]

    def take(self) -> Helper:
        """Give one that has nothing to do; JoinError where none can be started."""
        if self._owner != posix.getpid():  # a fork of the client: the helpers are the client's
            self.idle, self._owner = [], posix.getpid()
        idle = self.idle
        try:
            one = idle.pop()
            while one.unwatched:
                one.close()
                one = idle.pop()
        except IndexError:
            one = Helper(self.held)
        one.idle = idle
        return one

    def give_back(self, one: Helper) -> None:
        """Have it ready for the next command; one that was taken before `close` is let go."""
        idle = self.idle
        if one.idle is not idle or len(idle) >= _IDLE or self._owner != posix.getpid():
            one.close()
            return
        idle.append(one)
        if idle is not self.idle:  # another thread closed them at this moment
            _let_go(idle)

    @property
    def ready(self) -> bool:
        """Whether what is kept open is open."""
        return self._kept is not None

    def kept(self) -> Kept:
        """Give what is open for all commands."""
        kept = self._kept
        if kept is None:
            kept = self._kept = Kept(self.held, self.home)
        return kept

    def client(self) -> "Client | None":
        """Give what runs a command in one call, None where there is no library, or not all is as usual."""
        client = self.known
        if client is None and os.environ.get("AISBX_FRONT") != "0":
            from aisbx_linux.lasting.client import opened

            client = self.known = opened(self.kept())
        return client

    def forget_client(self) -> None:
        """Have the next made anew: what it knows may not be so any more."""
        self.known = None

    def close(self) -> None:
        """Let all go that have nothing to do."""
        self._kept = self.known = None
        if self._owner == posix.getpid():
            idle, self.idle = self.idle, []
            _let_go(idle)


def _let_go(idle: list[Helper]) -> None:
    while True:
        try:
            one = idle.pop()  # by one thread alone, without a lock that a fork could find taken
        except IndexError:
            return
        one.close()
