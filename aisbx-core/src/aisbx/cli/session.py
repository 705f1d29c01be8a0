"""What a command needs of the process it runs in: the engine, the caller's name, the directory."""

import os

from aisbx.engine import Engine
from aisbx.errors import WorkspaceError
from aisbx.types import Principal


def engine() -> Engine:
    """Make the engine for this process's environment and directory."""
    return Engine(os.environ, directory())


def directory() -> str:
    """Give the current directory; WorkspaceError if it was deleted."""
    try:
        return os.getcwd()
    except FileNotFoundError as error:
        raise WorkspaceError("the current directory no longer exists", hint="cd into one that does") from error


def principal() -> Principal:
    """Say who asks: the effective user, by number where the system has numbers."""
    if hasattr(os, "geteuid"):
        return Principal(f"uid:{os.geteuid()}")
    import getpass

    return Principal(f"user:{getpass.getuser()}")
