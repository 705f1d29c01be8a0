"""`aisbx exec`: a command in a sandbox that lasts."""

import os
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from typer.core import TyperCommand

from aisbx.cli import complete
from aisbx.cli.options import Json
from aisbx.cli.perform import told
from aisbx.cli.render import emit_json, say
from aisbx.cli.request import to_request
from aisbx.cli.request_options import Env, Output, Timeout
from aisbx.cli.session import directory, engine, principal
from aisbx.errors import UsageError
from aisbx.types import Command, Stdio

EXAMPLES = """\b
Examples:
  aisbx exec work -- pytest -q
  aisbx exec work                                 a shell in it
  aisbx exec work -t 30s -e MODE=test --cwd /tmp -- ./check
"""


class _NameFirst(TyperCommand):
    """Takes `NAME [OPTIONS] [--] CMD...`: what stands behind the command is the command's own."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if args and not args[0].startswith("-"):
            name, *rest = args
            place = self._options_end(rest)
            command = rest[place + 1 :] if rest[place : place + 1] == ["--"] else rest[place:]
            args = [*rest[:place], "--", name, *command]
        return super().parse_args(ctx, args)

    def _options_end(self, words: Sequence[str]) -> int:
        valued = {
            word for parameter in self.params if not getattr(parameter, "is_flag", True) for word in parameter.opts
        }
        place = 0
        while place < len(words) and words[place].startswith("-") and words[place] not in {"-", "--"}:
            place += 2 if words[place] in valued else 1
        return min(place, len(words))


def register(app: typer.Typer) -> None:
    """Add the command."""
    settings = {"allow_interspersed_args": False}
    app.command("exec", cls=_NameFirst, epilog=EXAMPLES, context_settings=settings)(execute)


def execute(  # noqa: PLR0913, PLR0917 - the options are fixed; each is one parameter
    name: Annotated[str, typer.Argument(metavar="NAME", autocompletion=complete.sandboxes)],
    command: Annotated[list[str] | None, typer.Argument(metavar="CMD", hidden=True)] = None,
    env: Env = None,
    timeout: Timeout = None,
    memory: Annotated[list[str] | None, typer.Option("--memory", metavar="SIZE", hidden=True)] = None,
    pids: Annotated[list[str] | None, typer.Option("--pids", metavar="N", hidden=True)] = None,
    output: Output = None,
    cwd: Annotated[str, typer.Option("--cwd", metavar="D", help="Start in this directory inside.")] = "",
    json: Json = False,
) -> int:
    """Run CMD in the sandbox NAME; without CMD, on a terminal, a shell."""
    options = {"env": env, "timeout": timeout, "memory": memory, "pids": pids, "output": output}
    given = {option: values for option, values in options.items() if values}
    return join(name, given, command or (), cwd=cwd, as_json=json)


def join(
    name: str, given: Mapping[str, list[str]], words: Sequence[str], *, cwd: str = "", as_json: bool = False
) -> int:
    """Run a command in a sandbox that is there, and give its exit code; raises AisbxErrors."""
    request = to_request(given, words, directory())
    terminal = os.isatty(0) and os.isatty(1) and not as_json
    if not words and not terminal:
        raise UsageError(
            "no command was given", hint=f"aisbx exec {name} [OPTIONS] -- CMD...; a shell needs a terminal"
        )
    if cwd and not cwd.startswith("/"):
        raise UsageError(f"--cwd: {cwd!r} is not absolute", hint="name a directory inside, such as /tmp")
    limits = request.limits
    stdio = Stdio(0, 1, 2, terminal=terminal)
    if as_json:
        stdio = Stdio(0, capture=int(limits["output"])) if "output" in limits else Stdio(0)
    command = Command(
        argv=request.command or ("/bin/sh",), environment=request.environment, cwd=cwd or None, limits=limits
    )
    outcome = engine().sandboxes.execute(name, command, principal(), stdio, "cli")
    if as_json:
        emit_json(outcome.as_record())
    for line in told(outcome.status) if not as_json else ():
        say(line)
    return outcome.status.code
