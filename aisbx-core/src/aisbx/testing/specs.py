"""Specs that ask for one control."""

from dataclasses import replace

from aisbx.testing.scene import Scene
from aisbx.types import LIMITS, Limit, LimitStrength, SandboxSpec, Workspace, WorkspaceMode

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
    names = [name for name, (_, limit_control) in LIMITS.items() if limit_control == control]
    limits = {name: Limit(_AMOUNTS[name], LimitStrength.REQUESTED) for name in names}
    return replace(spec, limits={**spec.limits, **limits})
