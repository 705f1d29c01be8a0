"""`aisbx monitor`: what sandboxes try that they may not, as it happens."""

from typing import TYPE_CHECKING, Annotated

import typer

from aisbx.audit.jsontext import dumps
from aisbx.audit.read import Record
from aisbx.cli import complete
from aisbx.cli.options import Json
from aisbx.cli.render import one_line
from aisbx.cli.session import audit_path, remote, server
from aisbx.cli.when import local
from aisbx.violations.read import Wanted, follow, violations

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = """\b
Examples:
  aisbx monitor                             all sandboxes that are watched; ends with Ctrl-C
  aisbx monitor work --severity medium
  aisbx monitor --once --json               what there was so far, a JSON object a line

Refused system calls are told of sandboxes that last, unless they were made with --no-monitor, and of run --monitor.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("monitor", epilog=EXAMPLES)(monitor)


def monitor(
    name: Annotated[str, typer.Argument(metavar="[NAME]", autocompletion=complete.sandboxes)] = "",
    severity: Annotated[
        str, typer.Option("--severity", metavar="S", help="info, low, medium, high or critical, and what is graver.")
    ] = "",
    once: Annotated[bool, typer.Option("--once", help="Show what there was so far, and end.")] = False,
    json: Json = False,
) -> None:
    """Show what sandboxes try that they may not, as it happens."""
    wanted = Wanted(sandbox=name, severity=severity)
    coming: Iterator[Record | None]
    if remote:
        from aisbx.remote import seen

        found, last = seen.violations(server(), wanted)
        coming = seen.follow(server(), wanted, last)
    else:
        found, reading = violations(audit_path(), wanted)
        coming = follow(audit_path(), wanted, reading.end)
    for record in found:
        _show(record, as_json=json)
    if once:
        return
    for record in coming:
        if record is not None:
            _show(record, as_json=json)


def _show(record: Record, *, as_json: bool) -> None:
    if as_json:
        print(
            dumps({name: value for name, value in record.data.items() if name not in {"mac", "argv", "v"}}), flush=True
        )
        return
    print(line(record), flush=True)


def line(record: Record) -> str:
    """Say what a violation was, on one line that is safe to show."""
    said = ", ".join(f"{name}={value}" for name, value in record.table("arguments").items())
    times = record.data.get("times")
    more = f" ({times} times)" if isinstance(times, int) and times > 1 else ""
    pid = record.data.get("pid_inside", 0)
    who = (
        f"{record.text('program')}{f'[{pid}]' if pid or record.text('source') == 'syscall' else ''} "
        if (record.text("program"))
        else ""
    )
    what = f"{record.text('what')}({said})" if said or record.text("source") == "syscall" else record.text("what")
    answer = f" = {record.text('errno')}" if record.text("errno") else ""
    rule = f"{record.text('severity')}/{record.text('rule')}"
    where = record.text("sandbox") or record.text("run") or record.text("principal")
    return one_line(f"{local(record.time)} {where} {rule}: {who}{what}{answer}{more}")
