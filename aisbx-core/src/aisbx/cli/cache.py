"""`aisbx cache`: what projects' tools keep between runs, and how to be rid of it."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from aisbx.audit.read import read_log
from aisbx.caches.inventory import Cache, inventory
from aisbx.caches.kept import FOLDER
from aisbx.caches.prune import Pruned, Rule
from aisbx.caches.prune import prune as remove
from aisbx.cli.groups import group
from aisbx.cli.options import Json
from aisbx.cli.render import emit_json, printable, table
from aisbx.cli.session import audit_path
from aisbx.cli.when import local
from aisbx.errors import UsageError
from aisbx.inputs import Inputs
from aisbx.paths import cache_dir
from aisbx.units import format_size, parse_duration, parse_size

LIST = """\b
Examples:
  aisbx cache list
  aisbx cache list --json | python3 -m json.tool

STATE is `kept`; `in use`, by a sandbox at this moment; `gone`, where the project is no longer there; or `unknown`.
"""
PRUNE = """\b
Examples:
  aisbx cache prune                      those whose project is gone
  aisbx cache prune .                    those of the project here
  aisbx cache prune --older-than 30d     those that no run has used for 30 days
  aisbx cache prune --keep 10G           the longest unused, until 10G are left
  aisbx cache prune --all --dry-run      see what all of them would be

What a sandbox is using stays. Tools make and download again what they miss.
"""


def register(app: typer.Typer) -> None:
    """Add the group."""
    commands = group("See and remove what projects' tools keep between runs.")
    commands.command("list", epilog=LIST)(show)
    commands.command("prune", epilog=PRUNE)(prune)
    app.add_typer(commands, name="cache")


def show(json: Json = False) -> None:
    """List the caches, one for each project and profile, the longest unused first."""
    caches = _caches()
    if json:
        emit_json({"caches": [cache.as_record() for cache in caches], "bytes": _bytes(caches)})
        return
    _print(caches)
    print(f"{_sum(caches)} in {printable(str(cache_dir(Inputs()) / FOLDER))}")


def prune(
    directories: Annotated[
        list[str] | None, typer.Argument(metavar="DIR", help="Only the caches of the projects there.")
    ] = None,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Those that no run has used for so long: 12h, 30d.")
    ] = "",
    keep: Annotated[
        str, typer.Option("--keep", metavar="SIZE", help="The longest unused, until no more than SIZE is left.")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="Every one.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed; remove nothing.")] = False,
    json: Json = False,
) -> None:
    """Remove caches: without DIR or options, those whose project is gone."""
    rule = _rule(directories or [], older_than, keep, everything=everything)
    chosen = rule.choose(_caches(), time.time())
    if dry_run:
        done = Pruned(tuple(c for c in chosen if not c.in_use), tuple(c for c in chosen if c.in_use))
    else:
        done = remove(cache_dir(Inputs()), chosen)
    if json:
        emit_json(
            {
                "removed": [cache.as_record() for cache in done.removed],
                "in_use": [cache.as_record() for cache in done.in_use],
                "freed_bytes": _bytes(done.removed),
                "dry_run": dry_run,
            }
        )
        return
    if done.removed:
        _print(done.removed)
    print(f"{'would remove' if dry_run else 'removed'} {_sum(done.removed)}")
    if done.in_use:
        print(f"{'would keep' if dry_run else 'kept'} {_sum(done.in_use)}, in use by a sandbox")


def _rule(directories: list[str], older_than: str, keep: str, *, everything: bool) -> Rule:
    if everything and (directories or older_than or keep):
        raise UsageError("--all removes every cache", hint="leave out DIR, --older-than and --keep, or --all")
    return Rule(
        frozenset(os.path.realpath(directory) for directory in directories),
        everything,
        parse_duration(older_than, name="--older-than") if older_than else None,
        parse_size(keep, name="--keep") if keep else None,
    )


def _caches() -> list[Cache]:
    return inventory(Path(cache_dir(Inputs())), read_log(audit_path()).records)


def _print(caches: Iterable[Cache]) -> None:
    print(table(("SIZE", "LAST USED", "STATE", "PROFILE", "PROJECT"), map(_row, caches)))


def _row(cache: Cache) -> tuple[str, ...]:
    least = "" if cache.size.complete else ">"  # what cannot be read counts nothing
    profiles = "+".join(cache.owner.profiles) if cache.owner else "?"
    project = cache.owner.workspace if cache.owner else f"? ({cache.path.name})"
    return f"{least}{format_size(cache.size.bytes)}", local(cache.last_used), cache.state, profiles, project


def _bytes(caches: Iterable[Cache]) -> int:
    return sum(cache.size.bytes for cache in caches)


def _sum(caches: Iterable[Cache]) -> str:
    caches = list(caches)
    return f"{len(caches)} cache{'' if len(caches) == 1 else 's'}, {format_size(_bytes(caches))}"
