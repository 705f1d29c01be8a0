"""`aisbx explain`: what a run, or one violation, was refused, why, and what would allow it."""

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from aisbx.audit.read import Record
from aisbx.cli.monitor import line
from aisbx.cli.options import Json
from aisbx.cli.render import emit_json, one_line
from aisbx.cli.session import audit_path, remote, server
from aisbx.errors import StateError
from aisbx.violations.read import Wanted, violations

EXAMPLES = """\b
Examples:
  aisbx explain work                a sandbox, made with --monitor
  aisbx explain v0123456789ab       one violation, as aisbx monitor --json has it
  aisbx explain work --json
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain", epilog=EXAMPLES)(explain)


def explain(
    what: Annotated[
        str, typer.Argument(metavar="RUN|EVENT", help="A run's id, a sandbox's name, or a violation's id.")
    ],
    json: Json = False,
) -> None:
    """Say what a run was refused, why, and the smallest change that would allow it."""
    every, records = _read()
    found = [record for record in every if what in {record.text("id"), *_names(record)}]
    if not found and not any(what in _names(record) for record in records):
        raise StateError(f"the audit log knows nothing of {what!r}", hint="see: aisbx audit show, aisbx monitor --once")
    if json:
        emit_json({"about": what, "violations": [_row(record) for record in found]})
        return
    if not found:
        print(f"{what}: nothing that it was refused was told; refused calls are, with: aisbx run --monitor")
    for record in found:
        print(line(record))
        for told in _told(record):
            print(f"    {one_line(told)}")


def _read() -> tuple[Sequence[Record], Sequence[Record]]:
    """Give the violations, and the records among which a run or a sandbox may be that had none."""
    if remote:
        from aisbx.remote import host, seen

        return seen.violations(server(), Wanted())[0], host.audit(server(), None, 0.0).records
    found, reading = violations(audit_path(), Wanted())
    return found, reading.records


def _names(record: Record) -> set[str]:
    """Give what a record is about: its run, and its sandbox, also by the name that a supervisor's key gave it."""
    names = {record.text("run"), record.text("sandbox")}
    if not remote:
        return names
    owner, key, id = record.text("principal").partition("key:")  # noqa: A001 - it is its name everywhere
    return names | {name.removeprefix(f"{id}.") for name in names if key and not owner}


def _told(record: Record) -> list[str]:
    told = [f"what it does: {record.text('means')}"]
    if record.text("why"):
        told.append(f"why it is refused: {record.text('why')}")
    if record.text("grant"):
        where = " in the profile" if record.text("source") in {"syscall", "network", "limit"} else ""
        told.append(f"what would allow it: {record.text('grant')}{where}")
    elif record.text("source") == "syscall":
        told.append("what would allow it: nothing, in any profile")
    if record.data.get("hint"):
        told.append("a hint only: it was seen from user space, where the program can mislead")
    return told


def _row(record: Record) -> dict[str, object]:
    names = {"mac", "argv", "v", "kind"}
    shown = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.time))
    return {"at": shown, **{name: value for name, value in record.data.items() if name not in names}}
