"""The full command line: the typer application and its one entry, `main(argv) -> exit code`.

Commands return their exit code (None is 0) and raise `AisbxError` for what goes wrong; `answer` tells it.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from aisbx import __version__
from aisbx.cli import session
from aisbx.cli.answer import answer
from aisbx.cli.extra import mount
from aisbx.cli.groups import show_help
from aisbx.cli.options import wants_json
from aisbx.cli.render import one_line
from aisbx.errors import UsageError

COMPLETE = "_AISBX_COMPLETE"
"""Set by the shell's completion script; the words are then in the environment, not in argv."""

COMMANDS = (
    "run",
    "create",
    "exec",
    "sandboxes",
    "review",
    "snapshot",
    "grant",
    "background",
    "cp",
    "init",
    "profile",
    "plugin",
    "config",
    "doctor",
    "audit",
    "monitor",
    "explain",
    "learn",
    "key",
    "logs",
    "cache",
)
"""Each the module in `aisbx.cli` that registers it, in the order of the overview."""

TOGETHER = {
    **dict.fromkeys(("ls", "inspect", "pause", "resume", "destroy", "prune"), "sandboxes"),
    **dict.fromkeys(("diff", "apply", "discard"), "review"),
    "fork": "snapshot",
    **dict.fromkeys(("ps", "kill", "attach", "input"), "background"),
}
"""The commands of modules that register several."""

REMOTE = "--remote"
_WHOLE: frozenset[str] = frozenset()
FAR = {
    **dict.fromkeys(("run", "create", "exec", "ls", "inspect", "pause", "resume", "destroy", "prune", "grant"), _WHOLE),
    **dict.fromkeys(("diff", "apply", "discard", "snapshot", "fork", "ps", "kill", "attach", "input", "logs"), _WHOLE),
    **dict.fromkeys(("cp", "key", "audit", "config", "doctor", "monitor", "explain"), _WHOLE),
    "profile": frozenset({"list", "show"}),
    "secret": frozenset({"list"}),
}
"""The commands that a supervisor can be asked for; of a group the words behind it, if not for all."""

EXAMPLES = """\b
Examples:
  aisbx run -p python-dev python script.py   run a script, confined to this directory
  aisbx run                                  a shell in the sandbox
  aisbx doctor                               what works on this machine, and what to do about the rest
"""
_OF_TYPER = ("--show-completion", "--install-completion")


def build(arguments: Sequence[str] = ()) -> typer.Typer:
    """Make the application: our commands, and of the plugins' those that this command line needs."""
    app = typer.Typer(
        name="aisbx",
        epilog=EXAMPLES,
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback(invoke_without_command=True)(_root)
    first = arguments[0] if arguments and COMPLETE not in os.environ else ""
    first = TOGETHER.get(first, first)
    for name in (first,) if first in COMMANDS else COMMANDS:  # the others' modules are not worth importing
        import_module(f"aisbx.cli.{name}").register(app)
    mount(app, arguments, everything=COMPLETE in os.environ)
    return app


def _version(asked: bool) -> None:
    if asked:
        print(f"aisbx {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", "-V", callback=_version, is_eager=True, help="Show the version."),
    remote: str = typer.Option(
        "", REMOTE, metavar="URL", help="Ask a supervisor: https://HOST:PORT, unix:PATH. First."
    ),
) -> None:
    """Run commands in a sandbox: private, quiet, bounded."""
    del version  # its callback has answered already
    if remote:
        raise UsageError("--remote stands before everything else", hint="aisbx --remote URL COMMAND ...")
    show_help(context)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit code; `argv` None is the process's own."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    session.remote.clear()
    return answer(lambda: _dispatch(_local(arguments)), as_json=lambda: wants_json(arguments))


def _local(arguments: list[str]) -> list[str]:
    """Give the words of a command line without the supervisor that it is for, which is remembered."""
    word = arguments[0] if arguments else ""
    if word != REMOTE and not word.startswith(f"{REMOTE}="):
        return arguments
    place, rest = (arguments[1:2], arguments[2:]) if word == REMOTE else ([word.partition("=")[2]], arguments[1:])
    if not place or not place[0]:
        raise UsageError("--remote: the address is missing", hint=f"write {REMOTE} https://HOST:PORT or unix:PATH")
    if near := _near(*rest[:2]):
        raise UsageError(f"aisbx {near} is about this machine", hint="leave out --remote, or run it over there")
    session.remote.append(place[0])
    return rest


def _near(first: str = "", second: str = "") -> str:
    """Give the command that a line begins with where no supervisor can be asked for it, nothing where one can."""
    if not first or first.startswith("-"):
        return ""
    if first not in FAR:
        known: dict[str, object] = getattr(typer.main.get_command(build([first])), "commands", {})
        return first if first in known else ""
    words = FAR[first]
    return f"{first} {second}" if words and second[:1] not in {"", "-"} and second not in words else ""


def _dispatch(arguments: list[str]) -> int:
    command = typer.main.get_command(build(arguments))
    if COMPLETE in os.environ:
        command.main(args=[], prog_name="aisbx")
    try:
        # Not `command.main`: it decides on exit codes (1 for a closed pipe, 2 for wrong usage) that are not ours.
        with command.make_context("aisbx", arguments) as context:
            result: object = command.invoke(context)
    except typer.Exit as done:
        # Typer says which shell it does not know, and ends with 1.
        return 125 if done.exit_code and arguments[0] in _OF_TYPER else done.exit_code
    except typer.TyperException as error:
        message = one_line(error.format_message()).rstrip(".")
        raise UsageError(message, hint=f"see: {_help_of(error)}") from error
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    return result if isinstance(result, int) else 0


def _help_of(error: typer.TyperException) -> str:
    context: object = getattr(error, "ctx", None)
    return f"{getattr(context, 'command_path', 'aisbx')} --help"
