"""The chain of the audit log: an HMAC (RFC 2104, SHA-256) of each record and the one before. Next to no imports.

`hashlib` and `hmac` cost 3 ms; what they are made of is built into most Pythons.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:
        if sys.version_info >= (3, 12):
            from _sha2 import sha256
        else:
            from _sha256 import sha256
    except ImportError:  # a Python that leaves it to OpenSSL
        from hashlib import sha256

KEY_SIZE = 64
"""Bytes: one block of SHA-256."""
FRESH, ANEW = "0" * 64, "f" * 64
"""What the first record follows: nothing at all, or a log whose head or key had gone."""
_INNER, _OUTER = int.from_bytes(b"\x36" * KEY_SIZE, "big"), int.from_bytes(b"\x5c" * KEY_SIZE, "big")
_MAC, _END = ',"mac":"', '"}'
_DIGITS = 18
TAIL = len(_MAC) + 64 + len(_END)
"""Characters of a chained line from its MAC on."""

Pads = tuple[bytes, bytes]
"""A key as HMAC uses it."""
Head = tuple[int, int, int, int, str, str]
"""(records, bytes of the present file, its number, that of the oldest file, the MAC before that file, the last MAC).

Files are numbered from 1; the present one gets its number in its name when it is full."""


def digest(data: bytes) -> str:
    """Give the SHA-256 in hexadecimal."""
    return sha256(data).hexdigest()


def pads(key: bytes) -> Pads:
    """Make a key of KEY_SIZE bytes ready for use."""
    number = int.from_bytes(key, "big")
    return (number ^ _INNER).to_bytes(KEY_SIZE, "big"), (number ^ _OUTER).to_bytes(KEY_SIZE, "big")


def hmac(key: Pads, data: bytes) -> str:
    """Give the HMAC in hexadecimal."""
    return sha256(key[1] + sha256(key[0] + data).digest()).hexdigest()


def link(key: Pads, previous: str, body: bytes) -> str:
    """Give the MAC of a record that follows the one with the MAC `previous`; `body` is its line up to its own MAC."""
    return hmac(key, b"record " + previous.encode() + body)


def extend(key: Pads, head: Head, line: str, torn: int) -> "tuple[bytes, str]":
    """Give a record (an object, without a line feed) as it is written, and its MAC.

    `torn`: how many bytes stand before it that are no record.
    """
    told = f',"torn":{torn}' if torn else ""
    body = f'{line[:-1]}{told},"seq":{head[0] + 1}'
    mac = link(key, head[5], body.encode("ascii"))
    return f"{body}{_MAC}{mac}{_END}\n".encode("ascii"), mac


def split(line: bytes) -> "tuple[bytes, int, str] | None":
    """Give (body, seq, MAC) of a line without its line feed; None where it has no place in a chain."""
    body, tail = line[:-TAIL], line[-TAIL:]
    before, _, number = body.rpartition(b',"seq":')
    if not before or not number.isdigit() or len(number) > _DIGITS:
        return None
    if not tail.startswith(_MAC.encode()) or not tail.endswith(_END.encode()):
        return None
    return body, int(number), tail[len(_MAC) : -len(_END)].decode("ascii", "replace")


def pack(key: Pads, head: Head) -> bytes:
    """Give a head as it stands in its file: always HEAD_SIZE bytes, so that it is overwritten in one call."""
    text = b"%020d %020d %010d %010d %s %s" % (*head[:4], head[4].encode(), head[5].encode())
    return text + b" " + hmac(key, b"head " + text).encode() + b"\n"


HEAD_SIZE = len(pack((b"", b""), (0, 0, 1, 1, FRESH, FRESH)))


def unpack(key: Pads, data: bytes) -> "Head | None":
    """Read a head; None where it was not written with this key."""
    text, _, tag = data.rstrip(b"\n").rpartition(b" ")
    if len(data) != HEAD_SIZE or hmac(key, b"head " + text).encode() != tag:
        return None
    seq, size, number, first, base, mac = text.split(b" ")
    return int(seq), int(size), int(number), int(first), base.decode(), mac.decode()
