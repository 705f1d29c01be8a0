"""What the doctor reports, with drivers made for each case: a failing part is a row, never an exception."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from aisbx.doctor import DoctorRow, examine, ready
from aisbx.errors import PluginBrokenError, ProfileError, WorkspaceError
from aisbx.plugins import PluginInfo, Plugins
from aisbx.types import CONTROLS, ControlState, Driver, Enforcement, Identity, Level, Probe, SandboxSpec

SPEC = SandboxSpec(profile="base", identity=Identity("somebody", 1000, 1000, "/home/somebody"), cwd="/src")


@dataclass
class Stand:
    """A driver that says what it is told to say."""

    name: str = "stand"
    found: Probe | Exception = field(default_factory=lambda: Probe(usable=True, facts={"version": "1.2"}))
    missing: Mapping[str, ControlState] = field(default_factory=dict[str, ControlState])
    fails: Exception | None = None

    def probe(self) -> Probe:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def check(self, spec: SandboxSpec) -> Enforcement:
        del spec
        if self.fails:
            raise self.fails
        full = {name: ControlState(name, Level.FULL, mechanism="wall") for name in CONTROLS}
        return Enforcement.of((full | dict(self.missing)).values())


class Installed:
    """Plugins of which the drivers are given."""

    def __init__(self, *drivers: Stand | Exception, broken: tuple[PluginInfo, ...] = ()) -> None:
        self._drivers = {driver.name if isinstance(driver, Stand) else "bad": driver for driver in drivers}
        self._broken = broken

    def table(self) -> list[PluginInfo]:
        return [*(PluginInfo("driver", name, "dist", "1", "m") for name in self._drivers), *self._broken]

    def names(self, kind: str) -> list[str]:
        return sorted(self._drivers) if kind == "driver" else []

    def load(self, name: str) -> Driver:
        driver = self._drivers[name]
        if isinstance(driver, Exception):
            raise driver
        return cast("Driver", driver)


def rows(
    *drivers: Stand | Exception, directories: Mapping[str, str] | None = None, broken: tuple[PluginInfo, ...] = ()
) -> list[DoctorRow]:
    installed = Installed(*drivers, broken=broken)
    return examine(cast("Plugins", installed), installed.load, directories or {}, lambda: SPEC)


def test_without_an_egress_plugin_it_says_what_an_allow_list_needs() -> None:
    [row] = [row for row in rows(Stand()) if row.name == "egress"]
    assert (row.state, row.remedy) == ("info", "pip install aisbx-egress")
    there = PluginInfo("egress", "allowlist", "dist", "1", "m")
    assert not [row for row in rows(Stand(), broken=(there,)) if row.name == "egress"]


def test_every_control_of_a_usable_driver_is_a_row_with_its_mechanism() -> None:
    report = rows(Stand())
    of_driver = {row.name: row for row in report if row.section == "driver stand"}
    assert set(CONTROLS) <= of_driver.keys()
    assert of_driver["net:deny"] == DoctorRow("driver stand", "net:deny", "ok", "wall", "", needed=True)
    assert of_driver["version"].detail == "1.2"
    assert ready(report)


def test_a_control_that_is_needed_and_missing_makes_it_not_ready_and_shows_the_remedy() -> None:
    state = ControlState("net:deny", Level.NONE, reason="no namespaces", remedy="sysctl x=1")
    report = rows(Stand(missing={"net:deny": state}))
    [row] = [row for row in report if row.name == "net:deny"]
    assert (row.state, row.detail, row.remedy, row.needed) == ("missing", "no namespaces", "sysctl x=1", True)
    assert not ready(report)


def test_a_limit_that_nobody_asked_for_may_be_missing() -> None:
    state = ControlState("limit:memory", Level.PARTIAL, mechanism="watchdog", reason="no cgroup")
    report = rows(Stand(missing={"limit:memory": state}))
    [row] = [row for row in report if row.name == "limit:memory"]
    assert (row.state, row.detail, row.needed) == ("partial", "watchdog; no cgroup", False)
    assert ready(report)


def test_one_whole_driver_is_enough() -> None:
    broken = Stand(name="other", found=Probe(usable=False, reason="no tool", remedy="install it"))
    assert ready(rows(Stand(), broken))
    assert not ready(rows(broken))


@pytest.mark.parametrize(
    "driver",
    [
        Stand(found=RuntimeError("boom")),
        Stand(fails=RuntimeError("boom")),
        PluginBrokenError("boom", hint="reinstall"),
        RuntimeError("boom"),
    ],
    ids=["probe", "check", "broken plugin", "factory"],
)
def test_a_driver_that_fails_is_a_row_and_hides_nothing(driver: Stand | Exception) -> None:
    report = rows(driver, Stand(name="other"))
    assert any("boom" in row.detail and row.state == "missing" for row in report)
    assert sum(row.section == "driver other" for row in report) > len(CONTROLS)


def test_without_a_driver_it_says_which_to_install() -> None:
    report = rows()
    assert not ready(report)
    [row] = [row for row in report if row.name == "driver"]
    assert row.remedy == "pip install aisbx-driver-bwrap"


def test_a_plugin_in_conflict_is_a_row() -> None:
    broken = PluginInfo("driver", "x", "one", "1", "m", usable=False, reason="offered by one and two")
    assert DoctorRow("plugins", "driver x", "missing", "one 1: offered by one and two") in rows(
        Stand(), broken=(broken,)
    )


def test_defaults_that_cannot_be_resolved_are_a_row() -> None:
    def fails() -> SandboxSpec:
        raise ProfileError("there is no profile 'base'", hint="pip install aisbx-profiles")

    report = examine(cast("Plugins", Installed()), Installed().load, {}, fails)
    assert (
        DoctorRow(
            "core",
            "default sandbox",
            "missing",
            "there is no profile 'base'",
            "pip install aisbx-profiles",
            needed=True,
        )
        in report
    )
    assert not ready(report)


def test_a_directory_that_is_no_workspace_does_not_hide_what_the_machine_can_do() -> None:
    def fails() -> SandboxSpec:
        raise WorkspaceError("/root may not be a workspace", hint="go into a project")

    report = examine(cast("Plugins", Installed(Stand())), Installed(Stand()).load, {}, fails)
    assert DoctorRow("core", "this directory", "missing", "/root may not be a workspace", "go into a project") in report
    assert {row.name for row in report} >= set(CONTROLS)
    assert ready(report)


def test_directories_of_ours_are_looked_at_and_not_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    report = rows(
        Stand(),
        directories={
            "good": str(tmp_path),
            "later": str(tmp_path / "a" / "b"),
            "file": str(tmp_path / "file"),
            "below": str(tmp_path / "file" / "x"),
        },
    )
    states = {row.name: row.state for row in report if row.section == "core"}
    assert states["good directory"] == states["later directory"] == "ok"
    assert states["file directory"] == states["below directory"] == "missing"
    assert not (tmp_path / "a").exists()
    assert not ready(report)


def test_a_directory_of_somebody_else_is_not_usable(tmp_path: Path) -> None:
    foreign = "/usr"
    if os.geteuid() == 0:
        foreign = str(tmp_path / "theirs")
        os.mkdir(foreign)
        os.chown(foreign, 65534, 65534)
    [row] = [row for row in rows(Stand(), directories={"state": foreign}) if row.name == "state directory"]
    assert row.state == "missing"
    assert row.remedy


def test_it_says_whether_the_compiled_front_carries_runs_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    front = tmp_path / "aisbx-front"
    [row] = [row for row in rows(Stand()) if row.name == "compiled front"]
    assert (row.state, row.detail, row.needed) == ("info", f"none at {front}: Python does its work", False)
    assert "compiler" in row.remedy
    for name in ("aisbx-front", "aisbx-helper", "aisbx-watcher", "aisbx-client.so"):
        tmp_path.joinpath(name).touch(0o755)
    [row] = [row for row in rows(Stand()) if row.name == "compiled front"]
    assert row.detail == f"{front} (AISBX_FRONT=0 turns it off)"
    helper = tmp_path / "aisbx-helper"
    helper.chmod(0o644)
    [row] = [row for row in rows(Stand()) if row.name == "compiled front"]
    assert row.detail == f"{helper} can't be executed: Python does its work"
    assert "noexec" in row.remedy
