"""`aisbx exec`: a command in a sandbox that lasts."""

from collections.abc import Sequence
from typing import Annotated

import typer
from typer.core import TyperCommand

from aisbx.cli import complete
from aisbx.cli.join import join, leave
from aisbx.cli.options import Json
from aisbx.cli.request_options import Env, Memory, Output, Pids, Secret, Timeout
from aisbx.errors import UsageError

EXAMPLES = """\b
Examples:
  aisbx exec work -- pytest -q
  aisbx exec work                                 a shell in it
  aisbx exec work -t 30s -e MODE=test --cwd /tmp -- ./check
  aisbx exec work --memory 500M -- make           it alone, within what the sandbox has
  aisbx exec work -d -- python3 -m http.server    goes on by itself; see ps, logs, attach, kill
"""


class _NameFirst(TyperCommand):
    """Takes `[OPTIONS] NAME [OPTIONS] [--] CMD...`: what stands behind the command is the command's own."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        first = self._options_end(args)
        if args[first:] and args[first] != "--":
            name, *rest = args[first:]
            place = self._options_end(rest)
            command = rest[place + 1 :] if rest[place : place + 1] == ["--"] else rest[place:]
            args = [*args[:first], *rest[:place], "--", name, *command]
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
    secret: Secret = None,
    timeout: Timeout = None,
    memory: Memory = None,
    pids: Pids = None,
    output: Output = None,
    cwd: Annotated[str, typer.Option("--cwd", metavar="D", help="Start in this directory inside.")] = "",
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Leave it running; prints its id.")] = False,
    interactive: Annotated[bool, typer.Option("--interactive", "-i", help="With -d: keep its input open.")] = False,
    tty: Annotated[bool, typer.Option("--tty", help="With -d: give it a terminal.")] = False,
    json: Json = False,
) -> int:
    """Run CMD in the sandbox NAME; without CMD, on a terminal, a shell."""
    options = {"env": env, "secret": secret, "timeout": timeout, "memory": memory, "pids": pids, "output": output}
    given = {option: values for option, values in options.items() if values}
    if cwd:
        given["cwd"] = [cwd]
    if detach:
        return leave(name, given, command or (), terminal=tty, stdin=interactive, as_json=json)
    if interactive or tty:
        option = "--tty" if tty else "--interactive"
        raise UsageError(f"{option} is for --detach", hint="a command on a terminal has one by itself")
    return join(name, given, command or (), as_json=json)
