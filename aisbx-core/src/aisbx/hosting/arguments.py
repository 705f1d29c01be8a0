"""What hosts read alike from their command lines."""

import argparse
import os
import sys
from typing import NoReturn

from aisbx.errors import UsageError

_LARGEST = (1 << 16) - 1


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, as every command of aisbx does."""

    def error(self, message: str) -> NoReturn:
        """Say it, and end with the exit code of a refusal."""
        sys.stderr.write(f"{self.prog}: usage: {message}; hint: see {self.prog} --help\n")
        sys.exit(UsageError.exit_code)


def number(text: str) -> int:
    """Give a number from 0 to 65535, a port among others; argparse says what is none."""
    if not (text.isascii() and text.isdigit() and int(text) <= _LARGEST):
        raise argparse.ArgumentTypeError(f"{text!r} is no number up to {_LARGEST}")
    return int(text)


def seconds(text: str) -> float:
    """Give the seconds of a duration such as `30m`; argparse says what is none."""
    from aisbx.units import parse_duration

    try:
        return parse_duration(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(error.message) from error


def workspace(value: str | None) -> tuple[str | None, str | None]:
    """Give the real path and the mode of `DIR[:MODE]`, None for what was not said; UsageError for no directory."""
    from aisbx.cli.request import parse_workspace  # a host begins without it

    if value is None:
        return None, None
    asked = parse_workspace(value)
    if not os.path.isdir(asked.path):
        raise UsageError(f"--workspace: {asked.path} is no directory", hint="name one that is there")
    return os.path.realpath(asked.path), asked.mode.value if asked.mode else None
