"""What a command needs of the process it runs in: the directory, the caller's name, settings, plugins, profiles."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from aisbx.errors import WorkspaceError
from aisbx.inputs import Inputs
from aisbx.paths import config_dir, state_dir
from aisbx.types import AuditPlace, Principal

if TYPE_CHECKING:
    from aisbx.engine import Engine
    from aisbx.plugins import Plugins
    from aisbx.profiles import Finder
    from aisbx.remote.server import Server
    from aisbx.settings import Settings


@dataclass(frozen=True, slots=True)
class Session:
    """The settings in force here, the plugins they admit, and where profiles are looked up."""

    settings: "Settings"
    plugins: "Plugins"
    profiles: "Finder"
    inputs: Inputs


def session(*, project: bool = True) -> Session:
    """Read the user's settings and (`project`) what the current directory's project says; starts no engine."""
    from aisbx import settings as reader  # pydantic: 35 ms that `--help` need not pay
    from aisbx.plugins import Plugins
    from aisbx.profiles import Finder

    inputs = Inputs()
    settings = reader.load(os.environ, directory() if project else None, inputs)
    plugins = Plugins(settings.plugins.allow, settings.plugins.disable)
    return Session(settings, plugins, Finder(settings, plugins, inputs), inputs)


remote: list[str] = []
"""The supervisor's address, where the command line names one."""


def engine() -> "Engine":
    """Make the engine for this process's environment and directory, or what asks the supervisor that was named."""
    if remote:
        from aisbx.remote.engine import RemoteEngine

        return cast("Engine", RemoteEngine(server()))  # as far as commands use it; tests hold both to the same
    from aisbx.engine import Engine

    return Engine(os.environ, directory(), exclusive=True)


def server() -> "Server":
    """Give the supervisor that the command line names."""
    from aisbx.remote.server import Server

    return Server(remote[-1])


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


def audit_place() -> AuditPlace:
    """Give where the audit log is and how the settings say it is kept, for one who writes to it or verifies it."""
    from aisbx.audit.places import place
    from aisbx.settings import load

    inputs = Inputs()
    said = load(os.environ, None, inputs).audit  # no project has a say in it
    return place(state_dir(inputs), config_dir(inputs), said.rotate, said.keep, said.export)


def runs_path() -> str:
    """Give the directory where the output of runs is kept."""
    return str(state_dir(Inputs()) / "runs")
