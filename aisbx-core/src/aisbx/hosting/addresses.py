"""Whom a request says that it is for, and from what page it comes: what a browser was tricked into is neither."""

import ipaddress
from collections.abc import Sequence

from aisbx.errors import UsageError

DEFAULT_PORTS = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """Say whether an address, or `localhost`, is this machine's own."""
    try:
        return _address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def host_allowed(host: str, server: tuple[str, int], scheme: str, named: str, more: Sequence[str]) -> bool:
    """Say whether a Host header names this server.

    That is the address that the connection came in by, which no name can be made to stand for (DNS rebinding); the name
    that it was started with; `localhost` on a loopback address; and `more`, each with a port or for any.
    """
    try:
        name, port = split(host)
    except UsageError:
        return False
    if any(name == allowed and allowed_port in {None, port} for allowed, allowed_port in map(split, more)):
        return True
    if (port or DEFAULT_PORTS.get(scheme)) != server[1]:
        return False
    return name == named.lower() or (is_loopback(name) if is_loopback(server[0]) else _same(name, server[0]))


def split(text: str) -> tuple[str, int | None]:
    """Give name and port (None: it has none) of `name`, `name:80`, `[::1]:80`; UsageError for anything else."""
    name, colon, port = text.rpartition(":") if text[-1:] != "]" else (text, "", "")
    if not colon:
        name, port = text, ""
    bracketed = name.startswith("[") and name.endswith("]")
    inner = name[1:-1] if bracketed else name
    sound = inner and inner.isascii() and not set(inner) & set(" /\\@?#[]\t\r\n,") and (bracketed or ":" not in inner)
    if not sound or (colon and not (port.isascii() and port.isdigit() and len(port) <= 5)):  # noqa: PLR2004 - of 65535
        raise UsageError(f"{text!r} is no host", hint="write a name or an address, with :PORT or without")
    return inner.lower(), int(port) if port else None


def _same(one: str, other: str) -> bool:
    try:
        return _address(one) == _address(other)
    except ValueError:
        return False


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    found = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    return found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found
