"""A command of the plainest kind, from its words to its record in one call of the compiled library (`native/brief.c`).

What a processor has to fetch anew after each command is what this costs, so it touches as little as can be.
"""

import ctypes
import struct

from aisbx.types import Begun, Brief, Captured, Command, ExitStatus, Recorder, Stdio, Usage

from aisbx_linux.bounds import LOOK
from aisbx_linux.ending import SHELL_SIGNAL_BASE, signal_of
from aisbx_linux.lasting.client import ENDED, NOT_ASKED, ROOM, Client, Exchange
from aisbx_linux.lasting.helpers import Helper, Helpers
from aisbx_linux.lasting.prompt import gone_on

_NANO, _MICRO, _KIB = 1e9, 1e6, 1024
_SIGNAL = 0x7F
_NUMBERS = struct.Struct("@12q")
"""Of an outcome, from `started` to `run`, behind six more."""
_AT = 6 * 8


class _Plan(ctypes.Structure):
    """`struct brief_plan`."""

    _fields_ = (
        ("client", ctypes.c_void_p),
        ("log", ctypes.c_void_p),
        ("patience", ctypes.c_int64),
        ("most", ctypes.c_int64),
        ("before", ctypes.c_char_p),
        ("after", ctypes.c_char_p),
        ("before_size", ctypes.c_size_t),
        ("after_size", ctypes.c_size_t),
        ("who", ctypes.c_char_p),
        ("known", ctypes.c_char_p),
        ("program_only", ctypes.c_int64),
    )


def briefly(helpers: Helpers, capture: int, recorder: Recorder) -> "Briefly | None":
    """Give what runs such commands; None where not all is as usual."""
    client = helpers.known
    try:
        return None if client is None or capture < ROOM else Briefly(helpers, client, capture, recorder)
    except ValueError:
        return None


class Briefly:
    """Runs such commands in one sandbox; any number of threads may use it."""

    def __init__(self, helpers: Helpers, client: Client, capture: int, recorder: Recorder) -> None:
        """Tell the library what they have in common; ValueError where it does not take that."""
        plan = helpers.held["plan"]
        before, after = helpers.surroundings(plan["environment"], plan["cwd"])
        wall, looks = plan["wall_time"], plan["watch"] is not None
        patience = min(wall or LOOK, LOOK) if looks else wall
        told = _Plan(
            client.address,
            recorder.log,
            int(patience * _NANO),
            plan["output"],
            before,
            after,
            len(before),
            len(after),
            recorder.who.encode("ascii"),
            recorder.known.encode("ascii"),
            recorder.program_only,
        )
        self._helpers, self._client, self._capture = helpers, client, capture
        self._run = client.library.brief_run
        self._close = client.library.brief_close
        self._brief: int | None = client.library.brief_open(ctypes.byref(told))
        if not self._brief:
            raise ValueError("no memory")

    def __call__(self, words: tuple[str, ...]) -> Brief | Begun | None:
        """Run one; None where nothing was started."""
        helpers = self._helpers
        idle = helpers.idle
        if helpers.known is not self._client:
            return None
        try:
            text = "\0".join(words).encode("utf-8", "surrogateescape")
            one = idle.pop()
        except (ValueError, TypeError, IndexError):
            return None  # `execute` says what is wrong with it, or starts a helper
        exchange = one.exchange = one.exchange or Exchange()
        try:
            result = self._run(self._brief, one.number, one.watched, text, len(text), len(words), exchange.told)
        except BaseException:  # of a signal's handler: its command may have been started, and ends with the helper
            one.close()
            exchange.drop()
            raise
        if result == NOT_ASKED:
            idle.append(one)  # as it was: whether it is still of use is seen where it is taken
            return None
        if result != ENDED:
            return self._begun(words, one, exchange)
        started, ended, status, user, system, peak, out, err, _, _, recorded, run = _NUMBERS.unpack_from(
            exchange.outcome, _AT
        )
        code = SHELL_SIGNAL_BASE + (status & _SIGNAL) if status & _SIGNAL else status >> 8  # as WTERMSIG, WEXITSTATUS
        brief = Brief(
            f"{run:012x}",
            code,
            signal_of(code) if code else 0,
            (ended - started) / _NANO,
            Usage(user / _MICRO, system / _MICRO, peak * _KIB),
            exchange.printed(0) if out else b"",
            exchange.printed(1) if err else b"",
        )
        helpers.give_back(one)
        return brief if recorded else Begun(brief.run, lambda: _status(brief))

    def _begun(self, words: tuple[str, ...], one: Helper, exchange: Exchange) -> Begun:
        helpers, stdio = self._helpers, Stdio(capture=self._capture)

        def wait() -> ExitStatus:
            return gone_on(helpers, helpers.held["plan"], Command(argv=words), stdio, one, exchange)

        return Begun(f"{exchange.outcome.run:012x}", wait)

    def __del__(self) -> None:
        """Let it go."""
        if getattr(self, "_brief", None):
            self._close(self._brief)


def _status(brief: Brief) -> ExitStatus:
    return ExitStatus(
        code=brief.code,
        signal=brief.signal,
        duration=brief.duration,
        usage=brief.usage,
        stdout=Captured(brief.stdout),
        stderr=Captured(brief.stderr),
    )
