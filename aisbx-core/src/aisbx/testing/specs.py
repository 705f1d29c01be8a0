"""Specs that ask for one control."""

from dataclasses import replace
from pathlib import Path

from aisbx.audit.places import place
from aisbx.egress.job import PLUGIN, held_by
from aisbx.testing.scene import Scene
from aisbx.types import (
    LIMITS,
    Limit,
    LimitStrength,
    Network,
    NetworkMode,
    SandboxSpec,
    Workspace,
    WorkspaceMode,
)

# Amounts that any command of the kit stays below, in the units of LIMITS.
_AMOUNTS = {
    "wall_time": 30,
    "output": 1 << 20,
    "memory": 1 << 30,
    "pids": 64,
    "cpus": 1,
    "disk": 64 << 20,
    "open_files": 256,
    "core": 0,
}


def asking_for(control: str, scene: Scene) -> SandboxSpec:
    """Give the scene's spec, changed so that this control must be FULL for it to run."""
    spec = scene.spec()
    if control == "fs:protected":  # a live workspace does not ask for it in full
        return replace(spec, workspace=Workspace(scene.workspace, WorkspaceMode.RO))
    if control == "net:allowlist":
        return with_allowlist(scene, spec)
    names = [name for name, (_, limit_control) in LIMITS.items() if limit_control == control]
    limits = {name: Limit(_AMOUNTS[name], LimitStrength.REQUESTED) for name in names}
    return replace(spec, limits={**spec.limits, **limits})


def with_allowlist(scene: Scene, spec: SandboxSpec) -> SandboxSpec:
    """Give a spec with an allow-list of the scene's rules, held by the plugin that `aisbx` has for it.

    A driver that claims to hold one starts the plugin, which `aisbx-egress` has.
    """
    rules, state = scene.rules or ("allowed.example:443",), Path(scene.state)
    proxy = held_by(PLUGIN, rules, state, place(state, state, 1 << 20, 1, ""), table={})
    return replace(spec, network=Network(NetworkMode.ALLOWLIST, rules, proxy))
