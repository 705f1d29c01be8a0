"""The policy `commands`: rules about command lines, read with a shell's grammar. Advice before confinement."""

from collections.abc import Mapping

from aisbx.hookspecs import hookimpl
from aisbx.types import Policy


@hookimpl
def aisbx_policy(name: str, settings: Mapping[str, object]) -> Policy | None:
    """Give it; `settings["directory"]` is the configuration's. PolicyError where a rule of it is wrong."""
    if name != "commands":
        return None
    from aisbx.policy.commands import Commands

    return Commands.load(str(settings.get("directory", "")))
