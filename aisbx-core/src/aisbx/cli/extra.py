"""Commands that plugins add (`aisbx.commands`: each a `typer.Typer`)."""

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING

import typer

from aisbx.errors import AisbxError, PluginBrokenError

if TYPE_CHECKING:
    from aisbx.plugins import Plugins


def mount(app: typer.Typer, arguments: Sequence[str], *, everything: bool) -> None:
    """Add what the command line needs of the plugins' commands; ours keep their names.

    Called by its name, one plugin is imported. In the overview (no command) they are only listed, from metadata;
    `everything` does so too, for the shell's completion.
    """
    first = arguments[0] if arguments else ""
    ours = _names(app)
    if first in ours:
        return
    if first and not first.startswith("-") and not everything:
        _load(app, first)
        return
    try:
        rows = _plugins().table()
    except AisbxError:
        return  # help is there for who has a broken settings file, too; any command names the error
    for row in rows:
        if row.kind == "command" and row.usable and row.name not in ours:
            app.add_typer(_listed(row.distribution), name=row.name)


def _names(app: typer.Typer) -> set[str]:
    groups = {group.name for group in app.registered_groups}
    return {name for name in (*groups, *(command.name for command in app.registered_commands)) if isinstance(name, str)}


def _load(app: typer.Typer, name: str) -> None:
    plugins = _plugins()
    if name not in plugins.names("command"):
        return  # typer says so, and names what is alike
    command = plugins.get("command", name)
    if not isinstance(command, typer.Typer):
        raise PluginBrokenError(
            f"the command {name!r} is not a typer.Typer", hint="see `aisbx plugin list` for where it comes from"
        )
    only = command.registered_commands
    if len(only) == 1 and not command.registered_groups and command.registered_callback is None:
        # One command is that command, as where typer runs it alone: `aisbx hello`, not `aisbx hello hello`.
        alone = copy(only[0])
        alone.name = name
        app.registered_commands.append(alone)
    else:
        app.add_typer(command, name=name)


def _listed(distribution: str) -> typer.Typer:
    stand_in = typer.Typer(help=f"From {distribution}.")
    stand_in.callback(invoke_without_command=True)(lambda: None)
    return stand_in


def _plugins() -> "Plugins":
    from aisbx.cli.session import session  # not every command line has plugins to ask for

    return session().plugins
