"""`aisbx exec`, once its options are raw strings: typer read them, or the lean front did and found no plan."""

import os
from collections.abc import Mapping, Sequence

from aisbx.cli.asked import asked
from aisbx.cli.perform import told
from aisbx.cli.render import emit_json, say
from aisbx.cli.request import to_request
from aisbx.cli.session import directory, engine, principal
from aisbx.errors import UsageError
from aisbx.types import Command, RunRequest, Stdio


def join(name: str, given: Mapping[str, list[str]], words: Sequence[str], *, as_json: bool = False) -> int:
    """Run a command in a sandbox that is there, and give its exit code; raises AisbxErrors.

    `given` are options as they were typed. Under them the lean front finds the plan of this command again.
    """
    request, cwd = _request(given, words)
    terminal = os.isatty(0) and os.isatty(1) and not as_json
    if not words and not terminal:
        raise UsageError(
            "no command was given", hint=f"aisbx exec {name} [OPTIONS] -- CMD...; a shell needs a terminal"
        )
    limits = request.limits
    stdio = Stdio(0, 1, 2, terminal=terminal)
    if as_json:
        stdio = Stdio(0, capture=int(limits["output"])) if "output" in limits else Stdio(0)
    command = _command(request, cwd)
    options = None if as_json else given
    outcome = asked(lambda: engine().sandboxes.execute(name, command, principal(), stdio, "cli", options))
    if as_json:
        emit_json(outcome.as_record())
    for line in told(outcome.status) if not as_json else ():
        say(line)
    return outcome.status.code


def leave(
    name: str, given: Mapping[str, list[str]], words: Sequence[str], *, terminal: bool, stdin: bool, as_json: bool
) -> int:
    """Start a command that is left running, and print its id; raises AisbxErrors."""
    request, cwd = _request(given, words)
    if not words and not terminal:
        raise UsageError("no command was given", hint=f"aisbx exec {name} -d -- CMD...; a shell needs --tty")
    command = _command(request, cwd)
    run = asked(lambda: engine().sandboxes.detach(name, command, principal(), "cli", terminal=terminal, stdin=stdin))
    if as_json:
        emit_json({"sandbox": name, "id": run})
    else:
        print(run)
    return 0


def _request(given: Mapping[str, list[str]], words: Sequence[str]) -> tuple[RunRequest, str]:
    options = {option: values for option, values in given.items() if option != "cwd"}
    return to_request(options, words, directory()), given.get("cwd", [""])[-1]


def _command(request: RunRequest, cwd: str) -> Command:
    if cwd and not cwd.startswith("/"):
        raise UsageError(f"--cwd: {cwd!r} is not absolute", hint="name a directory inside, such as /tmp")
    argv = request.command or ("/bin/sh",)
    for secret in request.secrets:
        if not secret.variable:
            hint = "name it when the sandbox is made (aisbx create --secret), or give it as a variable: type=env"
            kind = "placeholders" if secret.placeholder else "files"
            raise UsageError(f"--secret {secret.name}: {kind} are given when a sandbox is made", hint=hint)
    return Command(
        argv=argv, environment=request.environment, cwd=cwd or None, limits=request.limits, secrets=request.secrets
    )
