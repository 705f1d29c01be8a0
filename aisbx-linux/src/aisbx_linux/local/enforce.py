"""What this driver says of each control. Pure: a spec and a few facts in, a report out."""

from dataclasses import dataclass, field, replace

from aisbx.errors import UsageError
from aisbx.types import CONTROLS, LAYERED, ControlState, Enforcement, Level, NetworkMode, SandboxSpec, WorkspaceMode

from aisbx_linux.cgroup.find import Places
from aisbx_linux.local import private

_RW_DISK = "the workspace is live (rw): what is written there lands on the host's disk"
_LAYER_DISK = "the layer over the workspace lies on the host's disk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the report depends on beside the spec."""

    unusable: str = ""
    tool: str = "bubblewrap"
    """What people know the tool as."""
    remedy: str = ""
    """Where it is unusable or not contained: what to do, as far as that is known."""
    root: bool = False
    unmappable: str = ""
    """Run by root: the writable mount whose file system has no idmapped mounts."""
    counts_tasks: bool = True
    """RLIMIT_NPROC counts per user namespace (Linux 5.14)."""
    cgroups: Places = field(default_factory=Places)
    """Where cgroups can be made."""
    filter_problem: str = ""
    layer_problem: str = ""
    """Why no layer can be laid over the workspace."""
    unsized: tuple[str, str] = ("", "")
    """Why the layer over it can have no bound on its size, where it is to have one, and the remedy."""
    contained: bool = True
    """Namespaces of the launcher's own can be made (`aisbx_linux.cradle`)."""
    level: str = ""
    """Of the tool: what it does without."""


def enforcement(spec: SandboxSpec, facts: Facts) -> Enforcement:
    """Report on every control that concerns the spec."""
    if facts.unusable:
        return Enforcement.of(
            ControlState(control, Level.NONE, reason=facts.unusable, remedy=facts.remedy) for control in CONTROLS
        )
    states = {control: ControlState(control, Level.FULL, mechanism) for control, mechanism in _BY_CONSTRUCTION.items()}
    for state in (*_conditional(spec, facts), *_limits(spec, facts)):
        states[state.control] = state
    return Enforcement.of(states.values())


def lasting(run: Enforcement) -> Enforcement:
    """Say what of a run's enforcement is another in a sandbox that lasts."""
    states = {state.control: state for state in run.states}
    states["proc:no-survivors"] = ControlState(
        "proc:no-survivors",
        Level.PARTIAL,
        "PID namespace",
        "it lasts: a process ends with the sandbox, and a command with who asked for it, not what that left running",
        "destroy the sandbox, or give it a time to live",
    )
    for limit in ("limit:memory", "limit:pids"):
        state = states.get(limit)
        if state is not None and state.level is Level.PARTIAL:
            reason = f"{state.reason}; and only while a command is waited for"
            states[limit] = replace(state, reason=reason)
    return Enforcement.of(states.values())


def refuse_unsupported(spec: SandboxSpec, driver: str) -> None:
    """Raise UsageError for what cannot be held here: it is no control, so that nobody can give it up."""
    if spec.network.mode is NetworkMode.ALLOWLIST and spec.network.proxy is None:
        raise UsageError(
            f"--network allow={','.join(spec.network.allow)}: the driver {driver} was given no egress proxy to hold it",
            hint="leave it out for no network, or ask for all of it with --network open",
        )


# Held for every spec, whatever it says.
_BY_CONSTRUCTION = {
    "fs:host-hidden": "mount namespace, tmpfs root",
    "fs:readonly-runtime": "read-only bind mounts",
    "fs:workspace": "bind mount by descriptor",
    "fs:private-tmp": "tmpfs, own devtmpfs subset, own procfs",
    "fs:home-empty": "tmpfs",
    "proc:isolated": "PID namespace",
    "ipc:isolated": "IPC namespace",
    "priv:no-caps": "user namespace, empty bounding set",
    "priv:no-new-privs": "no_new_privs, nosuid mounts",
    "desc:clean": "relayed pipes and ptys",
    "env:clean": "empty environment, options over a memory file",
    "tty:no-injection": "own session, own pty, filtered ioctls",
    "info:host": "UTS namespace, synthesised /etc, covered boot id and symbols",
    "limit:wall-time": "launcher's clock, SIGTERM then SIGKILL",
    "limit:output": "launcher's count",
    "limit:core": "RLIMIT_CORE",
    "limit:open-files": "RLIMIT_NOFILE",
}


def _conditional(spec: SandboxSpec, facts: Facts) -> list[ControlState]:
    full, partial, none = Level.FULL, Level.PARTIAL, Level.NONE
    states: list[ControlState] = []
    mode = spec.workspace.mode if spec.workspace else None
    if mode in LAYERED and facts.layer_problem:
        states.append(ControlState("fs:workspace", none, reason=facts.layer_problem, remedy="use rw or ro"))
    elif mode in LAYERED:
        states.append(ControlState("fs:workspace", full, "overlay mount, its upper layer in a private directory"))
    if mode is WorkspaceMode.RW:
        mechanism = "read-only mounts for what exists, a check at the end for what appears"
        reason = "what appears during a run is only neutralised when it has ended"
        states.append(ControlState("fs:protected", partial, mechanism, reason, "use a read-only workspace"))
    elif mode in LAYERED:
        mechanism = "what is written goes to a layer; protected files leave it only when they are named in a review"
        states.append(ControlState("fs:protected", full, mechanism))
    else:
        states.append(ControlState("fs:protected", full, "the workspace cannot be written"))
    for control in ("sys:filter", "sys:no-userns"):
        if facts.filter_problem:
            remedy = "apt-get install libseccomp2"
            states.append(ControlState(control, none, reason=facts.filter_problem, remedy=remedy))
        else:
            states.append(ControlState(control, full, "seccomp filter"))
    if facts.contained and "proc:no-survivors" not in spec.lowered:
        states.append(ControlState("proc:no-survivors", full, "nested PID namespaces, parent-death signal"))
    else:
        reason = f"killed in its first moments, {facts.tool} can leave an idle process behind"
        remedy = facts.remedy or f"let processes other than {facts.tool} make user and PID namespaces"
        states.append(ControlState("proc:no-survivors", partial, "parent-death signal", reason, remedy))
    if facts.unmappable:
        reason = f"{facts.unmappable}: its file system has no idmapped mounts"
        states.append(ControlState("priv:not-root", none, reason=reason, remedy="run it as an ordinary user"))
    else:
        states.append(
            ControlState("priv:not-root", full, "own uid, idmapped mounts" if facts.root else "the caller's uid")
        )
    states += _composed(spec, facts)
    states += _network(spec)
    return states


def _composed(spec: SandboxSpec, facts: Facts) -> list[ControlState]:
    """Report on mounts that lie in a writable one, where another run can move their places while this one starts."""
    if facts.contained and "fs:host-hidden" not in spec.lowered:
        return []
    if not any(mount.writable for mount in spec.mounts) and (
        spec.workspace is None or spec.workspace.mode is not WorkspaceMode.RW
    ):
        return []
    reason = "while it starts, another run in the same workspace can lead its mounts elsewhere with links"
    remedy = facts.remedy or f"let processes other than {facts.tool} make user namespaces, or use a read-only workspace"
    mechanism = _BY_CONSTRUCTION["fs:host-hidden"]
    return [ControlState("fs:host-hidden", Level.PARTIAL, mechanism, reason, remedy)]


def _network(spec: SandboxSpec) -> list[ControlState]:
    listed = ControlState("net:allowlist", Level.FULL, "network namespace, egress proxy for what a rule names")
    held = ControlState("secret:proxied", Level.FULL, "a placeholder inside, egress proxy outside that puts it in")
    if spec.network.mode is NetworkMode.ALLOWLIST:
        reason = f"its allow-list is open: {', '.join(spec.network.allow)}"
        if spec.network.proxy is None:
            why, remedy = "there is no egress proxy to hold it", "pip install aisbx-egress"
            listed = ControlState("net:allowlist", Level.NONE, reason=why, remedy=remedy)
            held = ControlState("secret:proxied", Level.NONE, reason=why, remedy=remedy)
        return [
            ControlState("net:deny", Level.PARTIAL, "network namespace, egress proxy", reason),
            listed,
            held,
            ControlState("net:host-sockets", Level.FULL, "network and mount namespaces"),
        ]
    if spec.network.mode is not NetworkMode.OPEN:
        return [
            ControlState("net:deny", Level.FULL, "network namespace"),
            listed,
            held,
            ControlState("net:host-sockets", Level.FULL, "network and mount namespaces"),
        ]
    remedy = "name the secret's host: --network allow=HOST:443"
    return [
        ControlState("net:deny", Level.NONE, reason="the network is open"),
        ControlState("net:allowlist", Level.NONE, reason="the network is open"),
        ControlState(
            "secret:proxied", Level.NONE, reason="an open network has no proxy that puts it in", remedy=remedy
        ),
        ControlState("net:host-sockets", Level.PARTIAL, "mount namespace", "abstract sockets are the network's"),
    ]


def _limits(spec: SandboxSpec, facts: Facts) -> list[ControlState]:
    none = Level.NONE
    states = [_sum(limit, facts) for limit in ("memory", "pids", "cpus")]
    if private.layer(spec):
        why, remedy = facts.unsized
        states.append(
            ControlState("limit:disk", none, reason=why, remedy=remedy) if why else _private_space(spec, facts)
        )
    elif spec.workspace is not None and spec.workspace.mode is not WorkspaceMode.RO:
        reason = _RW_DISK if spec.workspace.mode is WorkspaceMode.RW else _LAYER_DISK
        states.append(ControlState("limit:disk", none, reason=reason, remedy="use a read-only workspace"))
    else:
        states.append(_private_space(spec, facts))
    return states


def _private_space(spec: SandboxSpec, facts: Facts) -> ControlState:
    own_uid = facts.root and "priv:not-root" not in spec.lowered
    if private.counted(spec, contained=facts.contained, own_uid=own_uid):
        mechanism = "tmpfs with a size and a number of files"
        if private.layer(spec):
            mechanism += ", an ext4 with both for the layer"
        return ControlState("limit:disk", Level.FULL, mechanism)
    reason = "private space holds as many empty files as the kernel lets a tmpfs have"
    remedy = facts.remedy or f"let processes other than {facts.tool} make user namespaces"
    if facts.contained:
        remedy = "do not give up fs:host-hidden"
    return ControlState("limit:disk", Level.PARTIAL, "tmpfs with a size", reason, remedy)


def _sum(limit: str, facts: Facts) -> ControlState:
    """Report on a limit that counts all of a sandbox's processes together."""
    control = f"limit:{limit}"
    mechanism = facts.cgroups.mechanism(limit)
    if mechanism:
        return ControlState(control, Level.FULL, mechanism)
    told = facts.cgroups.reasons.get(limit)
    why = f"no cgroup can be made here: {told}" if told else "no cgroup can be made here"
    remedy = facts.cgroups.remedy
    if limit == "memory":
        mechanism = "RLIMIT_DATA for each process, a watchdog for the sum"
        reason = f"between two looks, a tenth of a second or more apart, the sum can pass the cap; {why}"
        return ControlState(control, Level.PARTIAL, mechanism, reason, f"{remedy}; or leave --memory out")
    if limit == "pids" and facts.counts_tasks:
        return ControlState(control, Level.FULL, "RLIMIT_NPROC in the sandbox's user namespace")
    if limit == "pids":
        why = f"this kernel counts tasks per user, not per namespace; {why}"
        remedy = f"use Linux 5.14 or newer, or {remedy}"
    return ControlState(control, Level.NONE, reason=why, remedy=remedy)
