"""Rules, and which of them decides.

    HOST[:PORT] [METHOD[|METHOD…]] [/PATH[*]]        allows
    deny HOST[:PORT] [METHOD[|METHOD…]] [/PATH[*]]   refuses

`HOST` is a name, an address, or `*.DOMAIN`: every name below DOMAIN at any depth, not DOMAIN itself. Without a port
every port is meant, without a method every method, without a path every path; a path that ends in `*` covers what
begins so.

In this order:

1. A `deny` that fits refuses. In a tunnel neither method nor path can be seen: there it fits by host and port alone.
2. Of the allowing rules that fit by host and port, the most specific decide: a name before `*.DOMAIN`, a longer DOMAIN
   before a shorter one, then a port before none. Others are not looked at: `api.example:80 GET` narrows `*.example`.
3. One of those must fit by method and path. Where all of them ask for a method or a path, a tunnel is refused.
4. Nothing else is allowed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from aisbx_egress import names

_METHOD = re.compile(r"[A-Z]{1,20}", re.ASCII)
_PATH = re.compile(r"/[!-)+-~]*\*?", re.ASCII)
_AMBIGUOUS = re.compile(r"%(?:2e|2f|5c|25|00)|\\|;|//|(?:^|/)\.{1,2}(?:/|$)", re.ASCII | re.IGNORECASE)
_ENCODED = re.compile(r"%(2[1-9a-f]|[3-6][0-9a-f]|7[0-9a-e])", re.ASCII | re.IGNORECASE)
_WORDS = 3
COMMON = (22, 80, 443)
"""Ports that programs reach by themselves, without the proxy, where a rule names none: of SSH, HTTP and HTTPS."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`host` begins with a dot for every name below it; port 0, no methods and no path mean all of them."""

    id: str
    host: str
    port: int = 0
    methods: frozenset[str] = frozenset()
    path: str = ""
    denies: bool = False

    @property
    def opaque(self) -> bool:
        """Whether it asks for nothing that a tunnel hides."""
        return not self.methods and not self.path

    def covers(self, host: str, port: int) -> bool:
        """Tell whether it is about a destination; `host` as `names.host` gives it."""
        fits = host == self.host or (self.host.startswith(".") and host.endswith(self.host))
        return fits and self.port in {0, port}

    def fits(self, request: "Request") -> bool:
        """Tell whether it fits a request by method and path: one that denies in any reading, one that allows in all."""
        if self.methods and request.method not in self.methods:
            return False
        if not self.path:
            return True
        path = request.path.partition("?")[0]
        if self.denies:  # some servers take a letter for the other
            return any(_within(each.lower(), self.path.lower()) for each in (path, _decoded(path)))
        return all(_within(each, self.path) for each in (path, _decoded(path)))


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: `method` and `path` are empty for a tunnel.

    `otherwise` is the name of a field by which some servers take it for a request of another method or path.
    """

    host: str
    port: int
    method: str = ""
    path: str = ""
    otherwise: str = ""

    @property
    def tunnel(self) -> bool:
        """Whether what is said to the server will not be seen."""
        return not self.method


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request is allowed, the id of the rule that says so (empty: none does), and why not."""

    allowed: bool
    rule: str = ""
    reason: str = ""
    hidden: bool = False
    """It may be allowed for what a tunnel hides."""


@dataclass(frozen=True, slots=True)
class Rules:
    """A list of rules; their order means nothing."""

    rows: tuple[Rule, ...] = field(default_factory=tuple[Rule, ...])

    def decide(self, request: Request) -> Decision:
        """Decide on a request, as this module's text says."""
        about = [rule for rule in self.rows if rule.covers(request.host, request.port)]
        unclear = not request.tunnel and ambiguous(request.path.partition("?")[0])
        for rule in about:
            if rule.denies and (request.tunnel or rule.fits(request) or (unclear and rule.path)):
                return Decision(allowed=False, rule=rule.id, reason="a rule denies it")
        allowing = [rule for rule in about if not rule.denies]
        if not allowing:
            return Decision(allowed=False, reason="no rule allows it")
        if request.otherwise and (asking := next((rule for rule in about if not rule.opaque), None)):
            reason = f"the field {request.otherwise} asks for another method or path"
            return Decision(allowed=False, rule=asking.id, reason=reason)
        return self._among(allowing, request, unclear=unclear)

    def _among(self, allowing: list[Rule], request: Request, *, unclear: bool) -> Decision:
        """Decide by those that allow and are about a request's host and port."""
        most = max(_specificity(rule) for rule in allowing)
        deciding = [rule for rule in allowing if _specificity(rule) == most]
        for rule in deciding:
            if rule.opaque:
                return Decision(allowed=True, rule=rule.id)
        if request.tunnel:
            reason = "it is allowed for some requests only, which cannot be seen in a tunnel"
            return Decision(allowed=False, rule=deciding[0].id, reason=reason, hidden=True)
        for rule in sorted(deciding, key=lambda rule: (-len(rule.path), rule.id)):
            if rule.fits(request) and not (unclear and rule.path):
                return Decision(allowed=True, rule=rule.id)
        reason = "its path can be read in two ways" if unclear else "it is allowed for other methods or paths only"
        return Decision(allowed=False, rule=deciding[0].id, reason=reason)

    def ports(self, host: str) -> tuple[int, ...]:
        """Give the ports on which a name may be reached; of a rule without one, the `COMMON` ones."""
        about = [rule for rule in self.rows if rule.covers(host, rule.port)]
        found = {port for rule in about if not rule.denies for port in ((rule.port,) if rule.port else COMMON)}
        denied = [rule for rule in about if rule.denies and rule.opaque]
        return tuple(sorted(port for port in found if not any(rule.covers(host, port) for rule in denied)))

    def names_address(self, address: str, port: int) -> str:
        """Give the id of the rule that names an address itself, empty where none does."""
        for rule in self.rows:
            if not rule.denies and rule.host == address and rule.port in {0, port} and rule.opaque:
                return rule.id
        return ""

    def denies_address(self, address: str, port: int) -> str:
        """Give the id of the rule that denies an address, however it was come by; empty where none does."""
        return next((rule.id for rule in self.rows if rule.denies and rule.covers(address, port)), "")


def _within(path: str, wanted: str) -> bool:
    return path.startswith(wanted[:-1]) if wanted.endswith("*") else path == wanted


def _decoded(path: str) -> str:
    """Give a path as servers read it: what is encoded without need stands for itself (RFC 3986, 6.2.2.2)."""
    return _ENCODED.sub(lambda found: chr(int(found[1], 16)), path)


def ambiguous(path: str) -> bool:
    """Tell whether two servers could take a path for two."""
    return _AMBIGUOUS.search(path) is not None


def _specificity(rule: Rule) -> tuple[int, int, int]:
    wild = rule.host.startswith(".")
    return (0 if wild else 1, len(rule.host) if wild else 0, 1 if rule.port else 0)


def parse(text: str, identity: str = "") -> Rule:
    """Read a rule; its id is its text, in one spelling, unless another is given. ValueError for what is none."""
    words = text.split(" ")
    denies = words[0] == "deny"
    words = words[1:] if denies else words
    if not 1 <= len(words) <= _WORDS or not all(words):
        raise ValueError(f"{names.shown(text)} is not [deny ]HOST[:PORT][ METHOD|…][ /PATH]")
    host, port = _place(words[0], text)
    methods, path = "", ""
    for word in words[1:]:
        if word.startswith("/") and not path:
            path = word
        elif not methods and not path:
            methods = word
        else:
            raise ValueError(f"{names.shown(text)}: methods come before the path, each once")
    several = frozenset(methods.split("|")) if methods else frozenset[str]()
    if not all(_METHOD.fullmatch(method) for method in several):
        raise ValueError(f"{names.shown(text)}: a method is written in capital letters")
    if path and (
        not _PATH.fullmatch(path) or _AMBIGUOUS.search(path) or _ENCODED.search(path) or "?" in path or "#" in path
    ):
        raise ValueError(f"{names.shown(text)}: {names.shown(path)} is not a plain path")
    rule = Rule("", host, port, several, path, denies)
    return Rule(identity or spelled(rule), host, port, several, path, denies)


def _place(word: str, text: str) -> tuple[str, int]:
    wild = word.startswith("*.")
    word = word[2:] if wild else word
    try:
        if names_ipv6(word):
            return names.host(word), 0
        if ":" in word:
            host, port = names.authority(word)
        else:
            host, port = names.host(word), 0
    except names.NameProblem as problem:
        raise ValueError(f"{names.shown(text)}: {problem}") from None
    if wild and names.address(host) is not None:
        raise ValueError(f"{names.shown(text)}: nothing is below an address")
    return (f".{host}" if wild else host), port


def names_ipv6(word: str) -> bool:
    """Tell whether a rule's first word is an IPv6 address without a port, with brackets or without."""
    return (word.startswith("[") and word.endswith("]")) or (not word.startswith("[") and word.count(":") > 1)


def spelled(rule: Rule) -> str:
    """Give a rule's one spelling, which `parse` reads back."""
    host = f"*{rule.host}" if rule.host.startswith(".") else rule.host
    host = f"[{host}]" if ":" in host and rule.port else host
    place = f"{host}:{rule.port}" if rule.port else host
    return " ".join(word for word in ("deny" * rule.denies, place, "|".join(sorted(rule.methods)), rule.path) if word)


def compiled(texts: Iterable[str]) -> Rules:
    """Give the rules that texts spell; ValueError for one that is none."""
    return Rules(tuple(parse(text) for text in dict.fromkeys(texts)))
