"""`aisbx logs`: the recent runs, and what a run printed."""

import base64
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from aisbx.audit.follow import INTERVAL, follow_log
from aisbx.audit.output import Output, find_run
from aisbx.audit.read import Record, read_log
from aisbx.cli import complete, session
from aisbx.cli.audit import SANDBOXES, command, complain, result
from aisbx.cli.options import Json, Since, Tail
from aisbx.cli.render import emit_json, printable, say, table
from aisbx.cli.session import audit_path, runs_path
from aisbx.cli.terminal import Cleaner
from aisbx.cli.when import local, parse_since, parse_tail
from aisbx.errors import StateError, UsageError
from aisbx.inputs import Inputs
from aisbx.paths import state_dir
from aisbx.store import Store
from aisbx.units import format_duration
from aisbx.violations.recorder import KIND as VIOLATION

if TYPE_CHECKING:
    from aisbx.engine.background import Background, BackgroundCommand

RECENT = 20
_NO_RUNS = frozenset({*SANDBOXES, VIOLATION})

EXAMPLES = """\b
Examples:
  aisbx logs                      the recent runs
  aisbx logs RUN                  what a run printed; the beginning of its id is enough
  aisbx logs RUN --tail 50
  aisbx logs -f                   each run as it ends
  aisbx logs NAME ID              what a command in the background of a sandbox printed
  aisbx logs NAME -f --since 5m   of the last one, from there on

Output is shown as it was when stdout is a file or a pipe; on a terminal, control sequences are escaped (colours stay).
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("logs", epilog=EXAMPLES)(logs)


def logs(
    run: Annotated[str, typer.Argument(metavar="RUN|NAME", hidden=True, autocompletion=complete.printed)] = "",
    command: Annotated[str, typer.Argument(metavar="ID", hidden=True)] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    tail: Tail = "",
    since: Since = "",
    json: Json = False,
) -> None:
    """List the recent runs, or show what RUN printed, or a command in the background of the sandbox NAME.

    Of ids the beginning is enough; without ID it is the last command.
    """
    if json and follow:
        raise UsageError("--json gives one object, so it cannot --follow", hint="leave out one of the two")
    count, start = parse_tail(tail), parse_since(since, time.time())
    if session.remote or run in Store(state_dir(Inputs())).names():
        of_command(run, command, count, start, follow=follow, as_json=json)
        return
    if command:
        raise StateError(f"there is no sandbox {run!r}", hint="see: aisbx ls")
    if run:
        if since:
            raise UsageError("--since is for the list of runs", hint="use --tail N with a run's id")
        _output(run, count, follow=follow, as_json=json)
        return
    reading = read_log(audit_path(), tail=RECENT if count is None else count, since=start)
    runs = [record for record in reading.records if record.text("kind") not in _NO_RUNS]
    if json:
        emit_json({"runs": [_summary(record) for record in runs]})
        return
    print(table(("RUN", "TIME", "RESULT", "TOOK", "COMMAND"), map(_row, runs)))
    complain(reading)
    if follow:
        sys.stdout.flush()
        for record in follow_log(audit_path(), reading.end):
            if record is not None and record.time >= start and record.text("kind") not in _NO_RUNS:
                print("  ".join(printable(cell) for cell in _row(record)), flush=True)


def _row(record: Record) -> tuple[str, ...]:
    duration = record.data.get("duration")
    took = format_duration(duration) if isinstance(duration, (int, float)) else ""
    return record.text("run"), local(record.time), result(record), took, command(record.words("argv"))


def _summary(record: Record) -> dict[str, object]:
    keys = ("run", "time", "kind", "exit_code", "signal", "timed_out", "duration", "argv", "error")
    return {key: record.data[key] for key in keys if key in record.data}


def _output(beginning: str, tail: int | None, *, follow: bool, as_json: bool) -> None:
    """Show one run's output."""
    run = find_run(runs_path(), beginning)
    output = Output(runs_path(), run, tail)
    if as_json:
        emit_json({"run": run, "output": as_data(b"".join(iter(output.read, b"")))})
        return
    show(_until_ended(run, output) if follow else iter(output.read, b""))


def show(chunks: Iterable[bytes]) -> None:
    """Write what was printed to stdout: as it was, or made safe where that is a terminal."""
    (_on_terminal if sys.stdout.isatty() else _raw)(chunks)


def of_command(name: str, beginning: str, tail: int | None, since: float, *, follow: bool, as_json: bool) -> None:
    """Show what a command in the background of a sandbox printed."""
    if session.remote:
        from aisbx.cli.far import printed

        printed(name, beginning, tail, since, follow=follow, as_json=as_json)
        return
    from aisbx.background.output import position_of
    from aisbx.cli.session import engine

    background = engine().sandboxes.background(name)
    found = background.find(beginning)
    position = position_of(found.place, tail, since)
    if as_json:
        output = as_data(b"".join(_printed(background, found, position, follow=False)))
        emit_json({"sandbox": name, "id": found.id, "output": output})
        return
    show(_printed(background, found, position, follow=follow))


def _printed(background: "Background", command: "BackgroundCommand", position: int, *, follow: bool) -> Iterator[bytes]:
    from aisbx.background.output import Reader

    reader = Reader(command.place, position)
    while True:
        lives = follow and background.find(command.id).lives
        for part in reader.rest():
            if part.missing:
                say(f"{part.missing} bytes that it printed here were not kept")
            yield part.data
        if not lives:
            return
        time.sleep(INTERVAL)


def _raw(chunks: Iterable[bytes]) -> None:
    for chunk in chunks:
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()


def _on_terminal(chunks: Iterable[bytes]) -> None:
    cleaner = Cleaner()
    try:
        for chunk in chunks:
            print(cleaner.feed(chunk), end="", flush=True)
    finally:
        print(cleaner.close(), end="", flush=True)


def _until_ended(run: str, output: Output) -> Iterator[bytes]:
    """Give the output as it grows, until the audit log says that the run has ended."""
    path = audit_path()
    reading = read_log(path)
    if not any(record.text("run") == run for record in reading.records):
        for record in follow_log(path, reading.end):
            yield from iter(output.read, b"")
            if record is not None and record.text("run") == run:
                break
    yield from iter(output.read, b"")


def as_data(data: bytes) -> dict[str, str]:
    """Give bytes as JSON data: text where they are UTF-8, base64 where they are not."""
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
