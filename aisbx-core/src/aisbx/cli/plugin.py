"""`aisbx plugin`: what is installed, and whether it can be used."""

import typer

from aisbx.cli.groups import group
from aisbx.cli.options import Json
from aisbx.cli.render import emit_json, table
from aisbx.cli.session import session
from aisbx.doctor import which_driver

EXAMPLES = """\b
Examples:
  aisbx plugin list
  AISBX_DISABLE_PLUGINS=bwrap aisbx plugin list      leave one out, for this command
"""


def register(app: typer.Typer) -> None:
    """Add the group."""
    commands = group("See which plugins are installed.")
    commands.command("list", epilog=EXAMPLES)(show)
    app.add_typer(commands, name="plugin")


def show(json: Json = False) -> None:
    """List every plugin: kind, name, distribution, version, usable or why not."""
    rows = session().plugins.table()
    if json:
        keys = ("kind", "name", "distribution", "version", "usable", "reason")
        emit_json({"plugins": [{key: getattr(row, key) for key in keys} for row in rows]})
        return
    print(
        table(
            ("KIND", "NAME", "DISTRIBUTION", "VERSION", "USABLE"),
            (
                (row.kind, row.name, row.distribution, row.version, "yes" if row.usable else f"no: {row.reason}")
                for row in rows
            ),
        )
    )
    if not any(row.kind == "driver" for row in rows):
        print(f"No driver is installed, so nothing can be run: {which_driver()}")
