"""`aisbx config`: the settings in force, and where each comes from."""

from collections.abc import Iterator, Mapping
from typing import Annotated, cast

import typer
from pydantic_core import to_jsonable_python

from aisbx.cli.groups import group
from aisbx.cli.options import Json
from aisbx.cli.render import as_text, emit_json, printable
from aisbx.cli.session import remote, server, session

EXAMPLES = """\b
Examples:
  aisbx config show
  aisbx config show --origin
  AISBX_LIMITS__MEMORY=2G aisbx config show --origin

Settings are read from $XDG_CONFIG_HOME/aisbx/config.toml, then AISBX_* variables, then the project's aisbx.toml.
"""


def register(app: typer.Typer) -> None:
    """Add the group."""
    commands = group("See the settings in force.")
    commands.command("show", epilog=EXAMPLES)(show)
    app.add_typer(commands, name="config")


def show(
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value comes from.")] = False,
    json: Json = False,
) -> None:
    """Show every setting: the user's, the environment's, the project's, or the default."""
    data, origins = _settings()
    if json:
        emit_json({"settings": data} | ({"origins": origins} if origin else {}))
        return
    for key, value in _leaves(data):
        line = printable(f"{key} = {as_text(value)}")
        print(f"{line}  # {printable(_origin(key, origins))}" if origin else line)


def _settings() -> tuple[dict[str, object], Mapping[str, str]]:
    if remote:
        found = server().get("configuration")
        return found["settings"], found["origins"]
    settings = session().settings
    return to_jsonable_python(settings.as_table()), settings.origins()


def _leaves(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(cast("dict[str, object]", value), f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _origin(key: str, origins: Mapping[str, str]) -> str:
    """Give a value's origin, or that of the table it stands in."""
    while key and key not in origins:
        key = key.rpartition(".")[0]
    return origins.get(key, "default")
