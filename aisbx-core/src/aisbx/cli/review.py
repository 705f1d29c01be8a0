"""`aisbx diff`, `apply` and `discard`: what a sandbox changed, looked at before any of it touches the workspace."""

import sys
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from aisbx.cli import complete
from aisbx.cli.options import Json
from aisbx.cli.render import emit_json, printable, say
from aisbx.cli.session import engine, principal
from aisbx.errors import StateError, UsageError

if TYPE_CHECKING:
    from aisbx.types import Change

EXAMPLES = {
    "diff": """\b
Examples:
  aisbx diff work
  aisbx diff work --stat
  aisbx diff work src/main.py
""",
    "apply": """\b
Examples:
  aisbx apply work
  aisbx apply work src docs/index.md
  aisbx apply work .vscode/settings.json     what the host would execute has to be named
""",
    "discard": """\b
Examples:
  aisbx discard work
  aisbx discard work src/main.py
""",
}
LISTED = 100_000
"""Changes that `--json` lists; of more it says so."""
Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=complete.sandboxes)]
Paths = Annotated[list[str] | None, typer.Argument(metavar="PATH", help="Below the workspace; otherwise all.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (diff, apply, discard):
        app.command(command.__name__, epilog=EXAMPLES[command.__name__])(command)


def diff(
    name: Name,
    paths: Paths = None,
    stat: Annotated[bool, typer.Option("--stat", help="Only kinds, modes and sizes.")] = False,
    name_only: Annotated[bool, typer.Option("--name-only", help="Only the names.")] = False,
    json: Json = False,
) -> None:
    """Show what the sandbox NAME changed in its workspace, and has not been applied."""
    if stat + name_only + json > 1:
        raise UsageError("--stat, --name-only and --json exclude each other", hint="give one of them")
    layers = engine().changes.layers(name)
    from aisbx.cli import difftext  # no other command needs these
    from aisbx.engine.review import below

    changes = layers.changes(below(layers.workspace, paths or ()))
    if json:
        rows = [_row(change) for change in islice(changes, LISTED)]
        emit_json(
            {"name": name, "workspace": layers.workspace, "changes": rows, "truncated": any(True for _ in changes)}
        )
        return
    write = sys.stdout.write
    for change in changes:
        write(f"{printable(change.path) if name_only else difftext.headline(change)}\n")
        if not stat and not name_only:
            for line in difftext.of_change(layers, change):
                write(f"{line}\n")


def apply(
    name: Name,
    paths: Paths = None,
    force: Annotated[bool, typer.Option("--force", help="Also over what changed on the host; needs PATHs.")] = False,
    json: Json = False,
) -> None:
    """Take what the sandbox NAME changed over into its workspace."""
    from aisbx.cli.difftext import headline

    done: list[str] = []
    left: list[dict[str, str]] = []
    count = 0
    for change, why in engine().changes.apply(name, paths or (), principal(), "cli", force=force):
        if why:
            count += 1
            left += [{"path": change.path, "reason": why}] if count <= LISTED else []
            say(f"not applied: {change.path}: {why}")
        elif json:
            done.append(change.path)
        else:
            print(headline(change))
    if json:
        emit_json({"name": name, "applied": done, "left": left})
    if count and json:
        raise typer.Exit(125)
    if count:
        hint = f"name what the host would execute: aisbx apply {name} PATH; see: aisbx diff {name}"
        raise StateError(f"{count} of the changes {'is' if count == 1 else 'are'} not applied", hint=hint)


def discard(name: Name, paths: Paths = None, json: Json = False) -> None:
    """Drop what the sandbox NAME changed; its workspace stays as it is."""
    dropped = [change.path for change in engine().changes.discard(name, paths or (), principal(), "cli")]
    if json:
        emit_json({"name": name, "discarded": dropped})


def _row(change: "Change") -> dict[str, object]:
    row: dict[str, object] = {"path": change.path, "action": change.action, "kind": change.kind}
    row |= {
        key: getattr(change, key)
        for key in ("was_kind", "size", "was_size", "protected", "conflict", "executable")
        if getattr(change, key)
    }
    return row | {key: f"{value:04o}" for key, value in (("mode", change.mode), ("was_mode", change.was_mode)) if value}
