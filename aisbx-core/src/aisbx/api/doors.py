"""The engine for this process, as it is now, and who asks."""

import os
from functools import lru_cache
from typing import cast

from aisbx.engine import Engine
from aisbx.types import Principal

HOST = "python"
"""What the audit log says of whoever asked."""


def engine(remote: str = "") -> Engine:
    """Make the engine for this process's environment and directory, or what asks a supervisor at an address."""
    if not remote:
        return Engine(os.environ, os.getcwd())
    from aisbx.remote.engine import RemoteEngine
    from aisbx.remote.server import Server

    return cast("Engine", RemoteEngine(Server(remote)))  # as far as it is used here; tests hold both to the same


def principal() -> Principal:
    """Say who asks."""
    return _user(os.geteuid())


@lru_cache(maxsize=8)
def _user(uid: int) -> Principal:
    return Principal(f"uid:{uid}")
