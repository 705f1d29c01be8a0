"""Whether a spec may run: what it requires against what the driver is able to do, and will enforce. Pure."""

from collections.abc import Collection, Iterable, Sequence

from aisbx.errors import ControlError, UsageError
from aisbx.types import (
    CONTROLS,
    LAYERED,
    ControlState,
    Driver,
    Enforcement,
    LayeringDriver,
    Level,
    PublishingDriver,
    RootedDriver,
    SandboxSpec,
    WorkspaceMode,
)


def require_able(spec: SandboxSpec, driver: Driver) -> None:
    """Refuse, with a UsageError, a spec that asks for what is no control and the driver does not have at all."""
    mode = spec.workspace.mode if spec.workspace is not None else None
    if mode in LAYERED and not isinstance(driver, LayeringDriver):
        hint = "use -w DIR:ro, or another driver: aisbx plugin list"
        raise UsageError(f"driver {driver.name} lays no layer over a workspace, as {mode} needs it", hint=hint)
    if spec.rootfs and not isinstance(driver, RootedDriver):
        hint = "leave out --rootfs, or use another driver: aisbx plugin list"
        raise UsageError(f"driver {driver.name} shows no other system than its own", hint=hint)
    if spec.publish and not isinstance(driver, PublishingDriver):
        hint = "leave out --publish, or use another driver: aisbx plugin list"
        raise UsageError(f"driver {driver.name} publishes no ports of its sandboxes", hint=hint)


def unmet(spec: SandboxSpec, enforcement: Enforcement) -> list[ControlState]:
    """Give the controls that the spec requires and that are not fully enforced, in the order of `CONTROLS`.

    A control that the driver does not name counts as not enforced; partial is not enough. The exception is
    `fs:protected` in a live workspace, where partial is all that can be had: there, none is still too little.
    """
    required = set(spec.required_controls())
    missing = [enforcement[name] for name in CONTROLS if name in required and enforcement[name].level is not Level.FULL]
    live = spec.workspace is not None and spec.workspace.mode is WorkspaceMode.RW
    protected = enforcement["fs:protected"]
    if live and "fs:protected" not in spec.lowered and protected.level is Level.NONE:
        missing.append(protected)
    order = list(CONTROLS)
    return sorted(missing, key=lambda state: order.index(state.control))


def require(spec: SandboxSpec, enforcement: Enforcement) -> None:
    """Raise ControlError for the first control that is unmet, naming the others; return if there is none."""
    missing = unmet(spec, enforcement)
    if not missing:
        return
    raise _refusal(missing)


def require_own(states: Iterable[ControlState], lower: Collection[str]) -> None:
    """Raise ControlError for a limit of one command that is not fully held, unless `lower` names its control."""
    missing = [state for state in states if state.level is not Level.FULL and state.control not in lower]
    if missing:
        raise _refusal(missing)


def _refusal(missing: Sequence[ControlState]) -> ControlError:
    first, *others = missing
    level = "is only partly enforced" if first.level is Level.PARTIAL else "cannot be enforced"
    message = f"{first.control} {level} here: {first.reason or 'the driver gives no reason'}"
    if others:
        message += f" (nor {', '.join(state.control for state in others)})"
    promise = CONTROLS[first.control].promise
    lower = f"give it up by name: add {first.control} to `lower` in your settings (then not: {promise})"
    hint = f"{first.remedy}, or {lower}" if first.remedy else lower
    return ControlError(message, control=first.control, hint=hint)
