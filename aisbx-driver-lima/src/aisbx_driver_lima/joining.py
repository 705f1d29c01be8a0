"""`aisbx exec` in a sandbox of the machine, from a plan: a connection, and what goes over it. Builtin modules only.

It is for the lean front, to which each import counts; `lasting` and `process` are of the same for programs.
"""

import _socket
import select
import sys
import time

from aisbx_driver_lima.guest.channel import FAILED, MOST, QUESTION, SIGNAL, VERSION, Channel, ClosedError
from aisbx_driver_lima.relay import Relay
from aisbx_driver_lima.told import NONSENSE, ended, failed, parse, write

if sys.platform == "win32":
    import os as posix
else:
    import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from typing import Self

    from aisbx.types import JoinPlan, LaunchRequest, LaunchResult

    from aisbx_driver_lima.relay import Step

    class MachinePlan(JoinPlan):
        """What it takes to reach a sandbox in the machine."""

        name: str
        """The guest's id of it."""
        socket: str
        """The path at which the agent is reached."""
        version: int
        """Of what is asked (`channel.VERSION`)."""


if not TYPE_CHECKING:
    import _signal  # the C module: `signal` costs milliseconds for its enumerations

FORMAT = 1
"""Of the plan; one of another version is not carried out."""
BARE = ("aisbx_driver_lima",)
"""Its own code is for who looks for a driver, and loads what that takes."""
HOT = (
    "aisbx_driver_lima",
    "aisbx_driver_lima.guest",
    *(f"aisbx_driver_lima.{name}" for name in ("guest.channel", "printing", "relay", "told", "joining")),
)
LATE = ("_json", "_socket", "select")
_RELAYED = (1, 2, 3, 10, 12, 15)  # HUP, INT, QUIT, USR1, USR2, TERM
_SEE = "see: aisbx-driver-lima status"


def launch(plan: "MachinePlan", request: "LaunchRequest") -> "LaunchResult":
    """Run one command to its end; ProcessLookupError where its sandbox, or the way to it, is not there any more."""
    if plan["format"] != FORMAT or plan["version"] != VERSION:
        msg = f"plan format {plan['format']}.{plan['version']} is not {FORMAT}.{VERSION}"
        raise ValueError(msg)
    if request["terminal"]:
        from aisbx_driver_lima.interactive import launch as by_process

        return by_process(plan, request)
    asked = question(plan, request, {"terminal": False, "stdin": request["stdin"] is not None})
    if len(asked) > MOST:
        return failed("launch", f"the command and its variables take more than {MOST} bytes", "give them in a file")
    return _Running(plan["socket"], asked, request).run()


def question(plan: "MachinePlan", request: "LaunchRequest", streams: "dict[str, object]") -> bytes:
    """Give what the agent is asked: the command with what the sandbox's maker named for all of them."""
    command = {
        "argv": request["argv"],
        "environment": {**plan["environment"], **request["environment"]},
        "cwd": request["cwd"] or plan["cwd"],
        "limits": plan["limits"],
    }
    asked = {"op": "execute", "version": plan["version"], "id": plan["name"], **streams, "command": command}
    return write(asked).encode("ascii")


def connected(path: str) -> Channel:
    """Connect to the agent; ProcessLookupError where nobody is there."""
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise ProcessLookupError from None
    return Channel(connection)  # pyright: ignore[reportArgumentType]  (all that is used of one is the C type's)


class Signals:
    """While it lasts, what is sent to this process goes to one command; what is ignored here (nohup) stays so."""

    def __init__(self, deliver: "Callable[[int], None]") -> None:
        """`deliver` is called in the handler."""
        self._deliver = deliver
        self._before: dict[int, object] = {}
        self.reader = self._writer = -1
        """What becomes readable with each: one that comes just before poll(2) would not interrupt it."""

    def __enter__(self) -> "Self":
        """Take them over."""
        self.reader, self._writer = posix.pipe2(posix.O_CLOEXEC | posix.O_NONBLOCK)
        _signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in _RELAYED:
            if _signal.getsignal(number) is not _signal.SIG_IGN:
                self._before[number] = _signal.signal(number, lambda number, _: self._deliver(number))
        return self

    def clear(self) -> None:
        """Have it readable no more."""
        posix.read(self.reader, 64)

    def __exit__(self, *_: object) -> None:
        """Give them back."""
        for number, handler in self._before.items():
            _signal.signal(number, handler)  # pyright: ignore[reportArgumentType]
        _signal.set_wakeup_fd(-1)
        posix.close(self.reader)
        posix.close(self._writer)


class _Running:
    """A command, and the connection that is its life."""

    def __init__(self, path: str, asked: bytes, request: "LaunchRequest") -> None:
        self._began = time.monotonic()
        self._orders: list[int] = []
        self._channel = connected(path)
        self._channel.put(QUESTION, asked)
        self._exclusive = request["exclusive"]
        self._relay = Relay(self._channel, request["stdin"], request["stdout"], request["stderr"], request["capture"])

    def run(self) -> "LaunchResult":
        try:
            if not self._exclusive:
                return self._relayed([])
            with Signals(self._orders.append) as signals:
                return self._relayed([(signals.reader, select.POLLIN, signals.clear)])
        except ClosedError as error:
            if not self._relay.begun:
                raise ProcessLookupError from None
            return failed("aborted", f"the guest has gone: {error}", _SEE, time.monotonic() - self._began)
        finally:
            self._channel.close()

    def _relayed(self, others: "list[Step]") -> "LaunchResult":
        relay = self._relay
        while relay.answer is None:
            while self._orders:
                self._channel.put(SIGNAL, bytes([self._orders.pop(0)]))
            self._channel.flush()
            relay.turn(others)
            relay.take()
        return self._understood(*relay.answer)

    def _understood(self, kind: bytes, data: bytes) -> "LaunchResult":
        duration = time.monotonic() - self._began
        try:
            if kind != FAILED:
                return ended(parse(data), duration, self._relay.streams)
            code, message, hint = map(str, parse(data))
        except NONSENSE as error:
            return failed("aborted", f"the guest did not say how the command ended: {error}", "", duration)
        if code == "state":
            raise ProcessLookupError  # nothing has run, and the full path says what is wrong
        return failed(code, message, hint, duration)
