"""A question to the resolver, and what it is answered (RFC 1035): one name, and an address for those that are allowed.

No record of anywhere else comes in here, so there is nothing to be poisoned and nothing to be carried out with.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address

A, PTR, ANY = 1, 12, 255
NO_ERROR, MALFORMED, FAILED, NO_SUCH_NAME, NOT_DONE = 0, 1, 2, 3, 4
_INTERNET = 1
_HEAD, _FIXED = 12, 4
_RESPONSE, _OPERATION, _RECURSION_WANTED, _RECURSION_THERE = 0x8000, 0x7800, 0x0100, 0x0080
_KEPT = 30
"""Seconds that an answer may be used again."""
_POINTER = 0xC000 | _HEAD
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class Question:
    """`name` as it was asked for, not looked at yet; `kind` is the type of record; `raw` its bytes."""

    number: int
    flags: int
    name: str
    kind: int
    raw: bytes


def answered(message: bytes, know: Callable[[Question], tuple[int, IPv4Address | str | None]]) -> bytes:
    """Give the answer to a message, empty where it deserves none; `know` gives a code, and an address or a name."""
    if len(message) < _HEAD:
        return b""
    number, flags, count = (int.from_bytes(message[at : at + 2]) for at in (0, 2, 4))
    if flags & _RESPONSE:
        return b""
    if flags & _OPERATION or count != 1:
        return _head(number, flags, NOT_DONE if flags & _OPERATION else MALFORMED, 0, 0)
    found = _question(message, number, flags)
    if found is None:
        return _head(number, flags, MALFORMED, 0, 0)
    code, record = know(found)
    data = _record(record) if code == NO_ERROR else b""
    return _head(number, flags, code, 1, 1 if data else 0) + found.raw + data


def _question(message: bytes, number: int, flags: int) -> Question | None:
    at, labels = _HEAD, list[bytes]()
    while True:
        size = message[at] if at < len(message) else 64
        if size > 63 or at > _HEAD + _LONGEST:  # noqa: PLR2004 - longer ones point somewhere (4.1.4), or are none
            return None
        at += 1
        if not size:
            break
        labels.append(message[at : at + size])
        at += size
    kind, group = (int.from_bytes(message[at + more : at + more + 2]) for more in (0, 2))
    if len(message) < at + _FIXED or group != _INTERNET or any(b"." in label for label in labels):
        return None
    return Question(number, flags, b".".join(labels).decode("latin-1"), kind, message[_HEAD : at + _FIXED])


def _head(number: int, flags: int, code: int, questions: int, answers: int) -> bytes:
    told = _RESPONSE | (flags & (_OPERATION | _RECURSION_WANTED)) | _RECURSION_THERE | code
    return b"".join(value.to_bytes(2) for value in (number, told, questions, answers, 0, 0))


def _record(found: IPv4Address | str | None) -> bytes:
    if found is None:
        return b""
    if isinstance(found, IPv4Address):
        kind, data = A, found.packed
    else:
        kind, data = PTR, b"".join(len(label).to_bytes() + label.encode() for label in found.split(".")) + b"\0"
    fields = _POINTER.to_bytes(2) + kind.to_bytes(2) + _INTERNET.to_bytes(2) + _KEPT.to_bytes(4)
    return fields + len(data).to_bytes(2) + data
