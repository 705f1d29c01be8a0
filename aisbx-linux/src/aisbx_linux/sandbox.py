"""`Sandbox` and `Process` for drivers whose launch is a `LocalPlan`: each command gets walls of its own."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from aisbx.errors import CommandNotExecutableError, CommandNotFoundError, LaunchError, UsageError
from aisbx.types import (
    Captured,
    Command,
    Enforcement,
    ExitStatus,
    LaunchRequest,
    LaunchResult,
    LocalPlan,
    Stdio,
    Usage,
)

from aisbx_linux.launch import Launch

_FAILURES: Mapping[str, type[LaunchError | CommandNotFoundError | CommandNotExecutableError]] = {
    "launch": LaunchError,
    "command-not-found": CommandNotFoundError,
    "command-not-executable": CommandNotExecutableError,
}
_LIMITS = ("wall_time", "output")


class LocalSandbox:
    """Nothing runs until `spawn`; nothing is left when its command has ended."""

    handle = ""
    files = None
    layers = None
    ports = None
    freezer = None

    def __init__(self, plan: LocalPlan, enforcement: Enforcement, home: Path, *, exclusive: bool = False) -> None:
        """`home` is the private directory for scan caches, quarantine and logs; `exclusive` as in `LaunchRequest`."""
        self.enforcement = enforcement
        self._plan = plan
        self._home = home
        self._exclusive = exclusive
        self._running: list[Launch] = []

    def spawn(self, command: Command, stdio: Stdio) -> "LocalProcess":
        """Start a command; what kept it from running is raised by `LocalProcess.wait`."""
        plan = self._plan
        for name, amount in command.limits.items():
            if name not in _LIMITS:
                raise UsageError(f"{name} cannot be set for one command here", hint="set it for the sandbox")
            plan = _bounded(plan, name, amount)
        launch = Launch(plan, request(command, stdio, str(self._home), exclusive=self._exclusive))
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
        """Relay until the command has ended; None when `timeout` seconds passed first; raises what kept it from running."""
        return status(self._launch.result()) if self._launch.wait(timeout) else None

    def signal(self, number: int) -> None:
        """Send a signal to the command."""
        self._launch.signal(number)

    def resize(self, rows: int, columns: int) -> None:
        """Give its pty a size in cells; UsageError where it has none."""
        try:
            self._launch.resize(rows, columns)
        except ValueError as error:
            raise UsageError(str(error)) from None

    def usage(self) -> Usage:
        """Give what it used; known once it has ended."""
        return _usage(self._launch.result())


def request(command: Command, stdio: Stdio, state: str, *, exclusive: bool, run: str = "", keep: int = 0) -> LaunchRequest:
    """Give a command and its streams as the launcher's plain data."""
    return {
        "argv": list(command.argv),
        "environment": dict(command.environment),
        "cwd": command.cwd or "",
        "stdin": stdio.stdin,
        "stdout": stdio.stdout,
        "stderr": stdio.stderr,
        "terminal": stdio.terminal,
        "capture": stdio.capture,
        "exclusive": exclusive,
        "state": state,
        "run": run or secrets.token_hex(8),
        "keep_output": keep,
    }


def status(result: LaunchResult) -> ExitStatus:
    """Turn a result into an exit status, or raise what kept the command from running."""
    if result["failure"] is not None:
        code, message = result["failure"]
        raise _FAILURES[code](message)
    dropped = result["dropped"]
    return ExitStatus(
        code=result["code"],
        signal=result["signal"],
        timed_out=result["timed_out"],
        duration=result["duration"],
        usage=_usage(result),
        stdout=Captured(result["stdout"], dropped),
        stderr=Captured(result["stderr"], 0),
        findings=tuple(result["findings"]),
    )


def _usage(result: LaunchResult) -> Usage:
    return Usage(result["user_seconds"], result["system_seconds"], result["max_rss_bytes"])


def _bounded(plan: LocalPlan, name: str, amount: float) -> LocalPlan:
    """Narrow a bound of the plan for one command; a wider one is no reason to fail and changes nothing."""
    narrowed: LocalPlan = {**plan}
    if name == "wall_time":
        narrowed["wall_time"] = min(amount, plan["wall_time"] or amount)
    else:
        narrowed["output"] = int(min(amount, plan["output"] or amount))
    return narrowed
