"""What a policy says of a command."""

import hashlib
import time
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, cast

from aisbx.audit.jsontext import dumps
from aisbx.audit.reserve import unrecordable
from aisbx.audit.write import AuditError, append_once, start
from aisbx.errors import AisbxError, ApprovalError, PolicyError
from aisbx.plan.run import new_run
from aisbx.plugins import Plugins
from aisbx.types import Command, Event, Principal, SandboxSpec, Verdict

if TYPE_CHECKING:
    from aisbx.engine.engine import Engine

_APPROVED: ContextVar[frozenset[str]] = ContextVar("aisbx_approved", default=frozenset())


@contextmanager
def approving(keys: Collection[str]) -> Generator[None]:
    """Let pass what an ApprovalError with one of these keys was about; only a person's yes may lead here."""
    token = _APPROVED.set(frozenset(keys))
    try:
        yield
    finally:
        _APPROVED.reset(token)


def approve(engine: "Engine", error: ApprovalError, principal: Principal, host: str) -> None:
    """Write down that a person said yes, before it counts; StateError where that cannot be."""
    argv = list(error.argv) if engine.settings.audit.argv else [*error.argv[:1]]
    line = start("policy.approved", new_run(), principal.id, host, argv)
    try:
        append_once(engine.audit, f'{line},"rule":{dumps(error.rule)},"exit_code":null}}')
    except AuditError as failed:
        raise unrecordable(failed) from None
    engine.emit(Event("policy.approved", time.time(), {"rule": error.rule, "principal": principal.id}))


def ask(
    name: str,
    plugins: Plugins,
    settings: Mapping[str, object],
    spec: SandboxSpec,
    command: Command,
    principal: Principal,
) -> None:
    """Ask one policy; anything but a verdict that allows is a PolicyError, an ApprovalError where a yes helps."""
    try:
        verdict = cast("object", plugins.get("policy", name, settings).review(spec, command, principal))
    except AisbxError:
        raise
    except Exception as error:
        raise PolicyError(
            f"policy {name} failed: {type(error).__name__}: {error}", hint="a failing policy denies"
        ) from error
    if not isinstance(verdict, Verdict):
        raise PolicyError(f"policy {name} gave no verdict", hint="it must return a Verdict")
    rule, reason = verdict.rule or name, verdict.reason or "denied"
    if verdict.allow:
        return
    if not verdict.ask:
        raise PolicyError(f"{rule}: {reason}", hint=f"policy {name} decides this")
    key = _key(name, rule, spec, command)
    if key not in _APPROVED.get():
        hint = f"ask your user to run it, or to allow it: policy {name} decides this"
        raise ApprovalError(reason, rule=rule, argv=command.argv, key=key, hint=hint, stdin=command.stdin)


def _key(name: str, rule: str, spec: SandboxSpec, command: Command) -> str:
    """Give what is another for all that a policy decides by: a yes is to this very command in such a sandbox."""
    return hashlib.sha256(repr((name, rule, command, spec)).encode(errors="surrogatepass")).hexdigest()
