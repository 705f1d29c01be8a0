"""An allow-list as somebody has written it, outside of a profile."""

from collections.abc import Iterable

from aisbx.errors import UsageError
from aisbx.profiles import rules
from aisbx.profiles.lattice import allowlist
from aisbx.types import Network, NetworkMode


def allowing(texts: Iterable[str], what: str) -> Network:
    """Give the network that rules make; UsageError, which begins with `what`, where one is none or all of them deny."""
    hint = "write HOST, HOST:PORT, *.DOMAIN or @pypi; HOST GET|HEAD /PATH*; deny HOST (docs/network.md)"
    try:
        found = allowlist(rules.union(rules.spelled(texts)))
    except ValueError as error:
        raise UsageError(f"{what}: {error}", hint=hint) from error
    if found.mode is not NetworkMode.ALLOWLIST:
        raise UsageError(f"{what}: it allows nothing", hint="write none for no network")
    return found
