"""The full command line: the typer application and its one entry, `main(argv) -> exit code`.

Commands return their exit code (None is 0) and raise `AisbxError` for what goes wrong; what a person or a
program is told then, and the exit code, is decided here and nowhere else.
"""

import os
import sys
from collections.abc import Sequence

import typer

from aisbx import __version__
from aisbx.cli import audit, config, doctor, init, logs, plugin, profile, run
from aisbx.cli.extra import mount
from aisbx.cli.groups import show_help
from aisbx.cli.options import wants_json
from aisbx.cli.render import one_line, report
from aisbx.errors import AisbxError, UsageError

COMPLETE = "_AISBX_COMPLETE"
"""Set by the shell's completion script; the words are then in the environment, not in argv."""

SIGINT, SIGPIPE = 2, 13

EXAMPLES = """\b
Examples:
  aisbx run -p python-dev python script.py   run a script, confined to this directory
  aisbx run                                  a shell in the sandbox
  aisbx doctor                               what works on this machine, and what to do about the rest
"""


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
    for group in (run, init, profile, plugin, config, doctor, audit, logs):
        group.register(app)
    mount(app, arguments, everything=COMPLETE in os.environ)
    return app


def _version(asked: bool) -> None:
    if asked:
        print(f"aisbx {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", "-V", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Run commands in a sandbox: private, quiet, bounded."""
    del version  # its callback has answered already
    show_help(context)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit code; `argv` None is the process's own."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _settle_streams()
    try:
        code = _answer(arguments)
        sys.stdout.flush()
    except OSError as error:
        # Nothing may be flushed there at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):  # the reader has gone: `aisbx logs | head`
            return 128 + SIGPIPE
        return report(
            AisbxError(f"stdout cannot be written: {error.strerror}", hint="see where it goes"), as_json=False
        )
    except KeyboardInterrupt:
        return 128 + SIGINT
    return code


def _answer(arguments: list[str]) -> int:
    try:
        return _dispatch(arguments)
    except AisbxError as error:
        problem = error
    except typer.TyperException as error:
        problem = UsageError(one_line(error.format_message()).rstrip("."), hint=f"see: {_help_of(error)}")
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the user gets a line and 125, not a traceback
        sys.stdout.flush()  # fails again if stdout was the trouble; `main` knows about that
        problem = _unexpected(error)
    if os.environ.get("AISBX_DEBUG") == "1" and problem.code != "internal":
        import traceback

        traceback.print_exception(problem)
    return report(problem, as_json=wants_json(arguments))


def _dispatch(arguments: list[str]) -> int:
    command = typer.main.get_command(build(arguments))
    if COMPLETE in os.environ:
        command.main(args=[], prog_name="aisbx")
    try:
        # Not `command.main`: it decides on exit codes (1 for a closed pipe, 2 for wrong usage) that are not ours.
        with command.make_context("aisbx", arguments) as context:
            result: object = command.invoke(context)
    except typer.Exit as done:
        return done.exit_code
    return result if isinstance(result, int) else 0


def _help_of(error: typer.TyperException) -> str:
    context: object = getattr(error, "ctx", None)
    return f"{getattr(context, 'command_path', 'aisbx')} --help"


def _unexpected(error: Exception) -> AisbxError:
    """Turn a defect of ours into one line; the traceback is shown to who asks for it."""
    if os.environ.get("AISBX_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    problem = AisbxError(f"{type(error).__name__}: {error}", hint="set AISBX_DEBUG=1 to see where, and report it")
    problem.code = "internal"
    return problem


def _settle_streams() -> None:
    """Make the three standard descriptors exist, and no character unprintable.

    A closed one would be given to the next file that is opened, and the command's output would end up in there.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(number, "w", closefd=False))  # noqa: SIM115 - it lives as long as the process
        else:
            stream.reconfigure(errors="backslashreplace")
