"""The door of a host that several may reach: who asks, and whether they may. Every denial is one record."""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, cast

from aisbx.audit.jsontext import dumps
from aisbx.audit.write import RESERVE, AuditError, append_once, refusal, start
from aisbx.engine import requests
from aisbx.engine.alerting import DoorAlerts
from aisbx.errors import AdmissionError, AisbxError, AuthError, PolicyError
from aisbx.paths import ensure_private
from aisbx.plan.run import new_run
from aisbx.quota import GENEROUS, PROTOCOL, Admission, Limits
from aisbx.types import Event, Principal, RevocableAuth

if TYPE_CHECKING:
    from aisbx.engine.engine import Engine

ANYBODY = Principal("anonymous")
"""Whoever could not say who they are."""
ADDRESS, EVERYWHERE = "failures", "all failures"
_FAILURES = Limits({ADDRESS: 30, EVERYWHERE: 300}, watched=False)
"""A minute, that are told and recorded one by one."""
_FILE = "admission.json"


class Door:
    """One for a host. `auth` names the authenticator; without one the host knows by other means who asks."""

    def __init__(self, engine: "Engine", host: str, auth: str = "", *, shared: bool = False) -> None:
        """Load the authenticator; an AisbxError says why nobody could be let in, or no alert could be sent.

        `shared`: others than the user may come, so the settings' limits hold, also across a restart, and their webhook
        is told of who is refused.
        """
        self._engine = engine
        self._host = host
        self._auth = engine.plugins.get("auth", auth, {"state_dir": str(engine.state)}) if auth else None
        said = engine.settings.admission
        limits = Limits(said.rate, said.concurrent) if shared else GENEROUS
        self._admission = Admission(limits, self._told, engine.state / _FILE if shared else None)
        self._strangers = Admission(_FAILURES, self._told)
        self._alerts = DoorAlerts(engine, host, alerting=shared)
        self.stands(ANYBODY)  # a damaged file of keys is said now

    def authenticate(self, credentials: Mapping[str, str], client: str) -> Principal:
        """Give who shows these credentials; AuthError where that is nobody. `client` is the address they come from.

        AdmissionError for an address from which many have failed: those have no record each, so that nobody can fill
        the log. Whoever shows a good key is let in from there all the same.
        """
        if self._auth is None:
            raise AuthError("this host takes no credentials", hint="leave them out")
        try:
            who = cast("object", self._auth.authenticate(credentials))
            if not isinstance(who, Principal):
                raise TypeError("it gave no principal")  # noqa: TRY301 - as whatever else is wrong with a plugin
        except AuthError as error:
            self._strangers.take(f"address:{client}", ADDRESS)
            self._strangers.take("address:any", EVERYWHERE)
            self.denied("auth.denied", error, ANYBODY, client=client)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a denial
            self._strangers.take("address:any", EVERYWHERE)
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

    def take(self, principal: Principal, scope: str) -> None:
        """Count a request in a scope; AdmissionError where it comes too soon."""
        self._admission.take(principal.id, scope)

    @contextmanager
    def serving(self, principal: Principal) -> Generator[None]:
        """Serve a request, whatever it is for; AdmissionError where that is too often or too much at once."""
        self.take(principal, PROTOCOL)
        with self._admission.serving(principal.id, PROTOCOL):
            yield

    @contextmanager
    def enter(self, principal: Principal, scope: str, what: str, *, taken: bool = False) -> Generator[None]:
        """Do something (`what`) that needs a scope, counted unless it was `taken` already.

        PolicyError where the principal does not have the scope, AdmissionError where it asks too often or for too much.
        """
        engine = self._engine
        with requests.request(engine, self._host, what, principal.id), ExitStack() as served:
            with requests.stage(engine, "admission.end", scope=scope):
                if not taken:
                    self.take(principal, scope)
                served.enter_context(self._admission.serving(principal.id, scope))
                self._check(principal, scope, what)
            yield

    def missed(self, principal: Principal, path: str) -> None:
        """Count that a principal asked for a path that is not served; who does so again and again is held back.

        What is not there inside of `enter` is counted by itself.
        """
        self._admission.missed(principal.id, path)

    def close(self) -> None:
        """Wait some seconds for alerts that are on their way."""
        self._alerts.close()

    def save(self) -> Callable[[], None]:
        """Give what writes down, in any thread, how far limits are used by now."""
        changed = self._admission.snapshot()
        return lambda: self._admission.save(changed)

    def _told(self, kind: str, who: str, error: AdmissionError, what: str) -> None:
        self.denied(kind, error, Principal(who), **({"what": what} if what else {}))

    def _check(self, principal: Principal, scope: str, what: str) -> None:
        if scope not in principal.scopes:
            hint = f"whoever runs the host can make a key with it: aisbx key create --scope {scope}"
            error = PolicyError(f"scope.{scope}: this key may not use {what}", hint=hint)
            self.denied("scope.denied", error, principal, what=what)
            raise error

    def denied(self, kind: str, error: AisbxError, principal: Principal, **more: str) -> None:
        """Write a denial down, alert of it, and tell the sinks."""
        engine, run = self._engine, new_run()
        with suppress(AuditError, OSError):  # nothing was done; the denial itself is the better thing to say
            ensure_private(engine.state)
            told = "".join(f'"{name}":{dumps(value)},' for name, value in more.items())
            what = refusal(error.code, error.message, error.hint, error.exit_code)
            line = f"{start(kind, run, principal.id, self._host, [])},{told}{what}"
            self._alerts.take(line, append_once(engine.audit, line, f"{engine.state}/{RESERVE}"))
        engine.emit(Event(kind, time.time(), {"principal": principal.id, "error": error.as_record(), **more}))
