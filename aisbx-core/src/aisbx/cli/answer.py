"""What a person or a program is told when a command ends, and its exit code: decided here and nowhere else.

Without typer, which costs a run that has no plan more than the sandbox does.
"""

import os
import sys
from collections.abc import Callable

from aisbx.cli.render import report
from aisbx.errors import AisbxError

SIGINT, SIGPIPE = 2, 13


def answer(work: Callable[[], int], *, as_json: Callable[[], bool]) -> int:
    """Do the work and give the exit code; whatever goes wrong is told in one line, or as one object if `as_json`."""
    _settle_streams()
    # pydantic would import whatever is installed under its own entry points, past `plugins.allow`.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    try:
        code = _attempt(work, as_json)
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


def _attempt(work: Callable[[], int], as_json: Callable[[], bool]) -> int:
    try:
        return work()
    except AisbxError as error:
        problem = error
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the user gets a line and 125, not a traceback
        sys.stdout.flush()  # fails again if stdout was the trouble; `answer` knows about that
        problem = _unexpected(error)
    if os.environ.get("AISBX_DEBUG") == "1" and problem.code != "internal":
        import traceback

        traceback.print_exception(problem)
    return report(problem, as_json=as_json())


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
