"""Times as people write and read them."""

import time
from datetime import datetime

from aisbx.errors import UsageError
from aisbx.units import parse_duration


def parse_since(text: str, now: float) -> float:
    """Give seconds since the epoch for an age (`10m`) or a date (`2026-11-24T09:30`, local unless it says otherwise).

    Empty is the beginning of time.
    """
    if not text:
        return 0.0
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        pass
    try:
        return now - parse_duration(text)
    except UsageError as error:
        raise UsageError(
            f"--since: {text!r} is neither an age nor a date", hint="write 10m, 2h, 1d, or 2026-11-24T09:30"
        ) from error


def parse_tail(text: str) -> int | None:
    """Give the number of `--tail N`, None where it was not given."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):  # noqa: PLR2004 - a thousand million lines
        raise UsageError(f"--tail: {text!r} is not a whole number", hint="write the number of lines, such as 20")
    return int(text)


def local(seconds: float) -> str:
    """Write a time for people: local, to the second; `?` where it is no time at all."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):
        return "?"
