"""Who gets the listener of a sandbox's filter: who observes it, or who watches it. Builtin modules only."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.lasting.identity import Held
    from aisbx_linux.watching.hand import Hand


def hand_of(held: "Held", run: str) -> "Hand":
    """Connect to them; JoinError where nobody is there. `run` is what is told with each call."""
    if held["record"] is not None:
        from aisbx_linux.learning.hand import connect as observed

        home, _, numbers = held["record"]
        return observed(home, numbers)
    from aisbx_linux.watching.hand import connect as watched

    assert held["watch"] is not None  # noqa: S101 - who asks knows
    return watched(held["watch"][0], run)
