"""The driver of the guest: bubblewrap there, by the code that confines on a Linux host."""

import os
from collections.abc import Mapping
from dataclasses import replace

from aisbx.types import LAYERED, LocalPlan, Probe, SandboxSpec, WorkspaceMode
from aisbx_linux.local import memo
from aisbx_linux.local.driver import NamespaceDriver, Tool
from aisbx_linux.local.trial import ARGUMENTS, trial, unfit

BWRAP = "/usr/bin/bwrap"


class GuestDriver(NamespaceDriver):
    """One sandbox is one bubblewrap of the guest's."""

    name = "lima"
    setting = "path"
    example = BWRAP

    def find_tool(self, remembered: str) -> tuple[Tool | None, Probe]:
        """Try the guest's bubblewrap; what worked is remembered until the guest starts again."""
        if reason := unfit(BWRAP):
            return None, Probe(usable=False, reason=f"{BWRAP} {reason}", remedy="aisbx-driver-lima image build")
        tool = Tool(BWRAP, "", "guest")
        name = memo.key(BWRAP, *ARGUMENTS)
        if memo.recall(remembered, name) is None:
            if refusal := trial(BWRAP, None):
                return tool, Probe(usable=False, reason=refusal, remedy="aisbx-driver-lima image build")
            memo.keep(remembered, name, "it works")
        return tool, Probe(usable=True)


def placed(spec: SandboxSpec, places: Mapping[str, str]) -> SandboxSpec:
    """Give the spec with the guest's copies as the sources of its mounts; `places`: target → copy."""
    mounts = (replace(mount, source=places[mount.target]) for mount in spec.mounts)
    workspace = spec.workspace
    if workspace is not None and workspace.mode in LAYERED:
        workspace = replace(workspace, mode=WorkspaceMode.COW)  # what becomes of the layer is decided on the host
    return replace(spec, mounts=tuple(mounts), workspace=workspace)


def plan_of(driver: GuestDriver, spec: SandboxSpec, places: Mapping[str, str]) -> LocalPlan:
    """Give the launch of a placed spec: its workspace is the copy, seen where it is on the host."""
    if spec.workspace is None:
        return driver.plan(spec)
    path, copy = spec.workspace.path, places[spec.workspace.path]
    os.makedirs(path, exist_ok=True)  # only a name to the launcher: what is shown is the copy
    made = driver.plan(spec)
    status = os.stat(copy)
    for source in made["sources"]:
        if source["target"] == path:
            source["path"], source["identity"] = copy, (status.st_dev, status.st_ino)
    return made
