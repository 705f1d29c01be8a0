"""The profiles that a host's clients may name."""

from collections.abc import Sequence
from dataclasses import dataclass

from aisbx.errors import PolicyError
from aisbx.types import Principal

RESTRICTIONS = frozenset({"offline", "readonly", "strict"})
"""Those that only narrow; anybody may add them."""
_SHOWN = 64


@dataclass(frozen=True, slots=True)
class Offer:
    """What one principal may name."""

    usual: str
    """What sandboxes are made by whose maker names none."""
    names: frozenset[str]

    def check(self, asked: str, rule: str) -> None:
        """Raise PolicyError, of this rule, for profiles (joined by `+`) that are not offered."""
        more = {one for one in asked.split("+") if one} - RESTRICTIONS - self.names
        if more and asked not in self.names:
            message = f"{rule}: this server does not offer the profile {'+'.join(sorted(more))[:_SHOWN]}"
            hint = f"use {', '.join(sorted(self.names))}; whoever runs the server can add one with --allow-profile"
            raise PolicyError(message, hint=hint)

    def completed(self, asked: str) -> str:
        """Give what is meant by this: restrictions alone go on top of the usual profile."""
        return f"{self.usual}+{asked}" if asked and set(asked.split("+")) <= RESTRICTIONS else asked


def offer(principal: Principal, usual: str, more: Sequence[str]) -> Offer:
    """Give what a principal may name: one with a profile of its own that one, any other the usual one and `more`."""
    if principal.profile:
        return Offer(principal.profile, frozenset({principal.profile}))
    return Offer(usual, frozenset({usual, *more}))
