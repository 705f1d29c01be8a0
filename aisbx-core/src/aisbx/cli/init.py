"""`aisbx init`: look at a project and write its `aisbx.toml`."""

from typing import Annotated

import typer

from aisbx.cli import complete
from aisbx.cli.render import printable
from aisbx.cli.session import directory

EXAMPLES = """\b
Examples:
  aisbx init                        detect what kind of project this is
  aisbx init --profile python-dev
  aisbx init --force                replace an aisbx.toml
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init", epilog=EXAMPLES)(init)


def init(
    where: Annotated[str, typer.Argument(metavar="DIR", hidden=True)] = "",
    profile: Annotated[
        str,
        typer.Option(
            "--profile", "-p", metavar="P[+P]", help="Not the detected one.", autocompletion=complete.profiles
        ),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace an aisbx.toml that is there.")] = False,
) -> None:
    """Detect what kind of project is in DIR, or here, and write its aisbx.toml."""
    from aisbx import project

    path = project.write_aisbx_toml(where or directory(), profile=profile, force=force)
    print(printable(f"wrote {path}"))
