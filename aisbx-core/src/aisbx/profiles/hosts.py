"""Network rules, `HOST[:PORT]`: which covers which, what two lists have in common.

A rule is a set of destinations. A host name covers itself, `*.example.org` every name below example.org; without
a port all ports are covered. Two rules either nest or have at most one rule in common, so that lists of rules form
a lattice: union up, intersection down, both reduced to the rules that no other one covers.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_LABEL = re.compile(r"^(?!-)[a-z0-9_-]{1,63}(?<!-)$")
_PORTS = range(1, 65536)


@dataclass(frozen=True, slots=True)
class Rule:
    """A host in lower case without a final dot, or a suffix such as `.example.org`; port 0 means every port."""

    host: str
    port: int = 0

    def __str__(self) -> str:
        host = f"*{self.host}" if self.host.startswith(".") else self.host
        host = f"[{host}]" if ":" in host and self.port else host
        return f"{host}:{self.port}" if self.port else host


def parse(text: str) -> Rule:
    """Read a rule; ValueError for what is not one (a scheme, a path, a bare `*`, a port that is none)."""
    host, port = text, ""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        if not port.startswith(":") and port:
            raise ValueError(f"{text!r} is not HOST[:PORT]")
        port = port[1:] if port else ""
        if text.endswith("]:"):
            raise ValueError(f"{text!r} has no port after the colon")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
        if not port:
            raise ValueError(f"{text!r} has no port after the colon")
    if port and not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) in _PORTS):  # noqa: PLR2004
        raise ValueError(f"{text!r} has no port from 1 to 65535")
    return Rule(_host(host, text), int(port or 0))


def _host(host: str, text: str) -> str:
    import ipaddress  # few rules name an address, and every profile comes here

    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    name = host.lower().removesuffix(".")
    suffix = name.startswith("*.")
    labels = (name[2:] if suffix else name).split(".")
    # A last label of digits is an IPv4 address to some parsers and a name to others (WHATWG URL, host parser).
    if not all(_LABEL.match(label) for label in labels) or len(name) > 253 or labels[-1].isdigit():  # noqa: PLR2004
        raise ValueError(f"{text!r} is not HOST[:PORT] or *.DOMAIN[:PORT]")
    return "." + ".".join(labels) if suffix else ".".join(labels)


def covers(wide: Rule, narrow: Rule) -> bool:
    """Tell whether every destination of `narrow` belongs to `wide`."""
    host = wide.host == narrow.host or (wide.host.startswith(".") and narrow.host.endswith(wide.host))
    return host and wide.port in {0, narrow.port}


def union(*lists: Iterable[str]) -> tuple[str, ...]:
    """Give the rules that cover what any of the lists covers, sorted."""
    return _reduced({parse(text) for rules in lists for text in rules})


def intersection(one: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    """Give the rules that cover what both lists cover, sorted; empty where they have nothing in common."""
    pairs = [(parse(a), parse(b)) for a in one for b in other]
    return _reduced({found for a, b in pairs if (found := common(a, b))})


def included(narrow: Iterable[str], wide: Iterable[str]) -> bool:
    """Tell whether everything that `narrow` covers is covered by `wide`."""
    rules = [parse(text) for text in wide]
    return all(any(covers(rule, parse(text)) for rule in rules) for text in narrow)


def common(a: Rule, b: Rule) -> Rule | None:
    """Give the rule for what both cover; None where that is nothing."""
    a_all, b_all = Rule(a.host), Rule(b.host)
    host = b.host if covers(a_all, b_all) else a.host if covers(b_all, a_all) else None
    if host is None or (a.port and b.port and a.port != b.port):
        return None
    return Rule(host, a.port or b.port)


def _reduced(rules: set[Rule]) -> tuple[str, ...]:
    kept = [rule for rule in rules if not any(other != rule and covers(other, rule) for other in rules)]
    return tuple(sorted(map(str, kept)))
