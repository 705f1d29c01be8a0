"""What works on this machine, by what mechanism, and what to do about the rest. Looks only; changes nothing."""

import os
import platform
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import cast

from aisbx.errors import AisbxError, TrustError, WorkspaceError
from aisbx.plugins import PluginInfo, Plugins
from aisbx.types import CONTROLS, Driver, Identity, Level, Limit, ProbedSecrets, SandboxSpec, Secrets, WatchableDriver

OK, PARTIAL, MISSING, INFO = "ok", "partial", "missing", "info"

ROOM = 1 << 17
"""Bytes that a directory of ours needs: a record's reserve, a plan, the /etc of a sandbox."""
_LEVELS = {Level.FULL: OK, Level.PARTIAL: PARTIAL, Level.NONE: MISSING}


SAMPLE = SandboxSpec(
    profile="base",
    identity=Identity("sandbox", 1000, 1000, "/home/sandbox"),
    cwd="/",
    limits={
        name: Limit(amount) for name, amount in (("memory", 1 << 30), ("pids", 512), ("open_files", 4096), ("core", 0))
    },
)
"""A sandbox without a workspace, to examine drivers with where the current directory can't be one."""

_COMPILED = ("aisbx-helper", "aisbx-watcher", "aisbx-client.so")
"""What is compiled beside the front."""


@dataclass(frozen=True, slots=True)
class DoctorRow:
    """One finding: `section` is `core`, `plugins`, `secrets`, `driver NAME` or a check's name.

    `state` is ok, partial, missing or info; `needed` marks what a run with the defaults cannot do without.
    """

    section: str
    name: str
    state: str
    detail: str = ""
    remedy: str = ""
    needed: bool = False

    def as_record(self) -> dict[str, object]:
        """Give the row as JSON data."""
        return asdict(self)


Check = Callable[[], Iterable[DoctorRow]]
"""What an entry point of `aisbx.checks` names; the plugin's name is the section of what it finds."""


def examine(
    plugins: Plugins,
    load: Callable[[str], Driver],
    directories: Mapping[str, str],
    spec: Callable[[], SandboxSpec],
    store: Callable[[str], Secrets] | None = None,
) -> list[DoctorRow]:
    """Give every finding: the core's, the plugins', then each driver's with every control.

    `load` gives a driver by name with its settings, `directories` are ours by what they are for, `spec` gives
    the sandbox that a run with the defaults would ask for, `store` a secret store by name (None: they are left out).
    Then come plugins' own checks. A part that fails is a row, never an exception.
    """
    rows = [*_core(directories)]
    try:
        wanted = spec()
    except (WorkspaceError, TrustError) as error:
        # That says nothing of the machine: people ask for the doctor in their home directory.
        rows.append(DoctorRow("core", "this directory", MISSING, error.message, error.hint))
        wanted = SAMPLE
    except AisbxError as error:
        wanted = SAMPLE
        rows.append(DoctorRow("core", "default sandbox", MISSING, error.message, error.hint, needed=True))
    rows += _plugins(plugins.table())
    rows += _stores(plugins.names("secrets"), store) if store else ()
    names = plugins.names("driver")
    if not names:
        rows.append(DoctorRow("plugins", "driver", MISSING, "no driver is installed", which_driver(), needed=True))
    for name in names:
        rows += _driver(name, load, wanted)
    for name in plugins.names("check"):
        rows += _check(name, plugins)
    return rows


def ready(rows: Iterable[DoctorRow]) -> bool:
    """Say whether runs with the defaults are admitted here: nothing of the core is amiss, and one driver is whole."""
    drivers: dict[str, bool] = {}
    for row in rows:
        whole = row.state in (OK, INFO) or not row.needed
        if row.section.startswith("driver "):
            drivers[row.section] = drivers.get(row.section, True) and whole
        elif not whole:
            return False
    return any(drivers.values())


def _core(directories: Mapping[str, str]) -> Iterator[DoctorRow]:
    yield DoctorRow("core", "platform", INFO, f"{platform.system() or sys.platform} {platform.release()}".strip())
    yield DoctorRow("core", "python", INFO, f"{platform.python_version()} ({sys.executable})")
    if sys.platform == "linux":
        yield _front()
    for name, path in directories.items():
        state, detail, remedy = _directory(path)
        yield DoctorRow("core", f"{name} directory", state, detail, remedy, needed=True)


def _front() -> DoctorRow:
    """Say whether the compiled front, helper and client can be used, which only make runs and commands faster."""
    from aisbx.plan.native import front

    path = front()
    for program in (path, *(f"{path.rpartition('/')[0]}/{name}" for name in _COMPILED)):
        if not os.path.exists(program):
            remedy = "a C compiler when aisbx is set up or its wheel is built"
            return DoctorRow("core", "compiled front", INFO, f"none at {program}: Python does its work", remedy)
        if not os.access(program, os.X_OK):
            remedy = "an installation on a file system that is not mounted with noexec"
            told = f"{program} can't be executed: Python does its work"
            return DoctorRow("core", "compiled front", INFO, told, remedy)
    return DoctorRow("core", "compiled front", INFO, f"{path} (AISBX_FRONT=0 turns it off)")


def _directory(path: str) -> tuple[str, str, str]:
    """Say whether we may keep files at a path, which need not exist yet."""
    here = path
    while not os.path.lexists(here) and os.path.dirname(here) != here:
        here = os.path.dirname(here)
    try:
        status = os.stat(here)
    except OSError as error:
        return MISSING, f"{path}: {error.strerror}", f"make {here} a directory of yours"
    if not stat.S_ISDIR(status.st_mode):
        return MISSING, f"{path}: {here} is not a directory", f"move {here} away"
    if not os.access(here, os.W_OK | os.X_OK):
        return MISSING, f"{path}: {here} is not writable", f"make {here} writable, or set the XDG_*_HOME variable"
    if here == path and hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        return MISSING, f"{path} belongs to uid {status.st_uid}", f"chown or move {path}"
    if not _has_room(here):
        return (
            MISSING,
            f"{path}: no space is left on its disk",
            "make room on that disk, or set the XDG_*_HOME variable",
        )
    return OK, path if here == path else f"{path} (made when needed)", ""


def _has_room(directory: str) -> bool:
    if not hasattr(os, "statvfs"):
        return True
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize >= ROOM and (found.f_favail > 0 or not found.f_files)


def _plugins(table: Iterable[PluginInfo]) -> Iterator[DoctorRow]:
    table = list(table)
    if not any(row.kind == "egress" for row in table):
        told = "none is installed: --network allow=HOST:PORT is refused"
        yield DoctorRow("plugins", "egress", INFO, told, "pip install aisbx-egress")
    for row in table:
        state = OK if row.usable else MISSING
        detail = f"{row.distribution} {row.version}" + (f": {row.reason}" if row.reason else "")
        yield DoctorRow("plugins", f"{row.kind} {row.name}", state, detail)


def _stores(names: Iterable[str], load: Callable[[str], Secrets]) -> Iterator[DoctorRow]:
    """Say of each secret store that can tell whether it is usable; no run with the defaults needs one."""
    for name in names:
        try:
            store = load(name)
            probe = store.probe() if isinstance(store, ProbedSecrets) else None
        except AisbxError as error:
            yield DoctorRow("secrets", name, MISSING, error.message, error.hint)
            continue
        except Exception as error:  # noqa: BLE001 - of someone else's, as a driver
            yield DoctorRow("secrets", name, MISSING, _failed(error), f"report it to the authors of {name}")
            continue
        if probe is None:
            yield DoctorRow("secrets", name, INFO, "each secret is looked for when it is asked for")
        else:
            detail = probe.reason or ", ".join(f"{fact}: {value}" for fact, value in probe.facts.items())
            yield DoctorRow("secrets", name, OK if probe.usable else INFO, detail, probe.remedy)


def _driver(name: str, load: Callable[[str], Driver], spec: SandboxSpec) -> Iterator[DoctorRow]:
    section = f"driver {name}"
    try:
        driver = load(name)
        probe = driver.probe()
    except AisbxError as error:
        yield DoctorRow(section, "driver", MISSING, error.message, error.hint, needed=True)
        return
    except Exception as error:  # noqa: BLE001 - a driver of someone else's must not hide the rest of the report
        yield DoctorRow(section, "driver", MISSING, _failed(error), f"report it to the authors of {name}", needed=True)
        return
    state = OK if probe.usable else MISSING
    yield DoctorRow(section, "driver", state, probe.reason, probe.remedy, needed=True)
    for fact, value in probe.facts.items():
        yield DoctorRow(section, fact, INFO, value)
    if probe.usable:
        yield from _controls(section, driver, spec)
        if isinstance(driver, WatchableDriver):
            yield _watching(section, driver, spec)


def _watching(section: str, driver: WatchableDriver, spec: SandboxSpec) -> DoctorRow:
    """Say whether sandboxes that last are watched where nobody asks for it; no run needs that."""
    try:
        why = driver.unwatched(spec)
    except Exception as error:  # noqa: BLE001 - as above
        return DoctorRow(section, "watching", MISSING, _failed(error), f"report it to the authors of {driver.name}")
    if why:
        return DoctorRow(section, "watching", INFO, f"sandboxes that last are not watched: {why}", "docs/monitoring.md")
    return DoctorRow(section, "watching", OK, "what a sandbox that lasts is refused is recorded (docs/monitoring.md)")


def _check(name: str, plugins: Plugins) -> Iterator[DoctorRow]:
    """Give what a distribution's own check finds; runs need none of it."""
    try:
        check = plugins.get("check", name)
        rows = list(cast("Check", check)())
        yield from (replace(row, section=name, needed=False) for row in rows)
    except AisbxError as error:
        yield DoctorRow(name, "check", MISSING, error.message, error.hint)
    except Exception as error:  # noqa: BLE001 - as a driver's
        yield DoctorRow(name, "check", MISSING, _failed(error), f"report it to the authors of {name}")


def _controls(section: str, driver: Driver, spec: SandboxSpec) -> Iterator[DoctorRow]:
    try:
        enforcement = driver.check(spec)
    except Exception as error:  # noqa: BLE001 - as above
        yield DoctorRow(section, "check", MISSING, _failed(error), needed=True)
        return
    required = frozenset(spec.required_controls())
    for control in CONTROLS:
        state = enforcement[control]
        detail = "; ".join(part for part in (state.mechanism, state.reason) if part)
        yield DoctorRow(section, control, _LEVELS[state.level], detail, state.remedy, needed=control in required)


def which_driver() -> str:
    """Say what to install where no driver is, on this system."""
    if sys.platform.startswith("linux"):
        return "pip install aisbx-driver-bwrap"
    return "there is no driver for this system yet; use a Linux machine and: pip install aisbx-driver-bwrap"


def _failed(error: Exception) -> str:
    return f"it failed: {type(error).__name__}: {error}"
