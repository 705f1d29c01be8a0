"""What is known of one principal: what it may still ask for, what it usually does, and what it was just denied. Pure.

Rates are token buckets (as in RFC 2697): as many tokens as there may be requests a minute, which come back evenly.
Times are seconds since the epoch, so that they hold across a restart; a clock that goes back fills nothing.
"""

from dataclasses import dataclass, field

MINUTE = 60.0
DENIALS, NAMES = 20, 20
"""So many denials, or names or paths of nothing, within a minute are unusual."""
RATE_FACTOR, RATE_LEAST, KNOWN = 5.0, 30, 10
"""Unusual is this many times the principal's own mean, from this many requests a minute on, after this many minutes."""
HOLD = 60.0
"""Seconds for which a principal that scans or is denied again and again is held back."""
_WEIGHT = 0.1
"""Of the latest minute in the mean."""


@dataclass(slots=True)
class Standing:
    """Of one principal."""

    buckets: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    """Scope → tokens, and when there were so many."""
    mean: float = 0.0
    """Requests a minute, over the minutes in which there were any."""
    minutes: int = 0
    until: float = 0.0
    """Held back until then."""
    seen: float = 0.0
    running: dict[str, int] = field(default_factory=dict[str, int])
    refused: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Scope → the minute in which a refusal was last told, and how many were not since."""
    _minute: int = 0
    _count: int = 0
    _told: bool = False
    _denials: list[float] = field(default_factory=list[float])
    _names: dict[str, float] = field(default_factory=dict[str, float])

    def take(self, scope: str, rate: int, now: float) -> float:
        """Take one token; gives 0, or the seconds until there is one."""
        tokens, at = self.buckets.get(scope, (float(rate), now))
        tokens = min(float(rate), tokens + max(0.0, now - at) * rate / MINUTE)
        self.seen = now
        if tokens < 1.0:
            self.buckets[scope] = tokens, now
            return (1.0 - tokens) * MINUTE / rate
        self.buckets[scope] = tokens - 1.0, now
        return 0.0

    def tell_refusal(self, scope: str, now: float) -> int:
        """Give how many refusals this one stands for, 0 where one of this minute has been told already."""
        minute, silent = self.refused.get(scope, (-1, 0))
        if minute == int(now // MINUTE):
            self.refused[scope] = minute, silent + 1
            return 0
        self.refused[scope] = int(now // MINUTE), 0
        return silent + 1

    def count(self, now: float) -> str:
        """Count a request; says what is unusual of their number, once a minute."""
        minute = int(now // MINUTE)
        if minute != self._minute:
            if self._count:
                weight = max(_WEIGHT, 1.0 / (self.minutes + 1))
                self.mean += weight * (self._count - self.mean)
                self.minutes += 1
            self._minute, self._count, self._told = minute, 0, False
        self._count += 1
        if self._told or self.minutes < KNOWN or self._count <= max(RATE_LEAST, RATE_FACTOR * self.mean):
            return ""
        self._told = True
        return f"{self._count} requests within a minute, where {self.mean:.0f} are usual"

    def deny(self, now: float) -> str:
        """Count a denial; says what is unusual of their number, and holds the principal back then."""
        self._denials = [one for one in self._denials if 0 <= now - one < MINUTE]
        self._denials.append(now)
        if len(self._denials) < DENIALS:
            return ""
        self._denials.clear()
        self.until = now + HOLD
        return f"{DENIALS} denials within a minute"

    def miss(self, name: str, now: float) -> str:
        """Count a name of nothing, or of another's; says what is unusual of their number, and holds back then."""
        self._names = {one: at for one, at in self._names.items() if 0 <= now - at < MINUTE}
        self._names[name[:64]] = now
        if len(self._names) < NAMES:
            return ""
        self._names.clear()
        self.until = now + HOLD
        return f"{NAMES} names or paths of nothing within a minute"

    def held(self, now: float) -> float:
        """Give the seconds for which it is still held back; a clock that went back holds nobody longer than that."""
        self.until = min(self.until, now + HOLD)
        return max(0.0, self.until - now)
