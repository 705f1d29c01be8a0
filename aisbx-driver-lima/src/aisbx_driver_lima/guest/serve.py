"""Run one command for a connection: the launcher in a process of its own, its streams as frames."""

import contextlib
import fcntl
import json
import os
import select
import signal
import struct
import sys
import termios
from collections.abc import Callable
from dataclasses import dataclass

from aisbx.types import Command, LaunchRequest, LaunchResult
from aisbx_linux import syscalls

from aisbx_driver_lima.guest import frames
from aisbx_driver_lima.guest.frames import CHUNK, Channel, ClosedError

_PR_SET_PDEATHSIG = 1
_FULL = 4 * CHUNK
"""Bytes that wait for the host before the command's output is read no further."""
_KILLED = {"code": 128 + signal.SIGKILL, "signal": int(signal.SIGKILL)}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What launches, the command, a state directory and the run's name in it, and which streams it has."""

    launch: Callable[[LaunchRequest], LaunchResult]
    command: Command
    state: str
    run: str
    terminal: bool
    stdin: bool
    size: tuple[int, int] = (24, 80)
    """Rows and columns that the terminal begins with."""


def serve(channel: Channel, wanted: Wanted) -> dict[str, object]:
    """Run it to its end and give a `LaunchResult` without the streams; ClosedError where the host goes, and it ends."""
    return _Serving(channel, wanted).run()


class _Serving:
    """The pump between a connection and the process that launches."""

    def __init__(self, channel: Channel, wanted: Wanted) -> None:
        self._channel = channel
        self._wanted = wanted
        self._input = bytearray()
        self._input_ends = not wanted.stdin and not wanted.terminal
        self._outputs: dict[int, bytes] = {}
        self._result = bytearray()
        self._launcher = 0
        self._master = -1
        self._feed = -1
        self._report = -1

    def run(self) -> dict[str, object]:
        self._start()
        try:
            self._pump()
        except BaseException:
            os.kill(self._launcher, signal.SIGKILL)  # and the kernel ends its sandbox
            raise
        finally:
            for descriptor in {self._feed, self._master, *self._outputs} - {-1}:
                os.close(descriptor)
            os.waitpid(self._launcher, 0)
        if not self._result:
            return dict(_KILLED)
        result: dict[str, object] = json.loads(self._result)
        return result

    def _start(self) -> None:
        if self._wanted.terminal:
            self._master, slave = os.openpty()
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *self._wanted.size, 0, 0))
            inside = (slave, slave, slave)
            os.set_blocking(self._master, False)
            self._feed, self._outputs = os.dup(self._master), {self._master: frames.OUTPUT}
            ours = [self._master, self._feed]
            self._master = os.dup(self._master)
            ours.append(self._master)
        else:
            first, self._feed = os.pipe()
            out, second = os.pipe()
            errors, third = os.pipe()
            inside = (first, second, third)
            os.set_blocking(self._feed, False)
            self._outputs = {out: frames.OUTPUT, errors: frames.ERRORS}
            ours = [self._feed, out, errors]
        self._report, writer = os.pipe()
        parent = os.getpid()
        self._launcher = os.fork()
        if self._launcher == 0:
            for descriptor in {*ours, self._report, self._channel.fileno()}:
                os.close(descriptor)
            _launch(self._wanted, inside, writer, parent)
        for descriptor in {*inside, writer}:
            os.close(descriptor)

    def _pump(self) -> None:
        self._take_all()  # what has come with the question: nothing else may come that wakes poll(2)
        while self._report >= 0 or self._outputs:
            poller = select.poll()
            steps = self._steps()
            for descriptor, (events, _) in steps.items():
                poller.register(descriptor, events)
            for descriptor, _ in poller.poll():
                steps[descriptor][1]()
            self._channel.flush()
        # What the host still sends is for nobody; what it has to get is sent by who asked for this.

    def _steps(self) -> dict[int, tuple[int, Callable[[], None]]]:
        unsent = len(self._channel.unsent)
        events = select.POLLIN | (select.POLLOUT if unsent else 0)
        steps: dict[int, tuple[int, Callable[[], None]]] = {self._channel.fileno(): (events, self._hear)}
        if unsent < _FULL:
            for descriptor in self._outputs:
                steps[descriptor] = (select.POLLIN, lambda at=descriptor: self._print(at))
        if self._report >= 0:
            steps[self._report] = (select.POLLIN, self._reported)
        if self._feed >= 0 and self._input:
            steps[self._feed] = (select.POLLOUT, self._pass_on)
        elif self._feed >= 0 and self._input_ends:
            os.close(self._feed)
            self._feed = -1
        return steps

    def _hear(self) -> None:
        more = self._channel.pull()
        self._take_all()
        if not more:
            raise ClosedError("the host has gone")

    def _take_all(self) -> None:
        while (found := self._channel.frame()) is not None:
            self._take(*found)

    def _take(self, kind: bytes, data: bytes) -> None:
        if kind == frames.INPUT and data:
            self._input += data
        elif kind == frames.INPUT:
            self._input_ends = True
            if self._wanted.terminal and self._feed >= 0:
                self._input_ends = False
                self._input += termios.tcgetattr(self._feed)[6][termios.VEOF]
        elif kind == frames.SIGNAL and data:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._launcher, data[0])
        elif kind == frames.SHUT:
            for descriptor in [at for at, stream in self._outputs.items() if stream == data]:
                self._shut(descriptor)
        elif kind == frames.SIZE and self._master >= 0:
            rows, columns = struct.unpack(">HH", data)
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.kill(self._launcher, signal.SIGWINCH)

    def _print(self, descriptor: int) -> None:
        if descriptor not in self._outputs:
            return
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # EIO: the last holder of the pty has gone
        if data:
            self._channel.put(self._outputs[descriptor], data)
        else:
            self._shut(descriptor)

    def _shut(self, descriptor: int) -> None:
        os.close(descriptor)
        del self._outputs[descriptor]

    def _reported(self) -> None:
        data = os.read(self._report, CHUNK)
        self._result += data
        if not data:
            os.close(self._report)
            self._report = -1

    def _pass_on(self) -> None:
        try:
            written = os.write(self._feed, self._input)
        except BlockingIOError:
            return
        except OSError:  # EPIPE: the command reads no more
            written = len(self._input)
            self._input_ends = True
        del self._input[:written]
        self._channel.put(frames.TAKEN, struct.pack(">I", written))


def _launch(wanted: Wanted, inside: tuple[int, int, int], report: int, parent: int) -> None:
    """Be the launcher: as `aisbx run` is, alone in its process, which ends with the one that serves the connection."""
    code = 1
    try:
        syscalls.call("prctl", _PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            return
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.setsid()
        first, second, third = inside
        request: LaunchRequest = {
            "argv": list(wanted.command.argv),
            "environment": dict(wanted.command.environment),
            "cwd": wanted.command.cwd or "",
            "stdin": first if wanted.stdin or wanted.terminal else None,
            "stdout": second,
            "stderr": third,
            "terminal": wanted.terminal,
            "capture": 0,
            "exclusive": True,
            "state": wanted.state,
            "run": wanted.run,
            "keep_output": 0,
        }
        result = dict(wanted.launch(request))
        result["stdout"] = result["stderr"] = ""  # they went by
        with open(report, "wb") as file:
            file.write(json.dumps(result).encode())
        code = 0
    except Exception as error:  # noqa: BLE001 - whatever it was: it is told
        failure = ["launch", f"in the guest: {error}", ""]
        if isinstance(error, ProcessLookupError):
            failure = ["state", "the sandbox has ended", "see: aisbx ls"]
        with open(report, "wb") as file:
            file.write(json.dumps({"code": 125, "failure": failure}).encode())
    finally:
        sys.stdout.flush()
        os._exit(code)
