"""What a policy says of a command."""

from collections.abc import Mapping
from typing import cast

from aisbx.errors import AisbxError, PolicyError
from aisbx.plugins import Plugins
from aisbx.types import Command, Principal, SandboxSpec, Verdict


def ask(
    name: str,
    plugins: Plugins,
    settings: Mapping[str, object],
    spec: SandboxSpec,
    command: Command,
    principal: Principal,
) -> None:
    """Ask one policy; anything but a verdict that allows is a denial, a PolicyError."""
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
    if not verdict.allow:
        raise PolicyError(f"{verdict.rule or name}: {verdict.reason or 'denied'}", hint=f"policy {name} decides this")
