"""Sandboxes whose profile says what is done about violations: who does it (`aisbx.reactor`) is started, and missed."""

from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, cast

from aisbx.audit.write import RESERVE
from aisbx.engine.keeping import keep
from aisbx.errors import LaunchError, StateError, UsageError
from aisbx.paths import cache_dir
from aisbx.store import Store
from aisbx.types import KeptSandbox, Sandbox, SandboxSpec

if TYPE_CHECKING:
    from pathlib import Path

    from aisbx.engine.engine import Engine
    from aisbx.reactor import Job
    from aisbx.store import Record


_PATIENCE, _REACTION = 0.5, 15.0


def look_after(
    engine: "Engine",
    record: "Record",
    sandbox: Sandbox,
    place: "Path",
    owner: tuple[int, int] | None = None,
    spec: SandboxSpec | None = None,
) -> None:
    """Have a sandbox kept and watched, see `keep`, and reacted to, see `react`; an AisbxError where that can't be."""
    keep(engine, record, sandbox, place, owner)
    if record.reacts:
        react(engine, record, sandbox, place, spec)


def patience(store: Store, name: str) -> float:
    """Give for how many seconds to wait for who holds a sandbox: it may be ended for what it did."""
    with suppress(StateError):
        record = store.read(name)
        if record is not None and record.reacts:
            return _REACTION
    return _PATIENCE


def react(engine: "Engine", record: "Record", sandbox: Sandbox, place: "Path", spec: SandboxSpec | None = None) -> None:
    """Have somebody do what the profile of a sandbox says about violations, where nobody does yet.

    An AisbxError says why that can't be. `spec` is what it was made from, where that is not written down yet.
    """
    from aisbx import detached, reactor  # for systems with `posix`

    if reactor.kept(str(place)):
        return
    if not isinstance(sandbox, KeptSandbox):
        raise UsageError(f"driver {record.driver} cannot end a sandbox for what it does", hint="use -d bwrap")
    spec = spec or Store(engine.state).spec(record.name)
    said = engine.settings.plugins
    own = engine.settings.drivers.get(record.driver, {})
    job: Job = {
        "sandbox": str(place),
        "name": record.name,
        "principal": record.principal,
        "audit": engine.audit,
        "reserve": f"{engine.state}/{RESERVE}",
        "detections": [_plain(asdict(each)) for each in spec.detections],
        "reactions": [_plain(asdict(each)) for each in spec.reactions],
        "alerts": _alerts(engine, spec),
        "driver": (record.driver, {**own, "cache_dir": str(cache_dir(engine.decided))}),
        "plugins": (None if said.allow is None else list(said.allow), list(said.disable)),
        "sinks": {name: dict(engine.settings.sink_settings.get(name, {})) for name in engine.settings.sinks},
        "work": sandbox.keeping(0.0, 0.0),
    }
    try:
        failure = detached.launch(reactor.__file__, job)
    except detached.SilentError as silent:
        failure = str(silent) or "it was ended"
    if failure is not None:
        what = f"what is to react to violations in the sandbox {record.name} does not start: {failure}"
        raise LaunchError(what, hint="try again")


def _alerts(engine: "Engine", spec: SandboxSpec) -> tuple[str, bytes] | None:
    """Give where alerts go and what signs them, None where there are none; an AisbxError where nothing says that."""
    if not any("alert" in reaction.do for reaction in spec.reactions):
        return None
    from aisbx.engine.alerting import webhook  # few profiles alert

    return webhook(engine, f"profile {spec.profile}")


def _plain(table: dict[str, object]) -> dict[str, object]:
    return {
        name: list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value
        for name, value in table.items()
    }
