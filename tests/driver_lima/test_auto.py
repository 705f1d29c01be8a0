"""`-d auto` takes a virtual machine for what it can hold, where there can be one; nothing is booted here."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.driver_lima.test_refusals import image_in

PROGRAMS = ("limactl", f"qemu-system-{os.uname().machine}", "ssh")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a project beside all that it takes to have a machine: none of it is run to find out."""
    (tmp_path / "bin").mkdir()
    for name in PROGRAMS:
        (tmp_path / "bin" / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "bin" / name).chmod(0o755)
    image_in(tmp_path / "image")
    (tmp_path / "home/project").mkdir(parents=True)
    return tmp_path / "home/project"


def previewed(project: Path, *options: str) -> Any:
    above = project.parents[1]
    environ = {"HOME": str(project.parent), "PATH": f"{above}/bin:/usr/local/bin:/usr/bin:/bin"}
    environ |= {"AISBX_DRIVERS__LIMA__IMAGE": f"{above}/image", "AISBX_DRIVERS__LIMA__HOME": f"/tmp/al-{os.getpid()}"}
    argv = [Path(sys.executable).parent / "aisbx", "run", "--dry-run", "--json", *options, "--", "true"]
    done = subprocess.run(argv, cwd=project, env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout)


def test_auto_takes_the_machine_where_the_workspace_can_be_a_copy_and_else_what_holds_it_live(project: Path) -> None:
    live = previewed(project, "-d", "auto")
    assert live["driver"] == "bwrap"
    copied = previewed(project, "-d", "auto", "-w", ".:ro")
    if os.geteuid() == 0:
        assert "lima: Lima does not run as root" in live["driver_why"]
        assert copied["driver"] == "bwrap"
        return
    assert "lima: does not hold fs:workspace" in live["driver_why"]
    assert (copied["driver"], copied["driver_why"]) == ("lima", "it is the strongest that holds all that is required")
    assert copied["enforcement"]["priv:not-root"]["mechanism"] == "an ordinary user of the guest"


def test_nobody_who_named_no_driver_waits_for_a_machine(project: Path) -> None:
    assert previewed(project, "-w", ".:ro")["driver"] == "bwrap"
