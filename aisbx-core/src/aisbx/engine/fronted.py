"""Runs of a program by the compiled front (`aisbx-linux/native/program.c`), with a plan that is in memory only."""

import importlib
import marshal
import os
import sys
from typing import Protocol, cast

from aisbx.audit.write import AuditError, open_log
from aisbx.engine.keep import carried_of
from aisbx.plan import native
from aisbx.plan.run import record
from aisbx.types import LaunchRequest, LaunchResult, PlanEntry, Stdio


class _Launcher(Protocol):
    """The module of a launcher's package that starts the front (`aisbx_linux.fronted`)."""

    def Given(self, plan: bytes, entry: bytes) -> object:  # noqa: N802 - it is a class there
        """Keep both forms of a plan."""
        ...

    def run(
        self, given: object, front: tuple[str, str, str], request: LaunchRequest, who: tuple[str, str]
    ) -> LaunchResult | None:
        """Run a command; None where nothing has run."""
        ...


class Fronted:
    """A plan that the front carries out, while all that it was made from is the same: it looks at that itself."""

    def __init__(self, entry: PlanEntry, launcher: _Launcher, plan: bytes) -> None:
        """Give it to the front; OSError where there is no memory for that."""
        self._entry = entry
        self._launcher = launcher
        self._given = launcher.Given(plan, marshal.dumps(entry))  # pyright: ignore[reportArgumentType]  (plain data)
        self._front = native.front(), sys.executable, native.script()

    def run(self, request: LaunchRequest, principal: str, host: str) -> LaunchResult | None:
        """Run a command and record it; None where nothing has run, and Python is to do it."""
        who = principal, host
        result = self._launcher.run(self._given, self._front, request, who)
        if result is not None and result["failure"] is not None and result["failure"][0] == "aborted":
            self._record(request, result, who)
        return result

    def _record(self, request: LaunchRequest, result: LaunchResult, who: tuple[str, str]) -> None:
        """Write what a front that was killed could not."""
        try:
            log = open_log(self._entry["audit"])
        except AuditError:
            return  # that it was aborted is the better thing to say
        try:
            record(log, self._entry, request, result, *who)
        finally:
            log.close()


def fronted(entry: PlanEntry) -> Fronted | None:
    """Give what carries an entry out; None where there is no front, or it leaves that to Python."""
    carried = carried_of(entry)
    if carried is None:
        return None
    name = f"{entry['plan']['launcher'].rpartition('.')[0]}.fronted"
    launcher = cast("_Launcher", cast("object", importlib.import_module(name)))
    environ = {name: value for name, value in os.environb.items() if name != b"AISBX_FRONT"}  # which it drops itself
    try:
        plan = native.encode(entry, (0, 0, 0, 0), native.GIVEN, carried, environ)
        return Fronted(entry, launcher, plan)
    except (OSError, UnicodeError):
        return None  # what it costs is speed


def usual(stdio: Stdio) -> bool:
    """Tell whether a command's streams are as the front has them for a program, and it is not turned off."""
    captured = stdio.stdin is None and stdio.stdout is None and stdio.stderr is None and not stdio.terminal
    return captured and os.environ.get("AISBX_FRONT") != "0"
