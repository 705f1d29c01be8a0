"""The driver of the guest: bubblewrap there, by the code that confines on a Linux host."""

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace

from aisbx.types import LAYERED, LocalPlan, Probe, Proxy, SandboxSpec, WorkspaceMode
from aisbx_linux.local import memo
from aisbx_linux.local.driver import NamespaceDriver, Tool
from aisbx_linux.local.trial import ARGUMENTS, trial, unfit

BWRAP = "/usr/bin/bwrap"
_OUTLET = os.path.join(os.path.dirname(__file__), "outlet.py")


class GuestDriver(NamespaceDriver):
    """One sandbox is one bubblewrap of the guest's."""

    name = "lima"
    setting = "path"
    example = BWRAP

    def __init__(self, settings: Mapping[str, object], places: Mapping[str, str]) -> None:
        """`places`: target → copy, of what a placed spec shows."""
        super().__init__(settings)
        self._places_of_copies = places

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

    def _plan(self, spec: SandboxSpec) -> LocalPlan:
        """Give the launch of a placed spec: its workspace is the copy, seen where it is on the host."""
        made = super()._plan(spec)
        if spec.workspace is None:
            return made
        path, copy = spec.workspace.path, self._places_of_copies[spec.workspace.path]
        status = os.stat(copy)
        for source in made["sources"]:
            if source["target"] == path:
                source["path"], source["identity"] = copy, (status.st_dev, status.st_ino)
        return made


def outlet(place: str, name: str) -> str:
    """Give the path at which the host brings connections for an allow-list; `place` is the agent's directory."""
    return f"{place}/outlets/{name}"


def forget_outlet(place: str, name: str) -> None:
    """Remove that of a sandbox which has ended: who listened there may have been killed."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(outlet(place, name))


def placed(spec: SandboxSpec, places: Mapping[str, str], way_out: str) -> SandboxSpec:
    """Give the spec with the guest's copies as the sources of its mounts; `places`: target → copy.

    `way_out` is the path of `outlet`.
    """
    mounts = (replace(mount, source=places[mount.target]) for mount in spec.mounts)
    workspace = spec.workspace
    if workspace is not None:
        os.makedirs(workspace.path, exist_ok=True)  # only a name to the launcher: what is shown is the copy
    if workspace is not None and workspace.mode in LAYERED:
        workspace = replace(workspace, mode=WorkspaceMode.COW)  # what becomes of the layer is decided on the host
    network = spec.network
    if network.proxy is not None:
        words = (sys.executable, "-I", "-S", _OUTLET)
        network = replace(network, proxy=Proxy(words, json.dumps({"place": way_out})))
    return replace(spec, mounts=tuple(mounts), workspace=workspace, network=network)
