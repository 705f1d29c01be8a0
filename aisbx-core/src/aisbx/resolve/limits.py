"""Whose limit counts: the request's, a trusted or untrusted project's, the user's settings', the profile's."""

from aisbx.errors import PolicyError, TrustError, UsageError
from aisbx.profiles.lattice import STRENGTH
from aisbx.repository import FILE
from aisbx.settings import Settings
from aisbx.trust import REMEDY
from aisbx.types import LIMITS, Limit, LimitStrength, Profile, RunRequest
from aisbx.units import format_duration, format_size


def merged_limits(request: RunRequest, profile: Profile, settings: Settings) -> dict[str, Limit]:
    """Give the limits of a run, in the order of `LIMITS`."""
    if unknown := request.limits.keys() - LIMITS.keys():
        raise UsageError(f"there is no limit {min(unknown)!r}", hint=f"there are {', '.join(LIMITS)}")
    ceiling = profile.ceiling.limits if profile.ceiling else dict[str, Limit]()
    merged: dict[str, Limit] = {}
    for name in LIMITS:
        limit = _standing(name, profile, settings, ceiling.get(name))
        asked = request.limits.get(name)
        if asked is not None:
            limit = Limit(_asked(name, asked, ceiling.get(name), profile), LimitStrength.REQUESTED)
        if limit is not None:
            merged[name] = limit
    return merged


def _standing(name: str, profile: Profile, settings: Settings, ceiling: Limit | None) -> Limit | None:
    """Give the limit that holds where the request says nothing."""
    limit = profile.limits.get(name)
    mine = settings.limits.get(name)
    if mine is not None and (limit is None or limit.strength is LimitStrength.DEFAULT or mine < limit.amount):
        limit = Limit(mine, limit.strength if limit else LimitStrength.DEFAULT)
    if limit is not None and ceiling is not None and ceiling.amount < limit.amount:
        # The user's settings can't raise what a restriction lowered either.
        limit = Limit(ceiling.amount, max(limit.strength, ceiling.strength, key=STRENGTH.index))
    said = settings.untrusted.limits.get(name)
    if said is None:
        return limit
    if limit is not None and said > limit.amount:
        raise TrustError(
            f"{FILE}: limits.{name}: {_shown(name, said)} is more than the {_shown(name, limit.amount)} it has now",
            hint=REMEDY,
        )
    return Limit(said, limit.strength if limit else LimitStrength.DEFAULT)


def _asked(name: str, amount: float, ceiling: Limit | None, profile: Profile) -> float:
    # Not `<= 0`: a NaN compares false with everything, and a limit of 0 reads as "none" further down.
    if not 0 < amount < float("inf") and not (name == "core" and amount == 0):
        raise UsageError(f"the limit {name} cannot be {amount:g}", hint="it is more than zero and finite")
    if ceiling is not None and amount > ceiling.amount:
        raise PolicyError(
            f"the profile {profile.name} allows a {name} of {_shown(name, ceiling.amount)} at most, "
            f"not {_shown(name, amount)}",
            hint="ask for less, or leave out the restriction in -p",
        )
    return amount


def _shown(name: str, amount: float) -> str:
    unit = LIMITS[name][0]
    return format_size(amount) if unit == "bytes" else format_duration(amount) if unit == "seconds" else f"{amount:g}"
