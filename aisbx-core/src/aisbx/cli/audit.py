"""`aisbx audit`: who ran what, in what sandbox, and what came of it."""

import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated

import typer

from aisbx.audit.read import Reading, Record, read_log
from aisbx.audit.verify import Verification, exported_heads
from aisbx.audit.verify import verify as look_through
from aisbx.cli.groups import group
from aisbx.cli.options import Json, Since, Tail
from aisbx.cli.render import emit_json, say, shell_words, table
from aisbx.cli.session import audit_path, audit_place, remote, server
from aisbx.cli.when import local, parse_since, parse_tail
from aisbx.errors import UsageError
from aisbx.violations.recorder import KIND

EXAMPLES = """\b
Examples:
  aisbx audit show --tail 20
  aisbx audit show --since 1d
  aisbx audit show --json | python3 -m json.tool
"""


VERIFYING = """\b
Examples:
  aisbx audit verify
  aisbx audit verify --head 4711:0f3a…    a head that syslog has
  aisbx audit verify --json

Ends with 1 where something was changed, is missing or was put in.
"""
MOST_NOTES = 10
MAC_LENGTH, MOST_DIGITS = 64, 18
FOUND = 1
"""The exit code of a log that is not as it was written."""


def register(app: typer.Typer) -> None:
    """Add the group."""
    commands = group("Read the record of every run.")
    commands.command("show", epilog=EXAMPLES)(show)
    commands.command("verify", epilog=VERIFYING)(verify)
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
    "key.create": "key made",
    "key.revoke": "key revoked",
}
"""Kinds of records that are no run's → what they tell."""


def show(tail: Tail = "", since: Since = "", json: Json = False) -> None:
    """Show the audit records, oldest first: one for each run, refused ones included, and for sandboxes that last."""
    reading = _read(parse_tail(tail), parse_since(since, time.time()))
    if json:
        damaged = [{"file": damage.path, "line": damage.line, "reason": damage.reason} for damage in reading.damaged]
        emit_json({"records": [record.data for record in reading.records], "damaged": damaged})
        return
    print(table(("TIME", "RUN", "WHO", "PROFILE", "DRIVER", "RESULT", "COMMAND"), map(_row, reading.records)))
    complain(reading)


def _read(tail: int | None, since: float) -> Reading:
    if remote:
        from aisbx.remote.host import MOST, audit

        reading = audit(server(), tail, since)
        if tail is None and len(reading.records) == MOST:
            say(f"the last {MOST} records: a supervisor tells of no more")
        return reading
    return read_log(audit_path(), tail=tail, since=since)


def verify(
    head: Annotated[
        list[str], typer.Option("--head", metavar="SEQ:MAC", help="A head that was exported; may be repeated.")
    ] = [],  # noqa: B006 - typer reads it
    json: Json = False,
) -> None:
    """Find out whether the audit log is as it was written: nothing changed, missing, put in, swapped or cut off."""
    found = _verified(dict(map(parse_head, head)))
    if json:
        problems, notes = ([asdict(row) for row in rows] for rows in (found.problems, found.notes))
        emit_json({"records": found.records, "head": f"{found.seq}:{found.mac}", "problems": problems, "notes": notes})
    else:
        for problem in found.problems:
            print(problem)
        for note in found.notes[:MOST_NOTES]:
            print(f"note: {note}")
        if len(found.notes) > MOST_NOTES:
            print(f"note: and {len(found.notes) - MOST_NOTES} more")
        told = f"problems: {len(found.problems)}" if found.problems else "as they were written"
        print(f"{found.records} records, {told}; head {found.seq}:{found.mac or '-'}")
    if found.problems:
        raise typer.Exit(FOUND)


def _verified(known: dict[int, str]) -> Verification:
    """Look through the log, which has to have the heads that are `known`, and those that were exported to a file."""
    if remote:
        from aisbx.remote.host import verification

        return verification(server(), known)
    place = audit_place()
    return look_through(place, known | exported_heads(place))


def parse_head(text: str) -> tuple[int, str]:
    """Read `SEQ:MAC`; UsageError where it is not."""
    seq, _, mac = text.partition(":")
    if not seq.isdigit() or len(seq) > MOST_DIGITS or len(mac) != MAC_LENGTH:
        raise UsageError(f"{text!r} is no head", hint="write SEQ:MAC, as `aisbx audit verify` ends with")
    return int(seq), mac


def complain(reading: Reading) -> None:
    """Name the damaged lines on stderr."""
    for damage in reading.damaged:
        file = "the audit log" if damage.path in {"", audit_path()} else damage.path
        print(f"aisbx: state: {file}'s line {damage.line} is damaged: {damage.reason}", file=sys.stderr)


def result(record: Record) -> str:
    """Say what came of a run: `exit 0`, `signal 9`, `timed out`, or the code of a refusal."""
    if record.text("kind") in SANDBOXES:
        return SANDBOXES[record.text("kind")]
    told = {
        KIND: f"{record.text('severity')}: {record.text('what')}",
        f"{KIND}.reaction": f"{record.text('done')}{': ' if record.text('error') else ''}{record.text('error')}",
        "run.refused": f"refused: {record.table('error').get('code', '?')}",
    }
    if record.text("kind") in told:
        return told[record.text("kind")]
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
