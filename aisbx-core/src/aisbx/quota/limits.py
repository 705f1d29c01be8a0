"""The limits of a host; every principal has them for itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field

PROTOCOL = "protocol"
"""The scope of requests that use no tool: connecting, listing, listening."""
RATE, CONCURRENT = 100, 16
"""Requests a minute and at once, of one principal in one scope, where nothing is set."""
_DEFAULT_RATE = {PROTOCOL: 10 * RATE}
_DEFAULT_CONCURRENT = {PROTOCOL: 4 * CONCURRENT}


@dataclass(frozen=True, slots=True)
class Limits:
    """By scope; what is not named has the default. `watched` False: what is unusual is neither told nor held back."""

    rates: Mapping[str, int] = field(default_factory=dict[str, int])
    concurrents: Mapping[str, int] = field(default_factory=dict[str, int])
    watched: bool = True
    factor: int = 1
    """Of the defaults."""

    def rate(self, scope: str) -> int:
        """Give the requests a minute; so many may also come at once after a pause."""
        return self.rates.get(scope, self.factor * _DEFAULT_RATE.get(scope, RATE))

    def concurrent(self, scope: str) -> int:
        """Give the requests that may be served at once."""
        return self.concurrents.get(scope, self.factor * _DEFAULT_CONCURRENT.get(scope, CONCURRENT))


GENEROUS = Limits(watched=False, factor=1000)
"""For whoever is the user already: against a loop that has gone wild, not against people."""
