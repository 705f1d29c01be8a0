"""What a helper is told and answers, as bytes: for one in Python and one in C (`native/helper.c`) alike.

Numbers have eight bytes, little-endian; each text its size before it and a NUL behind it (`native/plan_read.h`).
Imports nothing: a helper reads requests where what can be imported is the sandbox's.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aisbx_linux.lasting.identity import Held

    Answer = tuple[int, str] | tuple[int, float, float, int]
    """Why nothing was started (errno, 0 where it did not come to that; text), or status of wait4(2), seconds in user
    and in system mode, and KiB at most of what has ended."""

JOINED = b"."
"""What a helper says once it has joined; else `!` and why not."""
MOST = 1 << 26
"""Bytes of a message."""
_WORD = 8
_ENDED, _REFUSED = 0, 1
_REFUSAL = 2  # (errno, text)
_NUMBERS = 5 * _WORD
_MICRO = 1_000_000
_ALL = (1 << 64) - 1


def number(value: int) -> bytes:
    """Give a number as it is written; negative ones in two's complement."""
    return (value & _ALL).to_bytes(_WORD, "little")


def text(value: bytes) -> bytes:
    """Give bytes as they are written."""
    return len(value).to_bytes(_WORD, "little") + value + b"\0"


def texts(values: "Iterable[str]") -> bytes:
    """Give strings as they are written, behind their number."""
    told: list[bytes] = []
    for value in values:
        data = value.encode("utf-8", "surrogateescape")
        told += (len(data).to_bytes(_WORD, "little"), data, b"\0")
    return (len(told) // 3).to_bytes(_WORD, "little") + b"".join(told)


def joining(held: "Held") -> bytes:
    """Tell what there is to join."""
    plan = held["plan"]
    told = b"".join(map(number, (*held["first"], *held["who"]))) + texts(held["groups"])
    told += number(len(plan["rlimits"])) + b"".join(number(value) for row in plan["rlimits"] for value in row)
    return told + text(plan["filter"])


def request(argv: "Sequence[str]", around: "tuple[bytes, bytes]") -> bytes:
    """Tell of a command, with what `surroundings` gave; ValueError, with what to say, where it is none."""
    if "\0" in "".join(argv):
        msg = "a command that cannot be started: embedded null byte"
        raise ValueError(msg)
    return around[0] + texts(argv) + around[1]


def surroundings(environment: "Mapping[str, str]", cwd: str) -> "tuple[bytes, bytes]":
    """Tell of the variables and the directory of commands; ValueError, with what to say, where none can have them."""
    if "\0" in cwd:
        msg = f"{cwd!r}: embedded null byte: no such directory to start in"
        raise ValueError(msg)
    variables = [f"{name}={value}" for name, value in environment.items()]
    if "\0" in "".join(variables) or any(not name or "=" in name for name in environment):
        msg = "a command that cannot be started: illegal environment variable"
        raise ValueError(msg)
    return text(cwd.encode("utf-8", "surrogateescape")), texts(variables)


def requested(data: bytes) -> "tuple[list[str], dict[str, str], str]":
    """Give argv, variables and directory of what `request` told."""
    place = 0

    def count() -> int:
        nonlocal place
        place += _WORD
        return int.from_bytes(data[place - _WORD : place], "little")

    def word() -> str:
        nonlocal place
        size = count()
        place += size + 1
        return data[place - size - 1 : place - 1].decode("utf-8", "surrogateescape")

    cwd = word()
    argv = [word() for _ in range(count())]
    variables = [word().partition("=") for _ in range(count())]
    return argv, {name: value for name, _, value in variables}, cwd


def answer(told: "Answer") -> bytes:
    """Tell what came of a command."""
    if len(told) == _REFUSAL:
        numbers, more = (_REFUSED, told[0], 0, 0, 0), told[1].encode("utf-8", "replace")[:500]
    else:
        status, user, system, peak = told
        numbers, more = (_ENDED, status, round(user * _MICRO), round(system * _MICRO), peak), b""
    return b"".join(map(number, numbers)) + more


def answered(data: bytes) -> "Answer":
    """Give what `answer` told."""
    kind, status, user, system, peak = memoryview(data[:_NUMBERS]).cast("q")
    if kind == _REFUSED:
        return status, data[_NUMBERS:].decode("utf-8", "replace")
    return status, user / _MICRO, system / _MICRO, peak
