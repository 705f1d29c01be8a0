"""Where root is given less, the driver does with less, says so, and holds what it claims."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aisbx.testing.results import load

from tests.driver_chroot.levels import PYTHON
from tests.driver_chroot.test_ways_out import ATTACK, WAYS
from tests.linux.roots import systems

ROOT = Path(__file__).parents[2]
# Prints for each way what came of it, and what the driver says of itself and of its controls.
SCRIPT = r"""
import json, os, sys
from dataclasses import replace
from pathlib import Path
from aisbx.plugins import Plugins
from aisbx.testing.attacks import ATTACKS
from aisbx.testing.scene import Scene
from aisbx.testing.ways import opened, perform
from aisbx.types import Command, Limit, Stdio
from tests.driver_chroot.levels import Lesser

place, rootfs, attack, *ways = sys.argv[1:]
driver = Plugins().get("driver", "chroot", {"cache_dir": f"{place}/cache"})
with Scene() as scene:
    if os.geteuid() == 0:
        os.chown(scene.workspace, 1234, 1234)
    spec = replace(scene.spec(), rootfs=rootfs)
    told = {"probe": [driver.probe().usable, driver.probe().reason, driver.probe().facts.get("level", "")]}
    told["levels"] = {state.control: state.level.value for state in driver.check(spec).states}
    if driver.probe().usable:
        def ran(*argv):
            status = driver.open(spec, Path(place, "home")).spawn(Command(argv=argv), Stdio()).wait(30)
            return status.stdout.data.decode() + status.stderr.data.decode()
        said = "id -u; id -g; cat /proc/self/status; { echo > made; } 2> /dev/null; echo x > /dev/null && echo null"
        told["said"] = ran("/bin/sh", "-c", said)
        if ways:
            secret = scene.file("secret", text="secret")
            seen = perform(ATTACKS["priv:not-root/host-uid"], opened(Lesser(driver, rootfs)), "/usr/bin/python3")
            told["root"] = [seen.breached, seen.what]
            told["ways"] = {way: ran("/usr/bin/python3", "-I", "-c", attack, way, secret) for way in ways}
        told["made"] = [os.stat(f"{scene.workspace}/made").st_uid] if os.path.exists(f"{scene.workspace}/made") else []
        # As many tasks as this one is allowed are there of the uid that the processes in between share.
        if "sleep" in os.listdir("/usr/bin"):
            home = Path(place, "other")
            home.mkdir(mode=0o700)
            other = driver.open(spec, home).spawn(Command(argv=("/bin/sh", "-c", "sleep 20")), Stdio())
            usual, spec = spec, replace(spec, limits={**spec.limits, "pids": Limit(2)})
            ran("/bin/sh", "-c", "sleep 98764 & sleep 0.1 || exec true")
            spec = usual
            other.signal(9)
            other.wait(30)
        told["background"] = ran("/bin/sh", "-c", "sleep 98765 & echo $!") if "sleep" in os.listdir("/usr/bin") else ""
print(json.dumps(told))
"""


def told(what: str, place: Path, rootfs: str = "", ways: tuple[str, ...] = ()) -> Any:
    for name in ("cache", "home"):
        (place / name).mkdir(mode=0o700)
    less = [sys.executable, "-m", "tests.driver_chroot.less", what]
    argv = [*less, sys.executable, "-c", SCRIPT, str(place), rootfs, ATTACK, *ways]
    environ = {**os.environ, "AISBX_LEVEL": {"users": "privileged", "all": "plain"}[what]}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def as_recorded(level: str, levels: dict[str, str]) -> bool:
    """Whether the driver says what it said when `./dev levels` attacked it; how limits hold is a machine's matter."""
    seen = load(ROOT / "docs/kit-results-chroot.json", (level,))[level]
    return all(seen[name].level == now for name, now in levels.items() if not name.startswith("limit:"))


@pytest.fixture
def reachable() -> Iterator[Path]:
    """Each run is another user, who has to get there."""
    with tempfile.TemporaryDirectory(prefix="aisbx-levels-", dir="/var/tmp") as place:
        Path(place).chmod(0o711)
        yield Path(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="root's privileges are what takes the place of user namespaces")
def test_without_user_namespaces_root_makes_the_same_and_becomes_somebody_else(tmp_path: Path) -> None:
    found = told("users", tmp_path, ways=WAYS)
    assert found["probe"][:2] == [True, ""]
    level = "privileged: no user namespace can be made: root makes the others, and gives up its privileges; for all "
    assert found["probe"][2].startswith(level)
    said = found["said"]
    assert said.startswith("1234\n1234\n")
    assert "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000" in said
    assert "NoNewPrivs:\t1" in said
    assert said.endswith("null\n")
    assert found["made"] == [1234]
    ways = found["ways"]
    assert {way: text.startswith("still in") for way, text in ways.items()} == dict.fromkeys(WAYS, True), ways
    assert found["root"] == [False, "nothing gained"]
    levels = found["levels"]
    assert as_recorded("privileged", levels)
    assert (levels["fs:host-hidden"], levels["proc:isolated"], levels["priv:not-root"]) == ("full",) * 3


@pytest.mark.skipif(os.geteuid() != 0, reason="chroot(2) is root's")
def test_without_namespaces_there_is_chroot_alone_which_claims_little(tmp_path: Path, reachable: Path) -> None:
    trees = [str(found) for found in Path("/usr/lib").glob("python3.*") if found.is_dir()]
    origin = systems.system(tmp_path / "system.tar", (*PYTHON, "sleep"), trees)
    root = reachable / "root"
    make = "import sys, pathlib; from aisbx_linux.roots.make import make_root; from aisbx_linux.seccomp import "
    make += "compile_filter; make_root(pathlib.Path(sys.argv[1]), sys.argv[2], compile_filter(('base',)), print)"
    less = [sys.executable, "-m", "tests.driver_chroot.less", "all", sys.executable, "-c", make, str(root), origin]
    subprocess.run(less, check=True, cwd=ROOT, timeout=60)
    found = told("all", tmp_path, str(root), ways=WAYS)
    assert found["probe"][2].startswith("plain: no namespaces can be made: chroot(2) alone; for all ")
    uid = found["said"].split()[0]
    assert int(uid) >= 2_000_000_000
    assert "\nnull\n" in found["said"]
    assert found["made"] == []
    levels = found["levels"]
    assert as_recorded("plain", levels)
    held = {name for name, level in levels.items() if level == "full"}
    assert {"fs:host-hidden", "net:deny", "ipc:isolated", "priv:no-caps", "priv:not-root", "limit:pids"} <= held
    assert not held & {"fs:workspace", "fs:private-tmp", "proc:isolated", "proc:no-survivors", "info:host"}
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not [one for one in ("sleep 98764", "sleep 98765") if one in left]
    ways = found["ways"]
    assert {way: text.startswith("still in") for way, text in ways.items()} == dict.fromkeys(WAYS, True), ways


@pytest.mark.skipif(os.geteuid() == 0, reason="root does with less")
@pytest.mark.parametrize("what", ["users", "all"])
def test_an_ordinary_user_has_nothing_in_the_place_of_user_namespaces(what: str, tmp_path: Path) -> None:
    found = told(what, tmp_path)
    usable, reason, level = found["probe"]
    assert not usable
    assert reason
    assert level == "none: only root has something in the place of user namespaces"
