"""`aisbx cp`: files and trees into a sandbox that lasts, and out of it."""

from typing import Annotated

import typer

from aisbx.cli.options import Json
from aisbx.cli.render import emit_json, say
from aisbx.cli.session import engine
from aisbx.errors import UsageError
from aisbx.units import parse_size

EXAMPLES = """\b
Examples:
  aisbx cp work:/tmp/report.html .       out of the sandbox
  aisbx cp ./data work:/tmp              a tree, into it
  aisbx cp ./has:colon work:/tmp/x       a path with a colon begins with ./ or /

Links stay links, what is no file, directory or link is left out, set-uid bits are dropped.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("cp", epilog=EXAMPLES)(cp)


def cp(
    source: Annotated[str, typer.Argument(metavar="SRC", help="A path here, or NAME:PATH.")],
    target: Annotated[str, typer.Argument(metavar="DST", help="A path here, or NAME:PATH; a directory takes it in.")],
    limit: Annotated[
        str, typer.Option("--limit", metavar="SIZE", help="Copy no more than this; 4G unless given.")
    ] = "",
    json: Json = False,
) -> None:
    """Copy a file or a tree between here and a sandbox; exactly one of the two is NAME:PATH."""
    there, here = _split(source), _split(target)
    if (there is None) == (here is None):
        raise UsageError(
            "exactly one of the two must be NAME:PATH", hint="aisbx cp work:/tmp/x . or aisbx cp x work:/tmp"
        )
    most = parse_size(limit, name="--limit") if limit else 4 << 30
    if there is not None:
        notes = engine().sandboxes.inside(there[0]).files.pull(there[1], target, most)
    else:
        assert here is not None  # noqa: S101 - one of the two is
        notes = engine().sandboxes.inside(here[0]).files.push(source, here[1], most)
    if json:
        emit_json({"left_out": list(notes)})
        return
    for note in notes:
        say(note)


def _split(text: str) -> tuple[str, str] | None:
    """Give (name, path) of NAME:PATH, None for a path here; UsageError for a path inside that is not absolute."""
    name, colon, path = text.partition(":")
    if not colon or not name or "/" in name or name.startswith("."):
        return None
    if not path.startswith("/"):
        raise UsageError(f"{text!r}: the path inside is not absolute", hint=f"write {name}:/{path}, or ./{text}")
    return name, path
