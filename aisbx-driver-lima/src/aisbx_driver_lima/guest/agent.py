"""The guest's end: serves each connection of the host's in a process of its own, which goes when that does.

Started over ssh by the host, which forwards a Unix socket to it. Processes that wait for a connection are there before
one comes: to fork takes a while where everything is emulated. A command's launcher is one more, exactly as `aisbx run`
is on a Linux host.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import sys
import tempfile
import time
from typing import Any

from aisbx.errors import AisbxError
from aisbx_linux import syscalls
from aisbx_linux.layer.remove import remove

from aisbx_driver_lima.guest import frames, once
from aisbx_driver_lima.guest.asked import answer
from aisbx_driver_lima.guest.driver import GuestDriver, forget_outlet, outlet
from aisbx_driver_lima.guest.frames import Channel, ClosedError
from aisbx_driver_lima.guest.lasting import PARTS, Lasting
from aisbx_driver_lima.guest.staying import PLACE, hand_over, stay

_WAITING = 2
"""Processes that wait for a connection."""
_LATER = 100
"""Milliseconds for which one alone may wait: a fork would take the processor from whoever was just connected."""
_PATIENCE = 15.0
"""Seconds in which a sandbox with an allow-list has begun, or ended."""
_PAUSE = 0.05


def main(arguments: list[str]) -> None:
    """Serve until this machine ends; `arguments` are a directory of our own and the socket's path."""
    place, path = arguments
    _alone(os.path.dirname(path))
    for name in ("runs", "cache", "outlets", PLACE, *PARTS):
        os.makedirs(f"{place}/{name}", mode=0o700, exist_ok=True)
    for left in os.listdir(f"{place}/runs"):
        remove(f"{place}/runs/{left}")
    for left in os.listdir(f"{place}/{PLACE}"):
        os.unlink(f"{place}/{PLACE}/{left}")  # of one that was killed with the agent before
    for left in os.listdir(f"{place}/outlets"):
        if not Lasting(place).home(left).exists():
            forget_outlet(place, left)
    listener = socket.socket(socket.AF_UNIX)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    os.umask(0o077)
    listener.bind(path)
    os.umask(0o022)
    listener.listen(64)
    GuestDriver({"cache_dir": f"{place}/cache"}, {}).probe()  # what is loaded and remembered now, each process has
    _take(listener, place)


def _take(listener: socket.socket, place: str) -> None:
    """Have a process take each connection, and others wait for the next."""
    told, tell = os.pipe()
    another = select.poll()
    another.register(told, select.POLLIN)
    waiting = 0
    while True:
        for _ in range(_WAITING - waiting):
            _wait(listener, place, told, tell)
        waiting = _WAITING - len(os.read(told, _WAITING))
        while waiting > 0 and another.poll(_LATER):
            waiting -= len(os.read(told, _WAITING))
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _alone(running: str) -> None:
    """End the agent that was here before, of other code; the sandboxes that last stay. `running` is in memory.

    It holds the lock while it lives: without, its number is another process's by now.
    """
    lock = os.open(f"{running}/agent.pid", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # no process that it forks has a part in that
    except (BlockingIOError, PermissionError):
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(os.pread(lock, 20, 0)), signal.SIGKILL)
        fcntl.lockf(lock, fcntl.LOCK_EX)
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)


def _wait(listener: socket.socket, place: str, told: int, tell: int) -> None:
    """Have a process wait for the next connection; it ends with this one, and says when it is taken."""
    parent = os.getpid()
    if os.fork():
        return
    code = 1
    try:
        os.close(told)
        syscalls.die_with_parent()
        if os.getppid() == parent:
            connection, _ = listener.accept()
            os.write(tell, b".")
            os.close(tell)
            listener.close()
            one(Channel(connection), place)
            code = 0
    finally:
        os._exit(code)


def one(channel: Channel, place: str) -> None:
    """Serve one connection to its end, and those after it for which this process stays."""
    lasting = Lasting(place)
    found: tuple[Channel, dict[str, Any] | None] | None = channel, None
    while found is not None:
        _converse(*found, place, lasting)
        found = stay(place, lasting.used) if lasting.used else None


def _converse(channel: Channel, question: dict[str, Any] | None, place: str, lasting: Lasting) -> None:
    """Answer one question after the other, beginning with this one, where there is one."""
    try:
        if question is not None:
            _answer(channel, question, place, lasting)
        while True:
            kind, data = channel.receive()
            if kind == frames.QUESTION:  # what else may come belongs to one that was answered before it was read
                _answer(channel, json.loads(data), place, lasting)
    except ClosedError:
        pass  # the host has gone, and with it whom anything could be said to
    finally:
        channel.close()


def _answer(channel: Channel, question: dict[str, Any], place: str, lasting: Lasting) -> None:
    try:
        if question.get("version") != frames.VERSION:
            hint = "aisbx run -d lima -- true starts it anew"
            channel.fail("launch", "another version of aisbx started what runs in the guest", hint)
        else:
            _serve(channel, question, place, lasting)
    except AisbxError as error:
        channel.fail(error.code, error.message, error.hint)
    except (OSError, ValueError) as error:
        channel.fail("launch", f"in the guest: {error}", "")


def _serve(channel: Channel, question: dict[str, Any], place: str, lasting: Lasting) -> None:
    op, name = question["op"], str(question.get("id", ""))
    if op == "run":
        work = tempfile.mkdtemp(dir=f"{place}/runs")
        try:
            once.run(channel, question, place, work)
        finally:
            remove(work)
            forget_outlet(place, name)
    elif op == "execute":
        if not lasting.serves(question) and hand_over(place, name, channel, question):
            raise ClosedError("it is served by another")
        lasting.execute(channel, question)
    elif op == "ask":
        answer(channel, lasting.find(name), question)
    elif op == "create":
        lasting.create(channel, question)
    elif op == "fork":
        lasting.fork(channel, question)
    elif op == "outlet":
        bring(channel, outlet(place, name))
    elif op == "layer":
        lasting.layer(channel, name)
    elif op == "end":
        lasting.end(channel, name)
    else:
        works = {"snapshot": lasting.snapshot, "restore": lasting.restore, "remove": lasting.remove, "hello": _hello}
        value = works[op](*question.get("arguments", ()))
        channel.send(frames.RESULT, json.dumps(value).encode())


def bring(channel: Channel, place: str) -> None:
    """Hand this connection to the outlet of a sandbox, see `outlet`; it is nobody's here then."""
    until = time.monotonic() + _PATIENCE
    with socket.socket(socket.AF_UNIX) as messenger:
        while True:
            try:
                messenger.connect(place)
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(_PAUSE)
        socket.send_fds(messenger, [b"."], [channel.fileno()])
    raise ClosedError("it is the outlet's")


def _hello() -> dict[str, str]:
    """Say what this guest is."""
    return {"kernel": os.uname().release, "python": sys.version.split()[0], "uid": str(os.geteuid())}


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    main(sys.argv[1:])
