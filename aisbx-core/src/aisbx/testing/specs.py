"""Specs that ask for one control."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from aisbx.audit.places import place
from aisbx.egress.job import PLUGIN, held_by
from aisbx.testing.certificate import certificate
from aisbx.testing.scene import Scene
from aisbx.types import (
    LIMITS,
    Binding,
    Limit,
    LimitStrength,
    Network,
    NetworkMode,
    SandboxSpec,
    Secret,
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


KIT_KEY, PLACEHOLDER = "AISBX_KIT_KEY", "aisbx-kit-placeholder-0123456789abcdef"


def asking_for(control: str, scene: Scene) -> SandboxSpec:
    """Give the scene's spec, changed so that this control must be FULL for it to run."""
    spec = scene.spec()
    if control == "fs:protected":  # a live workspace does not ask for it in full
        return replace(spec, workspace=Workspace(scene.workspace, WorkspaceMode.RO))
    if control == "net:allowlist":
        return with_allowlist(scene, spec)
    if control == "secret:proxied":
        return with_secret(scene, spec)
    names = [name for name, (_, limit_control) in LIMITS.items() if limit_control == control]
    limits = {name: Limit(_AMOUNTS[name], LimitStrength.REQUESTED) for name in names}
    return replace(spec, limits={**spec.limits, **limits})


def with_allowlist(scene: Scene, spec: SandboxSpec, table: Mapping[str, object] = MappingProxyType({})) -> SandboxSpec:
    """Give a spec with an allow-list of the scene's rules, held by the plugin that `aisbx` has for it.

    A driver that claims to hold one starts the plugin, which `aisbx-egress` has.
    """
    rules, state = scene.rules or ("allowed.example:443",), Path(scene.state)
    proxy = held_by(PLUGIN, rules, state, place(state, state, 1 << 20, 1, ""), table=table)
    return replace(spec, network=Network(NetworkMode.ALLOWLIST, rules, proxy))


def with_secret(scene: Scene, spec: SandboxSpec) -> SandboxSpec:
    """Give a spec with a secret that the proxy puts into requests to the first of the scene's servers.

    Both may be reached. The variable `KIT_KEY` is to have the placeholder, as the engine gives it.
    """
    hosts = tuple(f"localhost:{port}" for port in scene.ports) or ("localhost:443",)
    scene.rules = (*hosts, *(host.replace("localhost", "127.0.0.1") for host in hosts))
    secret = Secret("key", "kit", placeholder=KIT_KEY, binding=Binding(hosts[:1], paths=("/v1",)))
    listed = with_allowlist(scene, spec, {"authorities": str(certificate(scene))})
    return replace(listed, secrets=(secret,), environment={**listed.environment, KIT_KEY: PLACEHOLDER})
