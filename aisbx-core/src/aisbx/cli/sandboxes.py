"""`aisbx ls`, `inspect`, `destroy` and `prune`: the sandboxes that last, seen from outside."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from aisbx.cli import complete
from aisbx.cli.options import Json
from aisbx.cli.render import as_text, emit_json, error_line, say, table
from aisbx.cli.session import engine, principal
from aisbx.engine.found import ENDED
from aisbx.errors import AisbxError, StateError, UsageError
from aisbx.units import format_duration

if TYPE_CHECKING:
    from aisbx.engine.found import Found

EXAMPLES = {
    "ls": """\b
Examples:
  aisbx ls
  aisbx ls --json
""",
    "inspect": """\b
Examples:
  aisbx inspect work            what it is, and what holds in it
  aisbx inspect work --json
""",
    "pause": """\b
Examples:
  aisbx pause work                every process stops where it stands
  aisbx resume work
""",
    "resume": """\b
Examples:
  aisbx resume work
""",
    "destroy": """\b
Examples:
  aisbx destroy work other
  aisbx destroy --all
""",
    "prune": """\b
Examples:
  aisbx prune                   those whose time was over, and what a killed create left
""",
}
Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=complete.sandboxes)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (ls, inspect, pause, resume, destroy, prune):
        app.command(command.__name__, epilog=EXAMPLES[command.__name__])(command)


def ls(json: Json = False) -> None:
    """List the sandboxes that last."""
    found = list(engine().sandboxes.all())
    left = engine().changes.runs()
    if json:
        emit_json({"sandboxes": [_row(one) for one in found], "runs": left})
        return
    if found:
        print(table(("name", "state", "profile", "workspace", "age", "ends in"), map(_cells, found)))
    if left:
        say(f"runs with changes that are not applied: {', '.join(left)}: aisbx diff RUN")


def inspect(name: Name, json: Json = False) -> None:
    """Show what a sandbox is, and what holds in it."""
    one = engine().sandboxes.look(name)
    if one.record is None and not one.problem and name not in engine().sandboxes.names():
        raise StateError(f"there is no sandbox {name!r}", hint="see: aisbx ls")
    row = _row(one) | {"enforcement": one.enforcement.as_record()}
    if json:
        emit_json(row)
        return
    for key, value in row.items():
        if key != "enforcement":
            print(f"{key}: {as_text(value)}")
    for state in one.enforcement.states:
        print(f"  {state.control}: {state.level.value}{f' ({state.mechanism})' if state.mechanism else ''}")


def pause(name: Name) -> None:
    """Stop every process in a sandbox where it stands, until resume; no command can join it meanwhile."""
    engine().sandboxes.inside(name).pause(principal(), "cli")


def resume(name: Name) -> None:
    """Let the processes of a paused sandbox go on."""
    engine().sandboxes.inside(name).resume(principal(), "cli")


def destroy(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", autocompletion=complete.sandboxes)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    discard: Annotated[bool, typer.Option("--discard", help="Drop changes that are not applied.")] = False,
    json: Json = False,
) -> None:
    """End sandboxes, with all that runs in them, and remove them."""
    if bool(names) == everything:
        raise UsageError("name the sandboxes to destroy, or --all", hint="see: aisbx ls")
    sandboxes = engine().sandboxes
    gone: list[str] = []
    refused: AisbxError | None = None
    for name in sandboxes.names() if everything else names or ():
        try:
            findings = sandboxes.destroy(name, principal(), "cli", discard=discard)
        except AisbxError as error:  # the others go all the same
            if refused is not None:
                say(error_line(refused).removeprefix("aisbx: "))
            refused = error
            continue
        gone += [] if findings is None or name in sandboxes.names() else [name]
        for line in findings or ():
            say(line)
    if refused is not None:
        raise refused
    if json:
        emit_json({"destroyed": gone})


def prune(json: Json = False) -> None:
    """Remove the sandboxes that have ended by themselves, and what was never finished."""
    gone = engine().sandboxes.prune(principal(), "cli")
    if json:
        emit_json({"pruned": gone})
        return
    for name in gone:
        print(name)


def _row(one: "Found") -> dict[str, object]:
    row: dict[str, object] = {"name": one.name, "state": one.state}
    if one.record is not None:
        record = one.record
        row |= {
            "profile": record.profile,
            "driver": record.driver,
            "workspace": record.workspace,
            "mode": record.mode,
            "network": record.network,
            "created": record.created,
            "until": one.until,
            "idle_ttl": record.idle or None,
            "monitored": record.monitored,
            "unwatched": record.unwatched or None,
        }
    if one.end is not None:
        row |= {"ended": one.end.time, "reason": one.end.reason, "findings": one.end.findings}
    return row | ({"problem": one.problem} if one.problem else {})


def _cells(one: "Found") -> tuple[str, ...]:
    record = one.record
    if record is None:
        return (one.name, one.state, "", one.problem, "", "")
    now = time.time()
    left = "" if one.left is None else format_duration(one.left)
    where = f"{record.workspace}:{record.mode}" if record.workspace else ""
    state = f"{one.state}: {one.end.reason}" if one.end is not None and one.end.reason != ENDED else one.state
    return (one.name, state, record.profile, where, format_duration(max(0.0, now - record.created)), left)
