"""Which secrets a request may have, and the request with them."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from aisbx.types import Authority, Binding, ProxiedSecret

from aisbx_egress import rules
from aisbx_egress.authority import Issuer, made, upstream
from aisbx_egress.head import Head, HeadProblem
from aisbx_egress.redact import forms
from aisbx_egress.rules import Request, Rule

_HTTPS = 443
_BASIC = re.compile(rb"(basic) +([A-Za-z0-9+/]+={0,2})", re.IGNORECASE)
_LEFT_OUT = frozenset(b"accept-encoding range if-range".split())
"""What would have the answer compressed or in parts, where a secret could not be found."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A binding, read. `paths` without their final slash."""

    hosts: tuple[Rule, ...]
    methods: frozenset[str]
    paths: tuple[str, ...]

    def covers(self, host: str, port: int) -> bool:
        return any(rule.covers(host, port) for rule in self.hosts)

    def problem(self, request: Request) -> str:
        """Say why nothing is sent with this request; empty where it is."""
        if not self.covers(request.host, request.port):
            return "to this host"
        if self.methods and request.method not in self.methods:
            return f"with {request.method}"
        path = request.path.partition("?")[0]
        if self.paths and (rules.ambiguous(path) or not any(_below(path, start) for start in self.paths)):
            return "to this path"
        return ""


def _below(path: str, start: str) -> bool:
    return path == start or path.startswith(f"{start.removesuffix('/')}/")


def _hosts(binding: Binding) -> tuple[Rule, ...]:
    found = (rules.parse(text) for text in binding.hosts)
    return tuple(rule if rule.port else replace(rule, port=_HTTPS) for rule in found)


def authority(secrets: Sequence[ProxiedSecret]) -> Authority:
    """Make an authority for the hosts of these secrets."""
    return made(rule for secret in secrets for binding in secret.bindings for rule in _hosts(binding))


class Injector:
    """The secrets of one sandbox."""

    def __init__(self, secrets: Sequence[ProxiedSecret], authority: Authority, authorities: str = "") -> None:
        """Read them; `authorities` is a file with more of what servers are trusted by. OSError as `upstream`."""
        self.issuer = Issuer(authority)
        self.trust = upstream(authorities)
        self.hidden = tuple({form for secret in secrets for form in forms(secret.value)})
        self._rows = [
            (secret, secret.placeholder.encode(), [_place(binding) for binding in secret.bindings])
            for secret in secrets
        ]

    def terminates(self, request: Request) -> bool:
        """Tell whether requests to a place may have a secret, so that they have to be read."""
        return any(all(place.covers(request.host, request.port) for place in places) for _, _, places in self._rows)

    def holds(self, data: bytes) -> None:
        """HeadProblem for what holds a placeholder where none is put in."""
        for secret, placeholder, _ in self._rows:
            if placeholder in data or any(placeholder in _decoded(found[2]) for found in _BASIC.finditer(data)):
                raise HeadProblem(f"the secret {secret.name} is put in over TLS only, in a field of the head")

    def inject(self, head: Head, request: Request) -> tuple[Head, tuple[str, ...], tuple[bytes, ...]]:
        """Give the head with secrets in it, their names, and what is not to be seen in the answer because of it.

        HeadProblem where a placeholder is where its secret must not be.
        """
        fields: list[tuple[bytes, bytes]] = []
        used: dict[str, bool] = {}
        shown: list[bytes] = []
        target = head.target.encode()
        for key, value in head.fields:
            given = value
            basic = _BASIC.fullmatch(value) if key == b"authorization" else None
            plain = _decoded(basic[2]) if basic else value
            for secret, placeholder, places in self._rows:
                if placeholder in target or placeholder in key:
                    raise HeadProblem(f"the secret {secret.name} is put into fields of the head only")
                if placeholder not in plain and placeholder not in value:
                    continue
                _check(secret, key, request, places)
                plain = plain.replace(placeholder, secret.value)
                used[secret.name] = used.get(secret.name, False) or any(each.methods or each.paths for each in places)
                if basic:
                    word = base64.b64encode(plain)
                    given = basic[1] + b" " + word
                    shown.append(word)
                else:
                    given = plain
            if key not in _LEFT_OUT:
                fields.append((key, given))
        if any(used.values()) and head.otherwise:
            raise HeadProblem(f"the field {head.otherwise} asks for another method or path")
        fields.append((b"accept-encoding", b"identity"))
        return replace(head, fields=tuple(fields)), tuple(used), tuple(shown)


def _place(binding: Binding) -> _Place:
    return _Place(_hosts(binding), frozenset(binding.methods), binding.paths)


def _check(secret: ProxiedSecret, key: bytes, request: Request, places: Sequence[_Place]) -> None:
    if problem := next((found for place in places if (found := place.problem(request))), ""):
        raise HeadProblem(f"the secret {secret.name} is not sent {problem}")
    if key.decode("ascii") not in secret.headers:
        raise HeadProblem(f"the secret {secret.name} is not put into the field {key.decode('ascii')}")


def _decoded(data: bytes) -> bytes:
    try:
        return base64.b64decode(data)
    except (ValueError, binascii.Error):
        return b""
