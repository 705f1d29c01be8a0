"""The guest's end: runs one command for each connection, in a sandbox of its own, and is gone with the connection.

Started over ssh by the host, which forwards a Unix socket to it. Each connection has a process of its own here; the
command's launcher is another one, exactly as `aisbx run` is on a Linux host.
"""

import contextlib
import json
import os
import pickle
import shutil
import signal
import socket
import sys
import tempfile
from typing import Any

from aisbx.errors import AisbxError
from aisbx.types import LAYERED, Command, SandboxSpec

from aisbx_driver_lima.guest import frames, trees
from aisbx_driver_lima.guest.driver import GuestDriver, placed, plan_of
from aisbx_driver_lima.guest.frames import Channel, ClosedError, TreeReader, TreeWriter
from aisbx_driver_lima.guest.serve import Wanted, serve

_MOST = 64 << 30  # the guest's disk is the bound
RUN = "0" * 12
"""The name of the run to the launcher: each has a state directory of its own."""


def main(arguments: list[str]) -> None:
    """Serve until this machine ends; `arguments` are a directory of our own and the socket's path."""
    place, path = arguments
    for name in ("runs", "cache"):
        os.makedirs(f"{place}/{name}", mode=0o700, exist_ok=True)
    for left in os.listdir(f"{place}/runs"):
        shutil.rmtree(f"{place}/runs/{left}", ignore_errors=True)
    listener = socket.socket(socket.AF_UNIX)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    os.umask(0o077)
    listener.bind(path)
    os.umask(0o022)
    listener.listen(64)
    GuestDriver({"cache_dir": f"{place}/cache"}).probe()  # what is loaded and remembered now, each process has
    while True:
        connection, _ = listener.accept()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                listener.close()
                one(Channel(connection), place)
                code = 0
            finally:
                os._exit(code)
        connection.close()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def one(channel: Channel, place: str) -> None:
    """Serve one connection to its end; all that it made is gone then."""
    work = tempfile.mkdtemp(dir=f"{place}/runs")
    try:
        kind, data = channel.receive()
        question: dict[str, Any] = json.loads(data) if kind == frames.QUESTION else {}
        if question.get("op") == "hello":
            channel.send(frames.RESULT, json.dumps(hello()).encode())
        elif question.get("op") == "run":
            _run(channel, question, place, work)
    except AisbxError as error:
        _failed(channel, error.code, error.message, error.hint)
    except ClosedError:
        pass  # the host has gone, and with it whom anything could be said to
    except (OSError, ValueError) as error:
        _failed(channel, "launch", f"in the guest: {error}", "")
    finally:
        _remove(work)
        channel.close()


def hello() -> dict[str, str]:
    """Say what this guest is."""
    return {"kernel": os.uname().release, "python": sys.version.split()[0], "uid": str(os.geteuid())}


def _run(channel: Channel, question: dict[str, Any], place: str, work: str) -> None:
    kind, data = channel.receive()
    if kind != frames.DATA:
        raise ClosedError("no spec came")
    spec, command = _unpickled(data)
    places: dict[str, str] = {}
    for number, target in enumerate(question["trees"]):
        places[str(target)] = _unpacked(channel, f"{work}/tree{number}")
    driver = GuestDriver({"cache_dir": f"{place}/cache"})
    spec = placed(spec, places)
    plan = plan_of(driver, spec, places)
    channel.send(frames.PROMISE, json.dumps(driver.check(spec).as_record()).encode())
    if channel.receive()[0] != frames.GO:
        return
    state = f"{work}/state"
    os.mkdir(state, 0o700)
    wanted = Wanted(
        plan, command, state, RUN, terminal=question.get("terminal") is True, stdin=question.get("stdin") is True
    )
    result = serve(channel, wanted)
    layered = spec.workspace is not None and spec.workspace.mode in LAYERED
    if layered:
        result["findings"] = []  # of the layer here; the host speaks of its own
    channel.send(frames.RESULT, json.dumps(result).encode())
    if layered:
        writer = TreeWriter(channel)
        upper = f"{state}/layers/{RUN}/upper"
        if os.path.isdir(upper):
            os.chmod(upper, 0o700)
            trees.pack(upper, writer, layer=True)
        writer.end()


def _unpickled(data: bytes) -> tuple[SandboxSpec, Command]:
    spec, command = pickle.loads(data)  # noqa: S301 - from the host, which started this and owns the guest
    if not isinstance(spec, SandboxSpec) or not isinstance(command, Command):
        raise ClosedError("that is no spec and command")
    return spec, command


def _unpacked(channel: Channel, place: str) -> str:
    os.mkdir(place, 0o700)
    root = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        reader = TreeReader(channel, _MOST)
        single = trees.unpack(reader, root)
        reader.drain()
    finally:
        os.close(root)
    return f"{place}/{trees.SINGLE}" if single else place


def _failed(channel: Channel, code: str, message: str, hint: str) -> None:
    with contextlib.suppress(ClosedError):
        channel.send(frames.FAILED, json.dumps([code, message, hint]).encode())


def _remove(work: str) -> None:
    for above, folders, _ in os.walk(work):
        for name in folders:
            path = os.path.join(above, name)
            if not os.path.islink(path):
                with contextlib.suppress(OSError):
                    os.chmod(path, 0o700)
    shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    main(sys.argv[1:])
