"""The Lima driver: a virtual machine that is kept running, and bubblewrap in it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from aisbx.errors import DriverUnavailableError, StateError, UsageError
from aisbx.types import (
    CONTROLS,
    ControlState,
    Enforcement,
    Layers,
    Level,
    Probe,
    Sandbox,
    SandboxSpec,
    WorkspaceMode,
)

from aisbx_driver_lima.configuration import read
from aisbx_driver_lima.machine import Machine, here

if TYPE_CHECKING:
    from aisbx_driver_lima.lasting import GuestSandbox
    from aisbx_driver_lima.places import Places


class LimaDriver:
    """One sandbox is one bubblewrap in the machine of this user."""

    name = "lima"

    def __init__(self, settings: Mapping[str, object]) -> None:
        """Keep the settings; ConfigError for those that make no sense. Nothing is started."""
        self._configuration = read(settings)
        self.machine = Machine(self._configuration, os.environ)
        self._most = self._configuration.copy << 20

    def probe(self) -> Probe:
        """Say whether there can be a machine; none is started."""
        reason, remedy = self.machine.hindrance()
        facts = {"image": self._configuration.image, "home": self._configuration.home}
        return Probe(usable=not reason, reason=reason, remedy=remedy, facts={} if reason else facts)

    def check(self, spec: SandboxSpec) -> Enforcement:
        """Say how far each control of this spec will hold; UsageError for what is no control and not there."""
        probed = self.probe()
        if here():
            from aisbx_driver_lima.enforce import promised  # for Linux alone, as all that follows

            states = promised(spec)
            if probed.usable:
                return states
        return Enforcement.of(
            ControlState(control, Level.NONE, reason=probed.reason, remedy=probed.remedy) for control in CONTROLS
        )

    def open(self, spec: SandboxSpec, home: Path) -> Sandbox:
        """Have the machine ready; the guest's sandbox is made by `spawn`, for each command one."""
        enforcement = self._admitted(spec)
        from aisbx_driver_lima.sandbox import LimaSandbox

        return LimaSandbox(spec, enforcement, home, self.machine, self._most)

    def create(self, spec: SandboxSpec, home: Path, kept: Path, ttl: float) -> "GuestSandbox":
        """Make a sandbox of the guest's that lasts."""
        del kept  # what must stay lies in the guest
        enforcement = self._lasting(spec)
        return self._places().create(spec, enforcement, home, ttl)

    def attach(self, handle: str) -> Sandbox:
        """Find a sandbox that `create` made; StateError where it has ended."""
        return self._places().attach(Path(handle))

    def end(self, home: Path) -> list[str]:
        """End what `create` made or half made; gives the findings."""
        return self._places().end(home) if here() else []

    def abandon(self, home: Path) -> list[str]:
        """End what `create` made, and leave in the guest what was written in it; gives the findings."""
        return self._places().end(home, wanted=False) if here() else []

    def layers(self, home: Path) -> Layers | None:
        """Give the layer over the workspace of what `create` or a run made."""
        if not here():
            return None
        from aisbx_linux.layer.review import find

        return self._places().layers(home) or find(home)

    def snapshot(self, home: Path, kept: Path, place: Path) -> str:
        """Keep in the guest what the layer of a sandbox holds, by an overlay mount; a copy while commands run in it."""
        del kept
        return self._places().snapshot(home, place)

    def restore(self, home: Path, kept: Path, place: Path) -> None:
        """Have a sandbox's workspace be as in a snapshot again; StateError while commands run in it."""
        del kept
        self._places().restore(home, place)

    def fork(self, spec: SandboxSpec, home: Path, kept: Path, ttl: float, origin: Path) -> "GuestSandbox":
        """Make a sandbox whose layer begins with a snapshot, or with what another sandbox has now."""
        del kept
        enforcement = self._lasting(spec)
        return self._places().fork(spec, enforcement, home, ttl, origin)

    def sweep(self, kept: Path) -> None:
        """Remove from the guest what it keeps for sandboxes and snapshots that are gone."""
        del kept
        if here():
            self._places().sweep()

    def _places(self) -> "Places":
        if not here():
            raise StateError("driver lima: there is no sandbox of its here", hint=self.probe().remedy)
        from aisbx_driver_lima.places import Places

        return Places(self.machine, self._most)

    def _lasting(self, spec: SandboxSpec) -> Enforcement:
        enforcement = self._admitted(spec)
        from aisbx_linux.local.enforce import lasting

        return lasting(enforcement)

    def _admitted(self, spec: SandboxSpec) -> Enforcement:
        """Give what will hold; an AisbxError where there can be no such sandbox."""
        enforcement = self.check(spec)
        probed = self.probe()
        if not probed.usable:
            raise DriverUnavailableError(f"lima: {probed.reason}", hint=probed.remedy)
        if spec.workspace is not None and spec.workspace.mode is WorkspaceMode.RW:
            state = enforcement["fs:workspace"]
            raise UsageError(f"driver lima: {state.reason}", hint=state.remedy)
        return enforcement
