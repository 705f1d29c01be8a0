"""The engine for this process, as it is now, and who asks."""

import os

from aisbx.engine import Engine
from aisbx.types import Principal

HOST = "python"
"""What the audit log says of whoever asked."""


def engine() -> Engine:
    """Make the engine for this process's environment and directory."""
    return Engine(os.environ, os.getcwd())


def principal() -> Principal:
    """Say who asks."""
    return Principal(f"uid:{os.geteuid()}")
