"""What a command needs of the process it runs in: the engine, the caller's name, the directory."""

import os
from typing import TYPE_CHECKING

from aisbx.errors import WorkspaceError
from aisbx.inputs import Inputs
from aisbx.paths import state_dir
from aisbx.types import Principal

if TYPE_CHECKING:
    from aisbx.engine import Engine


def engine() -> "Engine":
    """Make the engine for this process's environment and directory."""
    from aisbx.engine import Engine  # with the settings' reader it costs more than all the rest, and not all need it

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


def audit_path() -> str:
    """Give the audit log's path."""
    return str(state_dir(Inputs()) / "audit.jsonl")


def runs_path() -> str:
    """Give the directory where the output of runs is kept."""
    return str(state_dir(Inputs()) / "runs")
