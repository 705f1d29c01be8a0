"""The door of a host that several may reach: who asks, and whether they may. Every denial is one record."""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, cast

from aisbx.audit.jsontext import dumps
from aisbx.audit.write import RESERVE, AuditError, append_once, refusal, start
from aisbx.errors import AisbxError, AuthError, PolicyError
from aisbx.paths import ensure_private
from aisbx.plan.run import new_run
from aisbx.types import Event, Principal, RevocableAuth

if TYPE_CHECKING:
    from aisbx.engine.engine import Engine

ANYBODY = Principal("anonymous")
"""Whoever could not say who they are."""


class Door:
    """One for a host. `auth` names the authenticator; without one the host knows by other means who asks."""

    def __init__(self, engine: "Engine", host: str, auth: str = "") -> None:
        """Load the authenticator; an AisbxError says why nobody could be let in."""
        self._engine = engine
        self._host = host
        self._auth = engine.plugins.get("auth", auth, {"state_dir": str(engine.state)}) if auth else None
        self.stands(ANYBODY)  # a damaged file of keys is said now

    def authenticate(self, credentials: Mapping[str, str], client: str) -> Principal:
        """Give who shows these credentials; AuthError where that is nobody. `client` is the address they come from."""
        if self._auth is None:
            raise AuthError("this host takes no credentials", hint="leave them out")
        try:
            who = cast("object", self._auth.authenticate(credentials))
            if not isinstance(who, Principal):
                raise TypeError("it gave no principal")  # noqa: TRY301 - as whatever else is wrong with a plugin
        except AuthError as error:
            self.denied("auth.denied", error, ANYBODY, client=client)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a denial
            # What is wrong with the host is for its log, not for whoever asks.
            cause = (
                error
                if isinstance(error, AisbxError)
                else AuthError(f"the authenticator failed: {type(error).__name__}")
            )
            self.denied("auth.failed", cause, ANYBODY, client=client)
            raise AuthError(
                "nobody can be let in now", hint="whoever runs the host finds why in its audit log"
            ) from None
        return who

    def stands(self, principal: Principal) -> bool:
        """Say whether somebody who was let in earlier still would be."""
        return not isinstance(self._auth, RevocableAuth) or self._auth.stands(principal)

    @contextmanager
    def enter(self, principal: Principal, scope: str, what: str) -> Generator[None]:
        """Do something (`what`) that needs a scope; PolicyError where the principal does not have it."""
        if scope not in principal.scopes:
            hint = f"whoever runs the host can make a key with it: aisbx key create --scope {scope}"
            error = PolicyError(f"scope.{scope}: this key may not use {what}", hint=hint)
            self.denied("scope.denied", error, principal, what=what)
            raise error
        yield

    def denied(self, kind: str, error: AisbxError, principal: Principal, **more: str) -> None:
        """Write a denial down and tell the sinks."""
        engine, run = self._engine, new_run()
        with suppress(AuditError, OSError):  # nothing was done; the denial itself is the better thing to say
            ensure_private(engine.state)
            told = "".join(f'"{name}":{dumps(value)},' for name, value in more.items())
            what = refusal(error.code, error.message, error.hint, error.exit_code)
            line = f"{start(kind, run, principal.id, self._host, [])},{told}{what}"
            append_once(engine.audit, line, f"{engine.state}/{RESERVE}")
        engine.emit(Event(kind, time.time(), {"principal": principal.id, "error": error.as_record(), **more}))
