"""What a sandbox that lasts may reach beyond what it was made with: added and withdrawn while it runs."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from aisbx.audit.jsontext import members
from aisbx.audit.reserve import recording
from aisbx.audit.write import RESERVE, append_once, start
from aisbx.egress import grants
from aisbx.egress.grants import Grant
from aisbx.errors import PolicyError, StateError, UsageError
from aisbx.profiles import Finder, choose, rules
from aisbx.profiles.lattice import allowlist
from aisbx.profiles.order import network_within
from aisbx.store import Store
from aisbx.types import Command, Event, Network, NetworkMode, Principal

if TYPE_CHECKING:
    from pathlib import Path

    from aisbx.engine.engine import Engine
    from aisbx.store import Record
    from aisbx.types import SandboxSpec


def granting(engine: "Engine", name: str) -> "Granting":
    """Give what a sandbox was granted; StateError where it is not there, UsageError where nothing can be granted."""
    engine.sandboxes.inside(name)  # it has not ended
    store = Store(engine.state)
    return Granting(engine, store.find(name), store.home(name), store.spec(name))


class Granting:
    """The grants of one sandbox."""

    def __init__(self, engine: "Engine", record: "Record", home: "Path", spec: "SandboxSpec") -> None:
        """UsageError for a sandbox whose network is not an allow-list: nobody decides there."""
        if spec.network.mode is not NetworkMode.ALLOWLIST:
            hint = "make it with --network allow=HOST:PORT"
            raise UsageError(f"the network of {record.name} is {spec.network.mode.value}, not an allow-list", hint=hint)
        self._engine = engine
        self._record = record
        self._home = str(home)
        self._spec = spec

    def all(self) -> list[Grant]:
        """Give those that hold now; StateError where they cannot be read."""
        with self._readable():
            return grants.read(self._home)

    def add(self, text: str, ttl: float, principal: Principal, host: str) -> Grant:
        """Let it reach what a rule names, for so many seconds (0: as long as it is there), and give the grant.

        PolicyError where its profile's restriction, or a policy, has something against it.
        """
        rule = self.admitted(text, principal)
        grant = Grant(rule, time.time() + ttl if ttl else 0.0)
        self._note("egress.grant", {"rule": rule, "until": grant.until}, principal, host)
        with self._changing() as held:
            held[:] = [*(each for each in held if each.rule != rule), grant]
        return grant

    def admitted(self, text: str, principal: Principal) -> str:
        """Give a rule in its one spelling that may be added; UsageError where it is none, PolicyError as of `add`."""
        rule = _parsed(text)
        held = self._spec.network.allow
        network = Network(NetworkMode.ALLOWLIST, rules.union(held, [rule]))
        ceiling = self._ceiling()
        # What it was made with and denies stays denied.
        if ceiling is not None and not network_within(allowlist((rule, *rules.denials(held))), ceiling):
            raise PolicyError(
                f"the profile {self._record.profile} does not allow {rule}",
                hint="make a sandbox without that restriction",
            )
        self._engine.review(replace(self._spec, network=network), Command(argv=()), principal)
        return rule

    def withdraw(self, text: str, principal: Principal, host: str) -> None:
        """Take a grant back, which closes the connections it allowed; UsageError where there is none."""
        rule = _parsed(text)
        with self._changing() as held:
            if rule not in {grant.rule for grant in held}:
                hint = "what it was made with stays; aisbx grant NAME shows what was added"
                raise UsageError(f"{self._record.name} was not granted {rule}", hint=hint)
            held[:] = [grant for grant in held if grant.rule != rule]
        self._note("egress.withdraw", {"rule": rule}, principal, host)

    @contextmanager
    def _changing(self) -> Generator[list[Grant]]:
        with self._readable(), grants.changing(self._home) as held:
            yield held

    @contextmanager
    def _readable(self) -> Generator[None]:
        try:
            yield
        except (OSError, ValueError, TypeError) as error:
            name = self._record.name
            raise StateError(f"the grants of {name} cannot be read: {error}", hint=f"aisbx destroy {name}") from error

    def _ceiling(self) -> Network | None:
        """Give how far its profile's network may reach at most; None where that is not said."""
        engine = self._engine
        inputs = engine.decided.copy()
        profile = choose(
            (self._record.profile,), engine.settings, Finder(engine.settings, engine.plugins, inputs), inputs
        )
        return profile.ceiling.network if profile.ceiling else None

    def _note(self, kind: str, told: dict[str, object], principal: Principal, host: str) -> None:
        engine, name = self._engine, self._record.name
        line = f"{start(kind, name, principal.id, host, [])},{members({'egress': told})}}}"
        with recording(engine.audit["path"], f"what was done ({kind} {name})"):
            append_once(engine.audit, line, f"{engine.state}/{RESERVE}")
        engine.emit(Event(kind, time.time(), {"sandbox": name, **told}))


def _parsed(text: str) -> str:
    try:
        rule = rules.parse(text)
    except ValueError as error:
        raise UsageError(str(error), hint="write HOST, HOST:PORT or *.DOMAIN") from error
    if rule.denies:
        raise UsageError(f"{text!r} denies: a grant allows", hint="withdraw a grant with --withdraw")
    return str(rule)
