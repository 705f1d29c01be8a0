"""Commands that a helper starts: for a client that is large, has threads, or runs many. See `helper`."""

import _socket
import _thread
import marshal
import posix
import sys
import time

from aisbx_linux.ending import aborted, refused
from aisbx_linux.lasting import helper
from aisbx_linux.lasting.command import Joined, failed_to_join
from aisbx_linux.lasting.join import JoinError
from aisbx_linux.lasting.kept import Kept
from aisbx_linux.lasting.wires import JoinedWires
from aisbx_linux.message import SOCKET, receive, send
from aisbx_linux.processes import send as signal
from aisbx_linux.spawn import strays

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import LaunchRequest, LocalPlan

    from aisbx_linux.guard import Guard
    from aisbx_linux.lasting.identity import Held

_ABOVE = 16
_ANSWER = 512
_IDLE = 8
"""How many helpers are kept for the next command."""
_PATIENCE = 1.0
_PROBLEM = 2  # (errno, text)
_KILL = 9


class Helper:
    """A process that has joined a sandbox for this one; JoinError where it cannot."""

    def __init__(self, held: "Held") -> None:
        """Start it and wait until it has joined."""
        import fcntl

        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        self._socket, self._owner = ours, posix.getpid()
        self.idle: list[Helper] | None = None
        """Where it waits for the next command, see `Helpers`."""
        self._pids = posix.memfd_create("pids", posix.MFD_CLOEXEC)
        posix.ftruncate(self._pids, helper.PIDS_SIZE)
        moved = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _ABOVE) for number in (theirs.fileno(), self._pids)]
        actions: list[tuple[object, ...]] = [(posix.POSIX_SPAWN_CLOSE, stray) for stray in strays()]
        actions += [(posix.POSIX_SPAWN_OPEN, number, "/dev/null", posix.O_RDWR, 0) for number in range(SOCKET)]
        actions += [(posix.POSIX_SPAWN_DUP2, moved[0], SOCKET), (posix.POSIX_SPAWN_DUP2, moved[1], helper.PIDS)]
        try:
            self.pid = posix.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", helper.__file__],
                {},
                file_actions=actions,  # pyright: ignore[reportArgumentType]
                setsid=True,
                setsigmask=(),
            )
        finally:
            theirs.close()
            for number in moved:
                posix.close(number)
        send(ours, marshal.dumps(held))  # pyright: ignore[reportArgumentType]  (plain data)
        answer = receive(ours)[0]
        problem = marshal.loads(answer) if answer else "the helper ended"  # noqa: S302 - from a process of ours
        if problem:
            self.close()
            raise JoinError(0, problem)

    def ask(
        self, argv: list[str], environment: dict[str, str], cwd: str, streams: tuple[int, int, int], joining: int
    ) -> bool:
        """Ask for a command; False where the helper has gone, and then nothing was started.

        It holds `joining`, as of `pause.share`, until the command has begun.
        """
        try:
            send(self._socket, marshal.dumps((argv, environment, cwd)), (*streams, joining))
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def answer(self) -> "tuple[int, str] | tuple[int, float, float, int] | None":
        """Give why nothing was started (errno, text), or status and usage of what has ended; None if it has gone."""
        answer = receive(self._socket, _ANSWER)[0]
        return marshal.loads(answer) if answer else None  # noqa: S302 - from a process of ours

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
        posix.close(self._pids)
        try:  # noqa: SIM105 - contextlib is one import more
            posix.waitpid(self.pid, 0)
        except ChildProcessError:
            pass  # whoever waits for every child of this process was first


class Helpers:
    """The helpers of one client for one sandbox; any number of threads may use it."""

    def __init__(self, held: "Held", home: str) -> None:
        """Start none yet; `home` is the sandbox's private directory."""
        self.held = held
        self.home = home
        self._kept: Kept | None = None
        self._idle: list[Helper] = []
        self._owner = posix.getpid()

    def take(self) -> Helper:
        """Give one that has nothing to do; JoinError where none can be started."""
        if self._owner != posix.getpid():  # a fork of the client: the helpers are the client's
            self._idle, self._owner = [], posix.getpid()
        idle = self._idle
        try:
            one = idle.pop()
        except IndexError:
            one = Helper(self.held)
        one.idle = idle
        return one

    def give_back(self, one: Helper) -> None:
        """Have it ready for the next command; one that was taken before `close` is let go."""
        idle = self._idle
        if one.idle is not idle or len(idle) >= _IDLE or self._owner != posix.getpid():
            one.close()
            return
        idle.append(one)
        if idle is not self._idle:  # another thread closed them at this moment
            _let_go(idle)

    def kept(self) -> Kept:
        """Give what is open for all commands."""
        kept = self._kept
        if kept is None:
            kept = self._kept = Kept(self.held, self.home)
        return kept

    def close(self) -> None:
        """Let all go that have nothing to do."""
        self._kept = None
        if self._owner == posix.getpid():
            idle, self._idle = self._idle, []
            _let_go(idle)


def _let_go(idle: list[Helper]) -> None:
    while True:
        try:
            one = idle.pop()  # by one thread alone, without a lock that a fork could find taken
        except IndexError:
            return
        one.close()


class Helped(Joined):
    """A command that a helper starts and waits for."""

    def __init__(self, helpers: Helpers, plan: "LocalPlan", request: "LaunchRequest") -> None:
        """Keep all; nothing is started yet."""
        self._kept = helpers.kept()
        super().__init__(helpers.held, plan, request, helpers.home, self._kept.counts)
        self._helpers = helpers
        self._helper: Helper | None = None
        self._using = _thread.RLock()
        """Held by whoever uses the helper: once it is given back or let go, its descriptors are another's."""

    @property
    def owner(self) -> int:
        """The uid on the host of root's sandbox."""
        return self._kept.owner

    def _make_wires(self) -> JoinedWires:
        return JoinedWires(self.request, self._budget, null=self._kept.null)

    def _remember(self, guard: "Guard") -> None:
        self._kept.remember(guard)

    def _enter(self, wires: "JoinedWires") -> None:
        told = (*self._told(), wires.inside, self._joining)
        one = self._helpers.take()
        while not one.ask(*told):  # it was killed while it had nothing to do
            one.close()
            one = self._helpers.take()
        self._helper = one
        self.monitor = one.pid
        self._assembly.status = one.fileno()
        self._lasting.watch(self.held["first"][0], self.command)

    def command(self) -> int:
        """Give the command's process on the host, 0 where there is none (yet)."""
        with self._using:
            pid = self._helper.running() if self._helper is not None else 0
        return pid if pid != helper.STARTING else 0

    def signal(self, number: int) -> None:
        """Send a signal to the command, which may print before the helper has told its number."""
        self._known()
        with self._using:
            super().signal(number)

    def kill(self) -> None:
        """End the command and all below it; one that is not there yet ends with the helper."""
        known = self._known()
        with self._using:
            if known:
                super().kill()
            elif self._helper is not None:
                self._helper.kill()

    def _known(self) -> bool:
        """Wait until the command's number is known, or it has ended; tells whether that was so in time."""
        until = time.monotonic() + _PATIENCE
        while not self.done and not self.command() and not self._answered():
            if time.monotonic() > until:
                return False
            time.sleep(0.001)
        return True

    def _answered(self) -> bool:
        from select import POLLIN, poll

        waiting = poll()
        with self._using:
            if self._helper is None:
                return True
            waiting.register(self._helper.fileno(), POLLIN)
            return bool(waiting.poll(0))

    def _read_status(self) -> None:
        with self._using:
            one, self._helper = self._helper, None
        if one is None:
            return
        answer = one.answer()
        self._assembly.status = -1
        if answer is None:
            self._orphaned(one)
        elif len(answer) == _PROBLEM:
            self.failure = failed_to_join(JoinError(*answer), self.request["argv"][0])
        else:
            status, user, system, peak = answer
            self._status, self._usage = status, (user, system, peak * 1024)
        if answer is None:
            one.close()
        else:
            self._helpers.give_back(one)
        self._over()

    def _orphaned(self, one: Helper) -> None:
        """End a command whose helper was killed: nobody else waits for it."""
        command = one.running()
        if not command:
            self.failure = refused("what was to start the command was killed before")
            return
        if command != helper.STARTING:
            from aisbx_linux.processes import below

            for process in (command, *below(command)):
                signal(process, _KILL)
        if not self.bounds.timed_out:
            self.failure = self.failure or aborted(OSError("the helper that had started the command was killed"))

    def _reap(self) -> None:
        """Leave it to the helper."""
