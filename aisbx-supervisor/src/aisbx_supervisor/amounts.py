"""How much a client may ask for: as much as its sandbox would have if it asked for nothing, or less."""

from dataclasses import replace

from aisbx.engine import Engine
from aisbx.errors import PolicyError
from aisbx.inputs import Inputs
from aisbx.profiles import Finder, choose
from aisbx.resolve.limits import merged_limits
from aisbx.types import LIMITS, RunRequest
from aisbx.units import format_duration, format_size


def check(engine: Engine, request: RunRequest) -> None:
    """Refuse limits beyond those of the request's profile and the settings; PolicyError. Without one all is less."""
    if not request.limits:
        return
    inputs = Inputs()
    profile = choose(request.profile, engine.settings, Finder(engine.settings, engine.plugins, inputs), inputs)
    held = merged_limits(replace(request, limits={}), profile, engine.settings)
    for name, asked in request.limits.items():
        limit = held.get(name)
        if limit is not None and 0 < limit.amount < asked:
            told = f"this server gives a {name} of {_shown(name, limit.amount)} at most, not {_shown(name, asked)}"
            raise PolicyError(f"rest.limits: {told}", hint="ask for less, or for nothing in particular")


def _shown(name: str, amount: float) -> str:
    unit = LIMITS[name][0]
    return format_size(amount) if unit == "bytes" else format_duration(amount) if unit == "seconds" else f"{amount:g}"
