"""Which profile a run has: the request's, else the project's as far as it may, else the user's."""

from collections.abc import Sequence

from aisbx.errors import TrustError
from aisbx.inputs import Inputs
from aisbx.profiles.load import Lookup, load_profile
from aisbx.profiles.order import widened
from aisbx.repository import FILE
from aisbx.settings import Settings
from aisbx.trust import REMEDY
from aisbx.types import Profile


def choose(names: Sequence[str], settings: Settings, lookup: Lookup, inputs: Inputs, *, cache: str = "") -> Profile:
    """Give the profile for a request that names `names` (none: the settings decide).

    What the user names counts, whatever the project says. Otherwise an untrusted project may name a profile that is
    narrower than the user's own; TrustError says in what another one goes beyond. `cache` as for `load_profile`.
    """
    mine = load_profile(names or [settings.profile], lookup, inputs, default=settings.profile, cache=cache)
    said = settings.untrusted.profile
    if names or not said:
        return mine
    wanted = load_profile([said], lookup, inputs, default=settings.profile, cache=cache)
    if beyond := widened(wanted, mine):
        raise TrustError(
            f"{FILE}: profile: {said!r} goes beyond your own {settings.profile!r} in {', '.join(beyond)}",
            hint=f"{REMEDY}; or name the profile with -p",
        )
    return wanted
