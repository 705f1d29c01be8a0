"""What hosts read alike from their command lines."""

import os

from aisbx.errors import UsageError


def workspace(value: str | None) -> tuple[str | None, str | None]:
    """Give the real path and the mode of `DIR[:MODE]`, None for what was not said; UsageError for no directory."""
    from aisbx.cli.request import parse_workspace  # a host begins without it

    if value is None:
        return None, None
    asked = parse_workspace(value)
    if not os.path.isdir(asked.path):
        raise UsageError(f"--workspace: {asked.path} is no directory", hint="name one that is there")
    return os.path.realpath(asked.path), asked.mode.value if asked.mode else None
