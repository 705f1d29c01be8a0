"""The host's half of an allow-list: the egress proxy, whose connections come from a sandbox in the guest.

Run as a process for one sandbox. It has connections ready in the guest, which leads nowhere by itself; of each that the
guest uses, the other end goes to the proxy, which is the process that holds a list for sandboxes of the host too. Ends
with the sandbox, and for a single command with who started it.
"""

import json
import os
import selectors
import shutil
import socket
import sys
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from aisbx_linux.egress import above, start
from aisbx_linux.link import Link

from aisbx_driver_lima.agent import Agent
from aisbx_driver_lima.asking import put
from aisbx_driver_lima.errors import unavailable
from aisbx_driver_lima.guest.frames import Channel, ClosedError
from aisbx_driver_lima.guest.outlet import TAKEN

_READY = 4
"""Connections that wait in the guest."""
_MOST = 256
"""Connections at once."""


@dataclass(frozen=True, slots=True)
class Job:
    """Lima's directory, the id by which the guest knows the outlet, who decides, and for whom.

    `home` is the host's directory of a sandbox that lasts, empty for a single command: that ends with its launcher.
    """

    lima: str
    name: str
    words: tuple[str, ...]
    told: str
    principal: str
    run: str
    home: str


class Running:
    """The process, as who started it has it; of a single command it ends with that."""

    def __init__(self, job: Job) -> None:
        """Start it; DriverUnavailableError says why it does not serve."""
        reader, writer = os.pipe()
        source, self._leash = os.pipe()
        words = [sys.executable, "-I", "-m", "aisbx_driver_lima.outlet"]
        actions = [(os.POSIX_SPAWN_DUP2, source, 0), (os.POSIX_SPAWN_DUP2, writer, 1)]
        try:
            self._pid = os.posix_spawn(words[0], words, {"LC_ALL": "C.UTF-8"}, file_actions=actions, setsid=True)
        finally:
            os.close(source)
            os.close(writer)
        os.write(self._leash, json.dumps(asdict(job)).encode() + b"\n")
        with open(reader, encoding="utf-8", errors="replace") as stream:
            said = stream.read()
        if said != "ok" or job.home:
            self.end()
        if said != "ok":
            raise unavailable(f"--network: {said or 'the egress proxy does not start'}", "see: aisbx doctor")

    def end(self) -> None:
        """Let go of it; may be called twice."""
        if self._leash >= 0:
            os.close(self._leash)
            self._leash = -1
            os.waitpid(self._pid, 0)


class Outlet:
    """Keeps connections ready, and joins those that are used with the proxy."""

    def __init__(self, job: Job, proxy: str) -> None:
        """`proxy` is the path at which the proxy listens."""
        self._agent = Agent(job.lima)
        self._name = job.name
        self._proxy = proxy
        self._selector = selectors.DefaultSelector()
        self._ready: set[Channel] = set()
        self._links: set[Link] = set()

    def serve(self, leash: int) -> None:
        """Return when the guest has no such sandbox any more, or has gone, or `leash` (-1: none) is let go of."""
        if leash >= 0:
            self._selector.register(leash, selectors.EVENT_READ)
        while True:
            while len(self._ready) < _READY and len(self._links) < _MOST:
                if not self._prepare():
                    return
            for key, events in self._selector.select():
                if isinstance(key.data, Link):
                    if not key.data.serve(key.fileobj, events):
                        self._links.discard(key.data)
                elif not isinstance(key.data, Channel) or not self._used(key.data):
                    return

    def _prepare(self) -> bool:
        try:
            channel = put(self._agent.dial(), {"op": "outlet", "id": self._name})
        except (OSError, ClosedError):
            return False
        self._ready.add(channel)
        self._selector.register(channel, selectors.EVENT_READ, channel)
        return True

    def _used(self, channel: Channel) -> bool:
        """Join a connection that says that it is used; False where it says anything else: the sandbox has ended."""
        self._ready.discard(channel)
        self._selector.unregister(channel)
        try:
            said = channel.socket.recv(len(TAKEN))
        except OSError:
            said = b""
        if said != TAKEN:
            channel.close()
            return False
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self._proxy)
        except OSError:
            server.close()
            channel.close()
            return False
        self._links.add(Link(self._selector, channel.socket, server))
        return True


def _decider(job: Job, place: str) -> str:
    """Start the proxy, which listens in the directory `place`; gives the path. OSError says why it does not serve."""
    import marshal

    path = f"{place}/proxy"
    listening = [_listening(path), _datagrams(f"{place}/names"), _listening(f"{place}/queries")]
    ours, theirs = socket.socketpair()
    me = above(os.pidfd_open(os.getpid()))
    told = marshal.dumps((job.told, job.run, job.principal, job.home, ""))
    socket.send_fds(theirs, [b"."], [each.fileno() for each in listening])
    taken = above(ours.detach())
    _, answer = start(list(job.words), taken, me, told)
    for each in (*listening, theirs):
        each.close()
    os.close(me)
    os.close(taken)
    with open(answer, encoding="utf-8", errors="replace") as stream:
        said = stream.read()
    if said != "ok":
        raise OSError(said or "the egress proxy does not start")
    return path


def _listening(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(path)
    made.listen(64)
    return made


def _datagrams(path: str) -> socket.socket:
    """Give what nobody sends to: questions for names end in the guest."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(path)
    return made


def main() -> NoReturn:
    """Read the job from stdin, answer on stdout, and serve."""
    row: dict[str, Any] = json.loads(sys.stdin.readline())
    row["words"] = tuple(row["words"])
    job = Job(**row)
    if job.home and os.fork():
        os._exit(0)  # who asked need not wait for what lasts
    place = f"{job.lima}/_outlets/{job.name}"  # Lima takes other names for instances
    try:
        os.makedirs(place, mode=0o700)
        outlet = Outlet(job, _decider(job, place))
        os.write(1, b"ok")
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for descriptor in (1, 2, *((0,) if job.home else ())):
            os.dup2(null, descriptor)
        outlet.serve(-1 if job.home else 0)
    except OSError as error:
        os.write(1, (error.strerror or str(error)).encode(errors="replace"))
    finally:
        shutil.rmtree(place, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
