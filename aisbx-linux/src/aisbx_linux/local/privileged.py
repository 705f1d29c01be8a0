"""What root's sandboxes are where the kernel makes no user namespace: the same walls, made with root's privileges.

The tool is root until the command starts, and then gives up uid, groups, capabilities and any way to new ones. No mount
can show the workspace as another user's: the command is its owner.
"""

import os

from aisbx.errors import DriverUnavailableError
from aisbx.types import LAYERED, ControlState, Enforcement, Level, SandboxSpec, WorkspaceMode

from aisbx_linux.local import enforce
from aisbx_linux.local.trial import OUTSIDE_ID

WHY = "no user namespace can be made here"
REMEDY = "let root make user namespaces: sysctl user.max_user_namespaces=15000"
NOT_LASTING = f"sandboxes that last need a user namespace, and {WHY}"
_ROOTS = "it is root's, and only a user namespace could show it as another user's"
_OWN = "use a workspace of an ordinary user's, or a read-only one"


def who(spec: SandboxSpec) -> tuple[int, int]:
    """Give uid and gid of the command: the owner of the workspace; nobody's where that is root, or there is none.

    DriverUnavailableError where it would have to be root.
    """
    owner = os.stat(spec.workspace.path) if spec.workspace is not None else None
    if owner is not None and owner.st_uid != 0:
        return owner.st_uid, owner.st_gid or OUTSIDE_ID
    if spec.workspace is not None and spec.workspace.mode is not WorkspaceMode.RO:
        raise DriverUnavailableError(f"{spec.workspace.path} cannot be worked on: {_ROOTS}", hint=_OWN)
    return OUTSIDE_ID, OUTSIDE_ID


def enforcement(spec: SandboxSpec, facts: enforce.Facts) -> Enforcement:
    """Report on every control: as with a user namespace, but for what needs one."""
    states = {state.control: state for state in enforce.enforcement(spec, facts).states}
    for state in _others(spec, facts):
        states[state.control] = state
    return Enforcement.of(states.values())


def _others(spec: SandboxSpec, facts: enforce.Facts) -> list[ControlState]:
    full, none = Level.FULL, Level.NONE
    mode = spec.workspace.mode if spec.workspace is not None else None
    rootly = spec.workspace is not None and os.stat(spec.workspace.path).st_uid == 0
    found = [ControlState("priv:no-caps", full, "another uid than root, empty bounding set")]
    if rootly and mode is not WorkspaceMode.RO:
        found.append(ControlState("priv:not-root", none, reason=f"the workspace: {_ROOTS}", remedy=_OWN))
    else:
        told = "an uid that is nobody's" if spec.workspace is None or rootly else "the uid of the workspace's owner"
        found.append(ControlState("priv:not-root", full, told))
    if mode in LAYERED:
        reason = f"a layer over the workspace needs a user namespace, and {WHY}"
        found.append(ControlState("fs:workspace", none, reason=reason, remedy="use rw or ro"))
    reason = f"an allow-list needs a user namespace, and {WHY}"
    found += [ControlState(name, none, reason=reason, remedy=REMEDY) for name in ("net:allowlist", "secret:proxied")]
    if not facts.cgroups.mechanism("pids"):
        reason = "without a user namespace RLIMIT_NPROC counts all that its user runs; no cgroup can be made here"
        found.append(ControlState("limit:pids", none, reason=reason, remedy=f"{facts.cgroups.remedy}; or {REMEDY}"))
    return found


def refuse(spec: SandboxSpec, driver: str) -> None:
    """Raise DriverUnavailableError for what is no control and needs a user namespace."""
    if spec.publish:
        raise DriverUnavailableError(f"{driver}: published ports need a user namespace, and {WHY}", hint=REMEDY)
