"""`Sandbox` and `Process` for drivers whose launch is a `LocalPlan`: each command gets walls of its own."""

import os
from collections.abc import Collection
from pathlib import Path

from aisbx.errors import UsageError
from aisbx.types import (
    Command,
    Enforcement,
    ExitStatus,
    Files,
    Freezer,
    Layers,
    LocalPlan,
    Stdio,
    Usage,
    exit_status,
    launch_request,
    usage,
)

from aisbx_linux.bounds import narrowed
from aisbx_linux.launch import Launch

OWN_LIMITS = ("wall_time", "output")
"""What a command may have of its own."""


class LocalSandbox:
    """Nothing runs until `spawn`; nothing is left when its command has ended."""

    handle = ""
    files: Files | None = None
    layers: Layers | None = None
    freezer: Freezer | None = None

    def __init__(self, plan: LocalPlan, enforcement: Enforcement, home: Path) -> None:
        """`home` is the private directory for scan caches, quarantine and logs."""
        self.enforcement = enforcement
        self._plan = plan
        self._home = home
        self._running: list[Launch] = []

    def spawn(self, command: Command, stdio: Stdio) -> "LocalProcess":
        """Start a command; what kept it from running is raised by `LocalProcess.wait`."""
        plan = narrowed(self._plan, own_limits(command))
        wanted = launch_request(command, stdio, exclusive=False, state=str(self._home), run=os.urandom(6).hex(), keep=0)
        launch = Launch(plan, wanted)
        self._running.append(launch)
        launch.start()
        return LocalProcess(launch)

    def close(self) -> None:
        """End every command that still runs."""
        for launch in self._running:
            launch.kill()
            launch.wait()
        self._running.clear()


class LocalProcess:
    """A command that `LocalSandbox.spawn` started."""

    def __init__(self, launch: Launch) -> None:
        """Wrap a launch that was started."""
        self._launch = launch

    def wait(self, timeout: float | None = None) -> ExitStatus | None:
        """Relay until the end; None when `timeout` seconds passed first; raises what kept the command from running."""
        return exit_status(self._launch.result()) if self._launch.wait(timeout) else None

    def signal(self, number: int) -> None:
        """Send a signal to the command."""
        self._launch.signal(number)

    def kill(self) -> None:
        """End the command and all that came of it."""
        self._launch.kill()

    def resize(self, rows: int, columns: int) -> None:
        """Give its pty a size in cells; UsageError where it has none."""
        try:
            self._launch.resize(rows, columns)
        except ValueError as error:
            raise UsageError(str(error)) from None

    def usage(self) -> Usage:
        """Give what it used; known once it has ended."""
        return usage(self._launch.result())


def own_limits(command: Command, possible: Collection[str] = OWN_LIMITS) -> dict[str, float]:
    """Give the limits of one command; UsageError for one that only the sandbox can have."""
    if not command.limits:
        return {}
    for name in command.limits:
        if name not in possible:
            raise UsageError(f"{name} cannot be set for one command here", hint="set it for the sandbox")
    return dict(command.limits)
