"""What this driver says of each control: what bubblewrap in the guest holds, and the machine around it. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from aisbx.errors import UsageError
from aisbx.types import ControlState, Enforcement, Level, NetworkMode, SandboxSpec, WorkspaceMode
from aisbx_linux.cgroup.find import Place, Places
from aisbx_linux.local.enforce import Facts, enforcement, refuse_unsupported

_GROUPS = Places(
    by_limit={name: Place("/sys/fs/cgroup/aisbx", 2, frozenset()) for name in ("memory", "pids", "cpus")},
    remedy="build the image anew: aisbx-driver-lima image build",
)
"""What the first process of the image's guest sets up (`image/init`)."""
GUEST = Facts(tool="bubblewrap in the guest", cgroups=_GROUPS)
_LIVE = "the guest gets a copy of the workspace, not the workspace itself"
_LIVE_REMEDY = "use -w DIR:guarded, which applies itself at the end, :cow or :ro"
_CUT_OFF = "the guest's network is cut off, and leads only to an allow-list"
_CUT_OFF_REMEDY = "name what is to be reached: --network allow=HOST:PORT; or use another driver: aisbx plugin list"
_UNTOLD, _UNTOLD_REMEDY = "the proxy of its allow-list is told no secrets", "use another driver: aisbx plugin list"
_REPLACED = {
    "fs:workspace": "a copy in the guest",
    "priv:not-root": "an ordinary user of the guest",
    "net:deny": "network namespace in the guest, and a machine that is cut off (QEMU restrict=on)",
    "net:allowlist": "network namespace in the guest, a machine that is cut off, and the egress proxy on the host",
    "limit:output": "count in the guest",
    "limit:wall-time": "clock in the guest, SIGTERM then SIGKILL",
    "proc:no-survivors": "PID namespaces in the guest, which end with the connection",
}


def promised(spec: SandboxSpec) -> Enforcement:
    """Report on every control that concerns the spec; UsageError for what no machine here can do."""
    refuse(spec)
    states = {state.control: state for state in enforcement(spec, GUEST).states}
    for control, mechanism in _REPLACED.items():
        if states[control].level is Level.FULL:
            states[control] = replace(states[control], mechanism=mechanism)
    states["secret:proxied"] = ControlState("secret:proxied", Level.NONE, reason=_UNTOLD, remedy=_UNTOLD_REMEDY)
    if spec.workspace is not None and spec.workspace.mode is WorkspaceMode.RW:
        for control in ("fs:workspace", "fs:protected"):
            states[control] = ControlState(control, Level.NONE, reason=_LIVE, remedy=_LIVE_REMEDY)
    return Enforcement.of(states.values())


def refuse(spec: SandboxSpec) -> None:
    """Raise UsageError for what is no control, so that nobody can give it up, and is not there."""
    refuse_unsupported(spec, "lima")
    if spec.network.mode is NetworkMode.OPEN:
        raise UsageError(f"driver lima: {_CUT_OFF}", hint=_CUT_OFF_REMEDY)
    if writable := next((mount for mount in spec.mounts if mount.writable), None):
        raise UsageError(
            f"driver lima: {writable.source} would be copied into the guest, and what is written there lost "
            f"({writable.origin})",
            hint="mount it read-only, or use another driver: aisbx plugin list",
        )


def weaker(spec: SandboxSpec, observed: Mapping[str, object]) -> list[str]:
    """Give the required controls that the guest does not hold fully; `observed` is its own report, as a record."""
    found: list[str] = []
    for control in spec.required_controls():
        row = observed.get(control)
        level = row.get("level") if isinstance(row, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if level != Level.FULL:
            found.append(control)
    return found
