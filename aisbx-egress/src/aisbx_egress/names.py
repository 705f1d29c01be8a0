"""One spelling for each destination: what a rule, a request, a handshake and the resolver are to mean by a name.

ASCII only, as on the wire (RFC 1123, RFC 5890): an international name is written in its `xn--` form, so that nobody has
to decide which of two alike characters was meant. An address has one form: that of RFC 5952, or four numbers.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

Address = IPv4Address | IPv6Address

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_LONGEST = 253
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_LAST_PORT = 65535


class NameProblem(ValueError):  # noqa: N818 - it is what is wrong with a name, told to whoever sent it
    """What is no host, or could be read as more than one."""


def host(text: str) -> str:
    """Give a host's one spelling: a name in lower case without a final dot, or an address.

    NameProblem for all else: other characters (NUL, CR, LF, `@`, `%`, `/`), an empty label, what some parsers take for
    an IPv4 address (`2130706433`, `0x7f.1`, `127.1`, `0177.0.0.1`; WHATWG URL, "ends in a number").
    """
    if text.startswith("[") and text.endswith("]") and ":" in text:
        text = text[1:-1]
    found = address(text)
    if found is not None:
        return str(found)
    name = text.lower() if text.isascii() else text
    name = name.removesuffix(".")
    labels = name.split(".")
    if len(name) > _LONGEST or not all(_LABEL.fullmatch(label) for label in labels):
        raise NameProblem(f"{shown(text)} is not a host name")
    if _NUMBER.fullmatch(labels[-1]):
        raise NameProblem(f"{shown(text)} is a number that could be read as an address")
    return name


def address(text: str) -> Address | None:
    """Give the address that a text spells, None where it spells none. IPv4 in IPv6 (`::ffff:127.0.0.1`) is IPv4."""
    if "%" in text:
        raise NameProblem(f"{shown(text)} names an interface")
    try:
        found = ip_address(text)
    except ValueError:
        if ":" in text:
            raise NameProblem(f"{shown(text)} is not an address") from None
        return None
    return plain(found)


def plain(found: Address) -> Address:
    """Give the IPv4 address for one that is mapped into IPv6 (RFC 4291, 2.5.5.2), any other as it is."""
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def port(text: str) -> int:
    """Give a port from 1 to 65535; NameProblem for anything but its decimal digits."""
    if not _PORT.fullmatch(text) or int(text) > _LAST_PORT:
        raise NameProblem(f"{shown(text)} is not a port")
    return int(text)


def authority(text: str, default: int = 0) -> tuple[str, int]:
    """Give host and port of `HOST[:PORT]`; NameProblem where it is none, or has no port and there is no default."""
    if text.startswith("["):
        inside, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise NameProblem(f"{shown(text)} is not HOST:PORT")
        if ":" not in inside:
            raise NameProblem(f"{shown(text)} has brackets around what is no IPv6 address")
        return host(inside), port(rest[1:]) if rest else _given(default, text)
    if text.count(":") > 1:
        raise NameProblem(f"{shown(text)} is not HOST:PORT; write an IPv6 address in brackets")
    name, colon, number = text.partition(":")
    return host(name), port(number) if colon else _given(default, text)


def _given(default: int, text: str) -> int:
    if not default:
        raise NameProblem(f"{shown(text)} has no port")
    return default


def shown(text: str) -> str:
    """Give a text as it can be printed and logged: escaped, and not longer than a name can be."""
    return ascii(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
