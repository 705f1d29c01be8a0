"""Wait until a sandbox's time is over, and end it: in a process of its own, see `aisbx.keeper`. Builtin modules only.

Time is CLOCK_MONOTONIC's throughout: to set the clock, or to have the machine sleep, ends nothing early.
"""

import posix
import time

from aisbx_linux.lasting import use
from aisbx_linux.lasting.end import end as end_all
from aisbx_linux.lasting.end import settled
from aisbx_linux.lasting.identity import boot, open_process, recall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_PARTS = 16
_LEAST = 0.05
_GRACE = 1.0
"""Seconds that the first process has to end by itself at the end of the time to live; a frozen one does not."""
_LONGEST = 86_400.0
_claims: list[int] = []
"""What keeps others from using a sandbox that is over because nobody did."""


def prepare(data: "Mapping[str, object]") -> None:
    """Begin to count; `data` is what `LastingSandbox.keeping` gives. OSError where the sandbox is gone.

    One that has ended already, on a busy machine within its time to live, is looked at all the same.
    """
    held = recall(_home(data))
    if held is None or held["boot"] != boot():
        raise OSError("the sandbox has ended")
    born = held["first"][1] / posix.sysconf("SC_CLK_TCK")
    use.track(_home(data), max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - born))


def keep(data: "Mapping[str, object]") -> str:
    """Wait, and give why it has ended or is to be: `ttl`, `idle-ttl`, or `ended` for another reason."""
    import select

    while _claims:
        posix.close(_claims.pop())
        time.sleep(_LEAST)  # who waits for it comes first
    home = _home(data)
    ttl, idle = float(data["ttl"]), float(data["idle"])  # pyright: ignore[reportArgumentType]  (as they were made)
    held = recall(home)
    begun = use.times(home)[1]
    try:
        process = open_process(held["first"]) if held is not None else -1
    except ProcessLookupError:
        process = -1
    if process < 0:
        return _over(begun, ttl)
    waiting = select.poll()
    waiting.register(process, select.POLLIN)
    clock = _Idle(home, idle)
    while True:
        now = time.monotonic()
        left = min(begun + ttl + _GRACE - now if ttl else _LONGEST, clock.left(now) if idle else _LONGEST)
        if left <= 0:
            return "idle-ttl" if clock.over else "ttl"
        if waiting.poll(min(left, _LONGEST) * 1000):
            return _over(begun, ttl)


class _Idle:
    """For how long nobody has used a sandbox."""

    def __init__(self, home: str, idle: float) -> None:
        """Have it over after `idle` seconds."""
        self.over = False
        """Then nobody can use it any more: who comes waits, and finds it ended."""
        self._home = home
        self._idle = idle
        self._busy = False
        self._seen = 0.0
        """When somebody was seen to use it last; who is killed meanwhile leaves no time."""

    def left(self, now: float) -> float:
        """Give after how many seconds to ask again; 0 where it is over."""
        unused = self._left(now)
        if unused > 0 and not self._busy:
            return unused
        claim = use.claim(self._home)
        self._busy = claim < 0
        if self._busy:
            self._seen = now
            return max(_LEAST, self._idle / _PARTS)
        unused = self._left(now)
        self.over = unused <= 0
        if self.over:
            _claims.append(claim)
        else:
            posix.close(claim)
        return max(0.0, unused)

    def _left(self, now: float) -> float:
        return max(self._seen, use.times(self._home)[0]) + self._idle - now


def end(data: "Mapping[str, object]") -> "list[str] | None":
    """End it, and give what was found planted; None where somebody else has ended it. OSError where it does not end."""
    return None if settled(_home(data)) else end_all(_home(data))


def _over(begun: float, ttl: float) -> str:
    return "ttl" if ttl and time.monotonic() - begun >= int(ttl) - _LEAST else "ended"


def _home(data: "Mapping[str, object]") -> str:
    return str(data["home"])
