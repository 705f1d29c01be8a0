"""`aisbx run`, once its options are raw strings: typer read them, or the lean front did and found no plan."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NoReturn

from aisbx.cli.asked import asked
from aisbx.cli.ends import met
from aisbx.cli.render import emit_json, say
from aisbx.cli.request import to_request
from aisbx.cli.session import directory, engine, principal
from aisbx.errors import LaunchError, UsageError
from aisbx.types import ExitStatus, RunRequest, Stdio


def perform(
    given: Mapping[str, list[str]],
    command: Sequence[str],
    *,
    dry_run: bool = False,
    as_json: bool = False,
    monitor: bool | None = None,
) -> int:
    """Run the command, or say what a run would be; gives the exit code, and raises AisbxErrors."""
    if "sandbox" in given:
        if monitor is not None:
            hint = "aisbx create --monitor"
            raise UsageError("--monitor cannot stand beside --sandbox: it is decided when a sandbox is made", hint=hint)
        return _join(given, command, dry_run=dry_run, as_json=as_json)
    request = replace(to_request(given, command, directory()), monitor=monitor)
    if dry_run:
        from aisbx.cli import preview

        return preview.show(engine().preview(request), request, as_json=as_json)
    stdio = _captured(request) if as_json else Stdio(0, 1, 2, terminal=os.isatty(0) and os.isatty(1))
    if not request.command and not stdio.terminal:
        raise UsageError("no command was given", hint="aisbx run [OPTIONS] -- CMD...; a shell needs a terminal")
    # Under the raw options the lean front finds the plan of this run again.
    options = None if as_json or monitor else dict(given)
    outcome = asked(lambda: engine().run(request, principal(), stdio, host="cli", options=options))
    if as_json:
        emit_json(outcome.as_record())
    for line in told(outcome.status) if not as_json else ():
        say(line)
    return outcome.status.code


def _join(given: Mapping[str, list[str]], command: Sequence[str], *, dry_run: bool, as_json: bool) -> int:
    """Run in a sandbox that is there: what it is has been decided when it was made."""
    from aisbx.cli.join import join

    decided = sorted(given.keys() - {"sandbox", "env", "secret", "timeout", "output"})
    if decided or dry_run:
        option = f"--{decided[0]}" if decided else "--dry-run"
        raise UsageError(f"{option} cannot stand beside --sandbox", hint="it is decided when a sandbox is made")
    own = {name: values for name, values in given.items() if name != "sandbox"}
    return join(given["sandbox"][-1], own, command, as_json=as_json)


def explain(given: Mapping[str, list[str]], command: Sequence[str], error: LaunchError) -> NoReturn:
    """Raise what is wrong with a run that its plan could not start."""
    raise engine().explain(to_request(given, command, directory()), error, dict(given))


def told(status: ExitStatus) -> list[str]:
    """Give what a person is told beside the exit code."""
    dropped = status.stdout.dropped + status.stderr.dropped
    return [
        *status.findings,
        *met(
            timed_out=status.timed_out,
            oom_killed=status.oom_killed,
            pids_limited=status.pids_limited,
            dropped=dropped,
        ),
    ]


def _captured(request: RunRequest) -> Stdio:
    """Capture both streams; as much of them as the request asks to see."""
    output = request.limits.get("output")
    return Stdio(0) if output is None else Stdio(0, capture=int(output))
