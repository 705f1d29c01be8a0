"""`aisbx doctor`: what holds on this machine, by what mechanism, and what to do about the rest."""

from itertools import groupby

import typer

from aisbx.cli.options import Json
from aisbx.cli.render import emit_json, one_line, table
from aisbx.cli.session import engine, remote, server
from aisbx.doctor import DoctorRow, ready
from aisbx.errors import DriverUnavailableError

EXAMPLES = """\b
Examples:
  aisbx doctor
  aisbx doctor --json

Exits with 0 if this machine is ready for runs with the defaults, with 125 if it would refuse them.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", epilog=EXAMPLES)(doctor)


def doctor(json: Json = False) -> int:
    """Check this machine: each control, its mechanism here, and the remedy where one is missing."""
    rows = _rows()
    fine = ready(rows)
    if json:
        emit_json({"ready": fine, "rows": [row.as_record() for row in rows]})
        return 0 if fine else DriverUnavailableError.exit_code
    for section, found in groupby(rows, key=lambda row: row.section):
        _show(section, list(found))
    if not fine:
        raise DriverUnavailableError(
            "runs with the defaults would be refused on this machine", hint="see the lines marked with !! above"
        )
    print("This machine is ready for runs with the defaults.")
    return 0


def _rows() -> list[DoctorRow]:
    if remote:
        from aisbx.remote.host import findings

        return findings(server())
    return engine().doctor()


def _show(section: str, rows: list[DoctorRow]) -> None:
    print(section)
    cells = ((_mark(row), row.name, row.detail) for row in rows)
    lines = table(("", "", ""), cells).splitlines()[1:]
    for row, line in zip(rows, lines, strict=True):
        print(f"  {line}")
        if row.remedy and row.state not in ("ok", "info"):
            print(f"      fix: {one_line(row.remedy)}")
    print()


def _mark(row: DoctorRow) -> str:
    if row.state in ("partial", "missing"):
        return f"!! {row.state}" if row.needed else row.state
    return "" if row.state == "info" else row.state
