"""`aisbx audit`: who ran what, in what sandbox, and what came of it."""

import sys
import time
from collections.abc import Iterable

import typer

from aisbx.audit.read import Reading, Record, read_log
from aisbx.cli.groups import group
from aisbx.cli.options import Json, Since, Tail
from aisbx.cli.render import emit_json, shell_words, table
from aisbx.cli.session import audit_path
from aisbx.cli.when import local, parse_since, parse_tail

EXAMPLES = """\b
Examples:
  aisbx audit show --tail 20
  aisbx audit show --since 1d
  aisbx audit show --json | python3 -m json.tool
"""


def register(app: typer.Typer) -> None:
    """Add the group."""
    commands = group("Read the record of every run.")
    commands.command("show", epilog=EXAMPLES)(show)
    app.add_typer(commands, name="audit")


SANDBOXES = {
    "sandbox.create": "created",
    "sandbox.destroy": "destroyed",
    "sandbox.pause": "paused",
    "sandbox.resume": "resumed",
    "sandbox.snapshot": "snapshot taken",
    "sandbox.snapshot-rm": "snapshot removed",
    "sandbox.restore": "restored",
    "sandbox.fork": "forked",
}
"""Kinds of records that are no run's → what they tell."""


def show(tail: Tail = "", since: Since = "", json: Json = False) -> None:
    """Show the audit records, oldest first: one for each run, refused ones included, and for sandboxes that last."""
    reading = read_log(audit_path(), tail=parse_tail(tail), since=parse_since(since, time.time()))
    if json:
        damaged = [{"line": damage.line, "reason": damage.reason} for damage in reading.damaged]
        emit_json({"records": [record.data for record in reading.records], "damaged": damaged})
        return
    print(table(("TIME", "RUN", "WHO", "PROFILE", "DRIVER", "RESULT", "COMMAND"), map(_row, reading.records)))
    complain(reading)


def complain(reading: Reading) -> None:
    """Name the damaged lines on stderr."""
    for damage in reading.damaged:
        print(f"aisbx: state: the audit log's line {damage.line} is damaged: {damage.reason}", file=sys.stderr)


def result(record: Record) -> str:
    """Say what came of a run: `exit 0`, `signal 9`, `timed out`, or the code of a refusal."""
    if record.text("kind") in SANDBOXES:
        return SANDBOXES[record.text("kind")]
    if record.text("kind") == "run.refused":
        return f"refused: {record.table('error').get('code', '?')}"
    if record.data.get("timed_out"):
        return "timed out"
    if error := record.table("error"):
        return str(error.get("code", "?"))
    if record.data.get("signal"):
        return f"signal {record.data['signal']}"
    return f"exit {record.data.get('exit_code', '?')}"


def command(argv: Iterable[str]) -> str:
    """Write a command on one line that is safe to show."""
    return shell_words(argv) or "-"


def _row(record: Record) -> tuple[str, ...]:
    return (
        local(record.time),
        record.text("run"),
        record.text("principal"),
        record.text("profile"),
        record.text("driver"),
        result(record),
        command(record.words("argv")),
    )
