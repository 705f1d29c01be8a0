"""`aisbx snapshot` and `fork`: keep what a sandbox's layer holds, go back to it, and begin others with it."""

import time
from typing import Annotated

import typer

from aisbx.cli import complete
from aisbx.cli.groups import group
from aisbx.cli.options import Json
from aisbx.cli.render import emit_json, table
from aisbx.cli.session import engine, principal
from aisbx.units import format_duration, parse_duration

EXAMPLES = {
    "create": """\b
Examples:
  aisbx snapshot create work
  aisbx snapshot create work before-the-upgrade
""",
    "ls": """\b
Examples:
  aisbx snapshot ls work
  aisbx snapshot ls work --json
""",
    "rm": """\b
Examples:
  aisbx snapshot rm work before-the-upgrade
""",
    "restore": """\b
Examples:
  aisbx snapshot restore work before-the-upgrade
""",
    "fork": """\b
Examples:
  aisbx fork work attempt-1
  aisbx fork work attempt-2 --snapshot before-the-upgrade --ttl 1h
""",
}
Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=complete.sandboxes)]
Tag = Annotated[str, typer.Argument(metavar="TAG", help="See: aisbx snapshot ls NAME.")]


def register(app: typer.Typer) -> None:
    """Add the group and the command."""
    commands = group("Keep what a sandbox's layer holds, and go back to it.")
    for command in (create, ls, rm, restore):
        commands.command(command.__name__, epilog=EXAMPLES[command.__name__])(command)
    app.add_typer(commands, name="snapshot")
    app.command("fork", epilog=EXAMPLES["fork"])(fork)


def create(
    name: Name,
    tag: Annotated[str, typer.Argument(metavar="[TAG]", help="What to call it; otherwise it gets a number.")] = "",
    json: Json = False,
) -> None:
    """Keep what the workspace of a cow or guarded sandbox looks like now; prints the tag."""
    made = engine().snapshots.create(name, principal(), "cli", tag)
    if json:
        emit_json({"name": name, "tag": made.tag, "mechanism": made.mechanism})
    else:
        print(made.tag)


def ls(name: Name, json: Json = False) -> None:
    """List a sandbox's snapshots, the oldest first."""
    found = engine().snapshots.all(name)
    if json:
        rows = [{"tag": one.tag, "created": one.created, "mechanism": one.mechanism} for one in found]
        emit_json({"name": name, "snapshots": rows})
        return
    now = time.time()
    rows = [(one.tag, format_duration(max(0.0, now - one.created)), one.mechanism) for one in found]
    print(table(("TAG", "AGE", "MECHANISM"), rows))


def rm(name: Name, tag: Tag, json: Json = False) -> None:
    """Remove a snapshot; sandboxes that were made from it stay."""
    engine().snapshots.remove(name, tag, principal(), "cli")
    if json:
        emit_json({"name": name, "removed": tag})


def restore(name: Name, tag: Tag, json: Json = False) -> None:
    """Have a sandbox in which nothing runs show its workspace as at a snapshot; what it changed since is dropped."""
    engine().snapshots.restore(name, tag, principal(), "cli")
    if json:
        emit_json({"name": name, "restored": tag})


def fork(
    name: Name,
    new: Annotated[str, typer.Argument(metavar="NEW", help="What to call it.")],
    snapshot: Annotated[
        str, typer.Option("--snapshot", metavar="TAG", help="As at a snapshot; otherwise as now.")
    ] = "",
    ttl: Annotated[str, typer.Option("--ttl", metavar="T", help="End it after 30m, 8h, 2d.")] = "",
    json: Json = False,
) -> None:
    """Make a sandbox from another: same options, and what that one's layer holds; prints its name."""
    seconds = parse_duration(ttl, name="--ttl") if ttl else 0.0
    record = engine().snapshots.fork(name, new, principal(), "cli", tag=snapshot, ttl=seconds)
    if json:
        emit_json({"name": record.name, "origin": name, "until": record.until or None})
    else:
        print(record.name)
