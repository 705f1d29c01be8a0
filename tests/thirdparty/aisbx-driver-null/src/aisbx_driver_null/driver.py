"""The driver and its sandbox. It claims nothing, because it enforces nothing."""

from pathlib import Path

from aisbx.errors import StateError
from aisbx.types import (
    CONTROLS,
    Command,
    ControlState,
    Enforcement,
    Files,
    Freezer,
    Layers,
    Level,
    Probe,
    SandboxSpec,
    Stdio,
)

from aisbx_driver_null.launch import launch
from aisbx_driver_null.process import NullProcess


class NullDriver:
    """Runs commands on the host as they are."""

    name = "null"

    def probe(self) -> Probe:
        """It needs nothing, so it is always usable."""
        return Probe(usable=True)

    def check(self, spec: SandboxSpec) -> Enforcement:
        """Say of every control that it is not enforced."""
        del spec
        reason = "the null driver confines nothing"
        return Enforcement.of(
            ControlState(control, Level.NONE, reason=reason, remedy="use a driver that confines")
            for control in CONTROLS
        )

    def open(self, spec: SandboxSpec, home: Path) -> "NullSandbox":
        """Make nothing; `home` stays empty."""
        del home
        return NullSandbox(spec, self.check(spec))

    def attach(self, handle: str) -> "NullSandbox":
        """Refuse: a sandbox of this driver is gone with the process that opened it."""
        raise StateError(f"the null driver has no sandbox {handle!r}")


class NullSandbox:
    """What `open` gives: no files, layers or freezer of its own, so those are None."""

    def __init__(self, spec: SandboxSpec, enforcement: Enforcement) -> None:
        """Keep the spec for the launches."""
        self.handle = ""
        self.enforcement = enforcement
        self.files: Files | None = None
        self.layers: Layers | None = None
        self.freezer: Freezer | None = None
        self._spec = spec
        self._processes: list[NullProcess] = []

    def spawn(self, command: Command, stdio: Stdio) -> NullProcess:
        """Start a command."""
        process = NullProcess(launch(self._spec, command), stdio)
        self._processes.append(process)
        return process

    def close(self) -> None:
        """End what was started here."""
        for process in self._processes:
            process.end()
