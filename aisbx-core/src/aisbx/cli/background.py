"""`aisbx ps`, `kill`, `attach` and `input`: what runs in a sandbox that lasts, and commands in its background."""

import os
import signal as signals
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aisbx.cli import complete, session
from aisbx.cli.audit import command as as_words
from aisbx.cli.options import Json
from aisbx.cli.render import emit_json, table
from aisbx.cli.session import engine
from aisbx.cli.when import local
from aisbx.engine.found import PAUSED, RUNNING
from aisbx.errors import StateError, UsageError

if TYPE_CHECKING:
    from aisbx.engine.background import BackgroundCommand
    from aisbx.types import ProcessRow

EXAMPLES = {
    "ps": """\b
Examples:
  aisbx ps work
  aisbx ps work --json
""",
    "kill": """\b
Examples:
  aisbx kill work 3f2a                 ask a command, and all that it started, to end
  aisbx kill work 3f2a -s KILL
  aisbx kill work 17 -s HUP            one process, by its number inside
""",
    "attach": """\b
Examples:
  aisbx attach work                    what the last one prints from now on; what you type is its input
  aisbx attach work 3f2a --logs        from the beginning, as far as it was kept
  aisbx attach work 3f2a --no-stdin    only watch

Leave a terminal with Ctrl-P Ctrl-Q: the command goes on.
""",
    "input": """\b
Examples:
  echo reload | aisbx input work 3f2a
  aisbx input work 3f2a --eof < data   it sees the end behind it
""",
}
Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=complete.sandboxes)]
Id = Annotated[str, typer.Argument(metavar="ID", help="Its id, or the beginning of one; otherwise the last.")]
LEAST = 4
"""Letters of an id that are taken for one where a number of a process could stand too."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for name, function in (("ps", ps), ("kill", kill), ("attach", attach), ("input", feed)):
        app.command(name, epilog=EXAMPLES[name])(function)


def ps(name: Name, json: Json = False) -> None:
    """List the commands in the background of a sandbox, and the processes in it."""
    sandboxes = engine().sandboxes
    commands = [*sandboxes.background(name).all()]
    processes = sandboxes.inside(name).processes() if sandboxes.look(name).state in {RUNNING, PAUSED} else ()
    if json:
        emit_json({"commands": [_row(one) for one in commands], "processes": [_process(one) for one in processes]})
        return
    if commands:
        print(table(("id", "state", "result", "started", "command"), map(_cells, commands)))
    if processes:
        print(table(("pid", "state", "started", "process"), map(_process_cells, processes)))


def kill(
    name: Name,
    target: Annotated[str, typer.Argument(metavar="ID|PID", help="A command's id, or a process's number inside.")],
    signal: Annotated[str, typer.Option("--signal", "-s", metavar="SIG", help="A name or a number.")] = "TERM",
) -> None:
    """Send a signal to a command in the background and to all that came of it, or to one process."""
    number = _number(signal)
    sandboxes = engine().sandboxes
    background = sandboxes.background(name)
    if sandboxes.look(name).state == PAUSED:
        sandboxes.inside(name).refuse_paused(number)
    if target.isascii() and target.isdigit() and not any(_is_meant(one, target) for one in background.all()):
        sandboxes.inside(name).signal(int(target), number)
        return
    background.signal(background.find(target), number)


def attach(
    name: Name,
    target: Id = "",
    logs: Annotated[bool, typer.Option("--logs", help="Begin with what it has printed before.")] = False,
    stdin: Annotated[bool, typer.Option("--stdin/--no-stdin", help="Pass on what is typed.")] = True,
    detach_keys: Annotated[
        str, typer.Option("--detach-keys", metavar="KEYS", help="What leaves a terminal: ctrl-X,…, or one letter.")
    ] = "ctrl-p,ctrl-q",
) -> int:
    """Show what a command in the background prints, and pass on what is typed, until it ends; gives its exit code."""
    from aisbx.cli.attach import attached, keys_of

    keys = keys_of(detach_keys)
    if session.remote:
        from aisbx.cli.far import attached as attached_far

        return attached_far(engine(), name, target, logs=logs, stdin=stdin)
    background = engine().sandboxes.background(name)
    return attached(background, background.find(target), logs=logs, stdin=stdin, keys=keys)


def feed(
    name: Name,
    target: Id = "",
    eof: Annotated[bool, typer.Option("--eof", help="Let it see the end of its input then.")] = False,
) -> None:
    """Pass stdin on to a command in the background; returns when the command's input has all of it."""
    from aisbx.background.caller import Caller
    from aisbx.background.door import END, INPUT, LONGEST

    if session.remote:
        from aisbx.cli.far import fed

        fed(engine(), name, target, eof=eof)
        return
    caller = Caller(engine().sandboxes.background(name).find(target).place)
    try:
        taken = True
        while taken and (data := os.read(0, LONGEST)):
            taken = caller.ask(INPUT, data, patience=None)
        if taken and eof:
            taken = caller.ask(END)
    finally:
        caller.close()
    if not taken:
        raise StateError("the command takes no input", hint="exec --detach --interactive keeps its input open")


def _is_meant(one: "BackgroundCommand", target: str) -> bool:
    return one.id == target or (len(target) >= LEAST and one.id.startswith(target))


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) <= signals.NSIG - 1:
        return int(text)
    try:
        return signals.Signals[f"SIG{text.upper().removeprefix('SIG')}"].value
    except KeyError:
        raise UsageError(f"--signal: {text!r} is no signal", hint="write TERM, KILL, HUP, 15, ...") from None


def _row(one: "BackgroundCommand") -> dict[str, Any]:
    hidden = {"format", "state", "supervisor", "principal", "host"}
    return {"id": one.id, "state": one.state} | {key: value for key, value in one.row.items() if key not in hidden}


def _cells(one: "BackgroundCommand") -> tuple[str, ...]:
    row = one.row
    return (one.id, one.state, result(one), local(row["started"]), as_words(row["argv"]))


def result(one: "BackgroundCommand") -> str:
    """Say what came of a command, in few words."""
    row = one.row
    if one.lives:
        return ""
    if "exit_code" not in row:
        return str(row.get("error", {}).get("message", "?"))
    reason = "timed out" if row["timed_out"] else "out of memory" if row["oom_killed"] else ""
    code = f"signal {row['signal']}" if row["signal"] else f"exit {row['exit_code']}"
    return f"{code}, {reason}" if reason else code


def _process(one: "ProcessRow") -> dict[str, Any]:
    return {"pid": one.pid, "state": one.state, "started": one.started, "argv": list(one.argv)}


def _process_cells(one: "ProcessRow") -> tuple[str, ...]:
    age = local(one.started) if one.started <= time.time() else "?"
    return (str(one.pid), one.state, age, as_words(one.argv))
