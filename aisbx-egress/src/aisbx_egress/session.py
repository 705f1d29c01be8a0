"""What the connections of one sandbox have in common: rules, resolver, limits, and where decisions are told."""

import asyncio
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aisbx.errors import ConfigError
from aisbx.types import Event

from aisbx_egress import addresses, names
from aisbx_egress.rules import Decision, Request, Rules, compiled

if TYPE_CHECKING:
    from aisbx_egress.inject import Injector

_REMEMBERED = 5.0
"""Seconds that what the resolver said is used again."""
_MOST_REMEMBERED = 256
_LEAST = 48 << 20
"""Bytes with which a proxy can serve at all."""
_LONGEST = 256
"""Characters of a path, as it is told; what comes after a `?` is not: keys are put there."""
_NOTHING = frozenset({403, 404, 410})
"""What servers answer where they have nothing for who asks (RFC 9110, 15.5); object stores say 403."""
_METADATA = frozenset({"metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"})


class RefusedError(Exception):
    """A connection is not to be; the text is for whoever asked. `unreachable`: it was allowed, and nobody answers."""

    def __init__(self, text: str, *, unreachable: bool = False) -> None:
        super().__init__(text)
        self.unreachable = unreachable


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one sandbox's network."""

    connections: int = 1024
    """At once."""
    bytes: int = 0
    """Of one connection, both ways; 0: no bound."""
    idle: float = 600.0
    """Seconds without a byte."""
    opening: float = 30.0
    """Seconds until it is known what a connection is for, and as many to reach the server."""
    memory: int = 256 << 20
    """Bytes of the process that holds them, which is outside of the sandbox's limits; 0: no bound."""

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> "Limits":
        """Read the table `[egress.allowlist]`. ConfigError for what is none of these, or no such number."""
        found: dict[str, float] = {}
        for key, value in settings.items():
            key_ = f"egress.allowlist.{key}"
            if key not in cls.__slots__:
                hint = "there are connections, bytes, idle, opening and memory"
                raise ConfigError("there is no such setting", key=key_, hint=hint)
            whole = key in {"connections", "bytes", "memory"}
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
                raise ConfigError(f"{value!r} is not a number", key=key_, hint="write one without a unit")
            if value < 0 or (not value and key not in {"bytes", "memory"}):
                raise ConfigError(f"{value!r} is too small", key=key_, hint="write a positive number")
            if key == "memory" and 0 < value < _LEAST:
                raise ConfigError(
                    f"{value!r} is too small", key=key_, hint=f"write at least {_LEAST}, or 0 for no bound"
                )
            found[key] = value
        return cls(**found)  # pyright: ignore[reportArgumentType]  (looked at above)


class Session:
    """One sandbox's network."""

    def __init__(
        self,
        rules: Callable[[], Sequence[str]],
        report: Callable[[Event], None],
        limits: Limits,
        injector: "Injector | None" = None,
    ) -> None:
        """`rules` gives the texts of those that hold now; `report` hears of each decision."""
        self.limits = limits
        self.injector = injector
        self._texts = rules
        self._report = report
        self._known: tuple[str, ...] | None = None
        self._rules = Rules()
        self._addresses: dict[str, tuple[float, list[names.Address]]] = {}

    @property
    def rules(self) -> Rules:
        """The rules that hold now."""
        texts = tuple(self._texts())
        if texts != self._known:
            self._rules, self._known = compiled(texts), texts
        return self._rules

    async def reach(self, request: Request, via: str) -> tuple[Decision, list[names.Address]]:
        """Decide on a request, resolve its host once, and give the addresses that may be connected to.

        RefusedError says why there is none, and is reported; `allowed` is to be called with the one that answered.
        """
        decision = self.rules.decide(request)
        if decision.hidden and self.reads(request):
            decision = replace(decision, allowed=True, reason="")  # what it asks for is decided on once it is read
        if not decision.allowed:
            raise self.refused(request, via, decision)
        try:
            found = await self._resolve(request.host)
        except OSError as error:
            self._tell("egress.unreachable", request, via, decision)
            raise RefusedError(f"{request.host}: {error.strerror or error}", unreachable=True) from None
        rules = self.rules
        problem, place, where = Decision(allowed=False, rule=decision.rule, reason="it has no address"), "", ""
        usable: list[names.Address] = []
        for address in found:
            kind = addresses.special(address)
            if denied := rules.denies_address(str(address), request.port):
                problem = Decision(allowed=False, rule=denied, reason="a rule denies its address")
            elif kind and request.host != str(address) and not rules.names_address(str(address), request.port):
                reason = f"its address {address} is not on the public internet ({kind}) and no rule names it"
                problem, place, where = Decision(allowed=False, rule=decision.rule, reason=reason), kind, str(address)
            else:
                usable.append(address)
        if not usable:
            raise self.refused(replace(request, path=""), via, problem, place, where)  # whatever the path had been
        return decision, usable

    def allowed(self, request: Request, via: str, decision: Decision, address: names.Address) -> None:
        """Report that a connection was made."""
        self._tell("egress.allowed", request, via, decision, str(address))

    def refused(
        self, request: Request, via: str, decision: Decision, network: str = "", address: str = ""
    ) -> RefusedError:
        """Report a refusal, and give the error to raise. `network`: where `address` leads, if not to the internet."""
        self._tell("egress.refused", request, via, decision, address, network=network or _network(request.host))
        place = f"[{request.host}]" if ":" in request.host else request.host
        return RefusedError(f"{place}:{request.port} is refused: {decision.reason}")

    def reads(self, request: Request) -> bool:
        """Tell whether a tunnel to a place is read, since a secret may be put into what is asked for there."""
        return self.injector is not None and self.injector.terminates(request)

    def sent(self, request: Request, via: str, decision: Decision, secrets: Sequence[str]) -> None:
        """Report a request that was read on its way, with the names of the secrets that are put into it."""
        self._tell("egress.allowed", request, via, decision, secrets=secrets)

    def answered(self, request: Request, via: str, status: int) -> None:
        """Tell of an answer's status where that says that there is nothing at the path of a request."""
        if status not in _NOTHING:
            return
        said = {"via": via, "host": request.host, "port": request.port, "method": request.method}
        with suppress(OSError):  # it was allowed, and has happened: there is nothing to be kept from
            self._report(Event("egress.missing", time.time(), {**said, "path": _path(request)}))

    def without_secrets(self, data: bytes) -> None:
        """HeadProblem for a request that holds the placeholder of a secret where none is put in."""
        if self.injector is not None:
            self.injector.holds(data)

    def malformed(self, via: str, reason: str) -> RefusedError:
        """Report a request that is none, and give the error to raise."""
        self._report(Event("egress.refused", time.time(), {"via": via, "rule": "", "reason": reason}))
        return RefusedError(reason)

    def _tell(
        self,
        kind: str,
        request: Request,
        via: str,
        decision: Decision,
        address: str = "",
        secrets: Sequence[str] = (),
        network: str = "",
    ) -> None:
        rows = {
            "via": via,
            "host": request.host,
            "port": request.port,
            "method": request.method,
            "path": _path(request) if decision.rule and not decision.allowed else "",
            "rule": decision.rule,
            "reason": decision.reason,
            "address": address,
            "network": network,
            "secrets": list(secrets),
        }
        data = {key: value for key, value in rows.items() if value or key == "rule"}
        self._report(Event(kind, time.time(), data))

    async def _resolve(self, host: str) -> list[names.Address]:
        literal = names.address(host)
        if literal is not None:
            return [literal]
        now = time.monotonic()
        until, known = self._addresses.get(host, (0.0, []))
        if now < until:
            return known
        found = addresses.of_hosts(host) or await self._ask(host)
        if len(self._addresses) >= _MOST_REMEMBERED:
            self._addresses.clear()
        self._addresses[host] = (now + _REMEMBERED, found)
        return found

    async def _ask(self, host: str) -> list[names.Address]:
        """Ask the host's resolver: with a dot at the end, so that no search list makes another name of it."""
        absolute = host if "." not in host else f"{host}."
        rows = await asyncio.get_running_loop().getaddrinfo(absolute, None, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(addresses.parsed(str(row[4][0])) for row in rows))


def _path(request: Request) -> str:
    return request.path.partition("?")[0][:_LONGEST]


def _network(host: str) -> str:
    """Say where a host lies that is an address, or a name of the service that gives a cloud's credentials."""
    literal = names.address(host)
    if literal is None:
        return "metadata" if host in _METADATA else ""
    return addresses.special(literal)
