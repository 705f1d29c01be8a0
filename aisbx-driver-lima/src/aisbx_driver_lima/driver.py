"""The Lima driver: a virtual machine that is kept running, and bubblewrap in it."""

import os
from collections.abc import Mapping
from pathlib import Path

from aisbx.errors import DriverUnavailableError, StateError, UsageError
from aisbx.types import (
    CONTROLS,
    ControlState,
    Enforcement,
    Layers,
    Level,
    NetworkMode,
    Probe,
    Sandbox,
    SandboxSpec,
    WorkspaceMode,
)
from aisbx_linux.layer.review import find

from aisbx_driver_lima.configuration import read
from aisbx_driver_lima.enforce import promised
from aisbx_driver_lima.machine import Machine
from aisbx_driver_lima.sandbox import LimaSandbox


class LimaDriver:
    """One sandbox is one bubblewrap in the machine of this user."""

    name = "lima"

    def __init__(self, settings: Mapping[str, object]) -> None:
        """Keep the settings; ConfigError for those that make no sense. Nothing is started."""
        self._configuration = read(settings)
        self.machine = Machine(self._configuration, os.environ)

    def probe(self) -> Probe:
        """Say whether there can be a machine; none is started."""
        reason, remedy = self.machine.hindrance()
        facts = {"image": self._configuration.image, "home": self._configuration.home}
        return Probe(usable=not reason, reason=reason, remedy=remedy, facts={} if reason else facts)

    def check(self, spec: SandboxSpec) -> Enforcement:
        """Say how far each control of this spec will hold; UsageError for what is no control and not there."""
        states = promised(spec)
        probed = self.probe()
        if probed.usable:
            return states
        return Enforcement.of(
            ControlState(control, Level.NONE, reason=probed.reason, remedy=probed.remedy) for control in CONTROLS
        )

    def open(self, spec: SandboxSpec, home: Path) -> Sandbox:
        """Have the machine ready; the guest's sandbox is made by `spawn`, for each command one."""
        enforcement = self.check(spec)
        probed = self.probe()
        if not probed.usable:
            raise DriverUnavailableError(f"lima: {probed.reason}", hint=probed.remedy)
        if spec.network.mode is NetworkMode.ALLOWLIST:
            state = enforcement["net:allowlist"]
            raise UsageError(f"driver lima: {state.reason}", hint=state.remedy)
        if spec.workspace is not None and spec.workspace.mode is WorkspaceMode.RW:
            state = enforcement["fs:workspace"]
            raise UsageError(f"driver lima: {state.reason}", hint=state.remedy)
        return LimaSandbox(spec, enforcement, home, self.machine, self._configuration.copy << 20)

    def layers(self, home: Path) -> Layers | None:
        """Give the layer over the workspace that a run left."""
        return find(home)

    def attach(self, handle: str) -> Sandbox:
        """Refuse: a sandbox of this driver ends with the process that opened it."""
        raise StateError(f"driver lima: there is no sandbox {handle!r} that lasts", hint="see: aisbx ls")
