"""The engine for this process, as it is now, and who asks."""

import os
from functools import lru_cache

from aisbx.engine import Engine
from aisbx.types import Principal

HOST = "python"
"""What the audit log says of whoever asked."""


def engine() -> Engine:
    """Make the engine for this process's environment and directory."""
    return Engine(os.environ, os.getcwd())


def principal() -> Principal:
    """Say who asks."""
    return _user(os.geteuid())


@lru_cache(maxsize=8)
def _user(uid: int) -> Principal:
    return Principal(f"uid:{uid}")
