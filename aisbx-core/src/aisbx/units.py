"""Amounts as people write them: `30s`, `1h30m`, `512M`, `1.5G`, `0.5`. Pure, and without `re`, which costs 5 ms.

Every function refuses what is not a finite, positive amount: a zero or a NaN that slipped through
as a limit would mean "no limit" further down.
"""

from collections.abc import Mapping

from aisbx.errors import UsageError

LONGEST = 32
"""Characters of an amount; more digits than this are a mistake, or an attack on the number parser."""

MAX_BYTES = 2**63 - 1
"""The largest value of `loff_t` and of a cgroup's limit (int64)."""

MAX_SECONDS = 100 * 365 * 86400.0
"""A century; beyond it timers of 32-bit milliseconds and `struct timespec` arithmetic overflow."""

MAX_TASKS = 4_194_304
"""PID_MAX_LIMIT of 64-bit Linux (include/linux/threads.h)."""

MAX_CORES = 65_536.0

_SECONDS: Mapping[str, float] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
# Powers of 1024 throughout, as in Docker, systemd and ulimit: a limit of `512M` is what the kernel calls 512 MiB.
_BYTES: Mapping[str, int] = {"": 1, "b": 1} | {
    letter + tail: 1024**power for power, letter in enumerate("kmgt", start=1) for tail in ("", "b", "i", "ib")
}


def parse_duration(text: str, *, name: str = "") -> float:
    """Give seconds for `30s`, `5m`, `1h30m`, `500ms`, `1d` or a plain number of seconds.

    `name` (an option or a key) begins the message of the UsageError that anything else raises.
    """
    hint = "write 30, 30s, 5m or 1h30m"
    seconds = 0.0
    last = MAX_SECONDS
    rest = _clean(text, name, hint).lower()
    if _is_number(rest):
        seconds, rest = float(rest), ""
    while rest:
        digits, unit, rest = _split(rest)
        factor = _SECONDS.get(unit)
        # Units come from large to small, each once: `30m1h` and `1h1h` are typing errors.
        if factor is None or factor >= last or not _is_number(digits):
            raise _bad(text, name, "is not a duration", hint)
        seconds, last = seconds + float(digits) * factor, factor
    return _within(seconds, MAX_SECONDS, text, name, hint)


def parse_size(text: str, *, name: str = "") -> int:
    """Give bytes for `512M`, `1.5G`, `64KiB` or a plain number of bytes; K, M, G, T are powers of 1024."""
    hint = "write bytes, or 64K, 512M, 1.5G"
    digits, unit, rest = _split(_clean(text, name, hint).lower())
    factor = _BYTES.get(unit)
    if rest or factor is None or not _is_number(digits):
        raise _bad(text, name, "is not a size", hint)
    # Whole numbers stay whole: a float has 53 bits, a size may have 63.
    amount = float(digits) * factor if "." in digits else int(digits) * factor
    return int(_within(amount, MAX_BYTES, text, name, hint, least=1))


def parse_count(text: str, *, name: str = "") -> int:
    """Give a whole number of tasks, 1 or more."""
    hint = "write a whole number, 1 or more"
    digits = _clean(text, name, hint)
    if "." in digits or not _is_number(digits):
        raise _bad(text, name, "is not a whole number", hint)
    return int(_within(int(digits), MAX_TASKS, text, name, hint))


def parse_cores(text: str, *, name: str = "") -> float:
    """Give a number of processor cores, such as `2` or `0.5`."""
    hint = "write a number of cores such as 2 or 0.5"
    digits = _clean(text, name, hint)
    if not _is_number(digits):
        raise _bad(text, name, "is not a number", hint)
    return _within(float(digits), MAX_CORES, text, name, hint)


def format_size(amount: float) -> str:
    """Write bytes for people: `512M`, `1.5G`, `100` (bytes)."""
    for power, letter in ((4, "T"), (3, "G"), (2, "M"), (1, "K")):
        if amount >= 1024**power:
            return f"{_trim(amount / 1024**power)}{letter}"
    return _trim(amount)


def format_duration(seconds: float) -> str:
    """Write seconds for people: `0.25s`, `30s`, `1h30m`."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{_trim(seconds)}s"
    whole = round(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        amount, whole = divmod(whole, size)
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts)


def _clean(text: str, name: str, hint: str) -> str:
    if not text or len(text) > LONGEST:
        raise _bad(text, name, "is too long" if text else "is empty", hint)
    return text


def _split(text: str) -> tuple[str, str, str]:
    """Take one number and the letters behind it off the front: `1h30m` → 1, h, 30m."""
    digits = _while(text, "0123456789.")
    unit = _while(text[len(digits) :], "abcdefghijklmnopqrstuvwxyz")
    return digits, unit, text[len(digits) + len(unit) :]


def _while(text: str, allowed: str) -> str:
    for position, character in enumerate(text):
        if character not in allowed:
            return text[:position]
    return text


def _is_number(digits: str) -> bool:
    # Not `str.isdigit` or `float`: they also take other scripts' digits, `1_000`, `1e9`, `nan` and blanks.
    whole, point, fraction = digits.partition(".")
    return bool(whole) and bool(fraction or not point) and all(c in "0123456789" for c in whole + fraction)


def _within(amount: float, most: float, text: str, name: str, hint: str, *, least: float = 0.0) -> float:
    if amount <= 0 or amount < least:
        raise _bad(text, name, "is not more than zero", hint)
    if amount > most:
        raise _bad(text, name, "is too large", hint)
    return amount


def _trim(amount: float) -> str:
    return f"{amount:.2f}".rstrip("0").rstrip(".")


def _bad(text: str, name: str, what: str, hint: str) -> UsageError:
    shown = f"{text[:LONGEST]!r}" if text else "the amount"
    return UsageError(": ".join(part for part in (name, f"{shown} {what}") if part), hint=hint)
