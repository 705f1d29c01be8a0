"""Another run in the same workspace puts links where this one is about to mount something.

The swap is made at the worst moments there are: after the mounts' sources were opened, and after the workspace was
looked at, in either case before anything is mounted there.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aisbx.admission import unmet
from aisbx.doctor import SAMPLE
from aisbx.types import Level, Workspace, WorkspaceMode
from aisbx_linux.local.enforce import Facts, enforcement

from .conftest import CORE, World

SWAPPED = """
import os, sys
sys.path.insert(0, sys.argv[1])
import aisbx.cli.lean as lean
import aisbx.plan.recall as recall
install = recall.install
def watched(kept):
    install(kept)
    import aisbx_linux.launch as launch
    place, name = {"opened": (launch, "assemble"), "looked": (launch.Guard, "_covers")}[sys.argv[2]]
    real = getattr(place, name)
    def swapped(*arguments):
        found = real(*arguments)
        os.rename("dir", "away")
        os.symlink(sys.argv[3], "dir")
        return found
    setattr(place, name, swapped)
recall.install = watched
lean.main(sys.argv[4:])
"""


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A directory of the host that everybody may read and write, so that only the sandbox is in the way."""
    place = Path(tempfile.mkdtemp(dir="/var/tmp"))
    place.chmod(0o777)
    yield place
    shutil.rmtree(place)


def swapped(world: World, moment: str, target: str, script: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a script from a plan at hand while `dir` becomes a link to `target`."""
    world.warm(*options)
    command = ["run", *options, "--", "sh", "-c", script]
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", SWAPPED, CORE, moment, target, *command],
        cwd=world.project,
        env=world.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_directory_of_the_host_is_not_mounted_through_a_link(
    world_of: Callable[[str], World], elsewhere: Path
) -> None:
    world = world_of("lean")
    (world.project / "dir").mkdir()
    (world.project / "dir" / ".envrc").write_text("of the project\n")
    (elsewhere / ".envrc").write_text("of the host\n")
    done = swapped(world, "looked", str(elsewhere), "cat dir/.envrc")
    assert "of the host" not in done.stdout
    assert (done.returncode, done.stdout) == (125, "")
    assert "dir/.envrc was moved, or a link leads to it" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_of_the_home_is_not_shown_through_a_link_to_the_home(world_of: Callable[[str], World]) -> None:
    world = world_of("lean")
    (world.project / "dir").mkdir()
    (world.project / "dir" / ".envrc").write_text("of the project\n")
    (world.home / ".envrc").write_text("of the host\n")
    # The home is there for bubblewrap on both sides: the host's where it reads, the empty one where it mounts.
    done = swapped(world, "looked", "../home", "cat dir/.envrc")
    assert "of the host" not in done.stdout
    assert (done.returncode, done.stdout) == (125, "")
    assert "dir/.envrc was moved, or a link leads to it" in done.stderr


@pytest.mark.parametrize("kind", ["ro", "rw"])
def test_nothing_is_made_on_the_host_through_a_link_on_the_way_to_a_mount(
    world_of: Callable[[str], World], elsewhere: Path, kind: str
) -> None:
    world = world_of("lean")
    (world.project / "dir" / "place").mkdir(parents=True)
    data = world.home / "data"
    data.mkdir()
    option = f"--mount={data}:{world.project}/dir/place:{kind}"
    # While bubblewrap mounts, the host's root is at /oldroot for it.
    done = swapped(world, "opened", f"/oldroot{elsewhere}", "true", option)
    assert os.listdir(elsewhere) == []
    assert (done.returncode, done.stderr.count("\n")) == (125, 1)
    assert " link" in done.stderr


def test_a_protected_file_is_not_left_writable_by_a_link_to_elsewhere(
    world_of: Callable[[str], World],
) -> None:
    world = world_of("lean")
    for name in ("dir", "other"):
        (world.project / name).mkdir()
        (world.project / name / ".envrc").write_text("of the project\n")
    done = swapped(world, "looked", "other", "echo planted > away/.envrc")
    assert (world.project / "away" / ".envrc").read_text() == "of the project\n"
    assert done.returncode == 125


def test_mounts_in_mounts_in_the_workspace_are_all_there(world: World) -> None:
    (world.project / "dir" / "place").mkdir(parents=True)
    (world.project / "dir" / ".envrc").write_text("of the project\n")
    data = world.home / "data"
    (data / "inner").mkdir(parents=True)
    (data / "file").write_text("of data\n")
    (world.home / "more").mkdir()
    (world.home / "more" / "file").write_text("of more\n")
    place = world.project / "dir" / "place"
    options = [f"--mount={data}:{place}:rw", f"--mount={world.home}/more:{place}/inner:ro"]
    script = (
        "cat dir/place/file dir/place/inner/file; echo x > dir/place/new;"
        "echo x > dir/place/inner/new; echo x >> dir/.envrc; cat dir/.envrc"
    )
    done = world.run("sh", "-c", script, options=options)
    assert done.stdout.decode().splitlines() == ["of data", "of more", "of the project"], done.stderr
    assert done.stderr.count(b"Read-only file system") == 2
    assert (data / "new").exists()
    assert os.listdir(world.home / "more") == ["file"]


@pytest.mark.parametrize(
    ("mode", "contained", "lowered", "level"),
    [
        (WorkspaceMode.RW, True, frozenset[str](), Level.FULL),
        (WorkspaceMode.RW, False, frozenset[str](), Level.PARTIAL),
        (WorkspaceMode.RO, False, frozenset[str](), Level.FULL),
        (WorkspaceMode.RW, True, frozenset({"fs:host-hidden"}), Level.PARTIAL),
    ],
)
def test_where_the_launcher_cannot_mount_a_live_workspace_is_refused(
    mode: WorkspaceMode, *, contained: bool, lowered: frozenset[str], level: Level
) -> None:
    spec = replace(SAMPLE, workspace=Workspace("/home/sandbox/project", mode), lowered=lowered)
    state = enforcement(spec, Facts(contained=contained))["fs:host-hidden"]
    assert state.level is level
    assert bool(state.reason) == (level is not Level.FULL)
    assert (
        "fs:host-hidden" in [row.control for row in unmet(spec, enforcement(spec, Facts(contained=contained)))]
    ) == (level is Level.PARTIAL and not lowered)


def test_who_gave_it_up_by_name_still_has_what_is_protected_held(world: World) -> None:
    config = world.home / ".config" / "aisbx"
    config.mkdir(parents=True)
    (config / "config.toml").write_text('lower = ["fs:host-hidden"]\n')
    (world.project / ".envrc").write_text("of the project\n")
    done = world.run("sh", "-c", "echo x >> .envrc; cat .envrc")
    assert (done.returncode, done.stdout) == (0, b"of the project\n"), done.stderr
    assert b"Read-only file system" in done.stderr


def test_nothing_is_undone_in_a_directory_that_took_the_workspaces_place(world_of: Callable[[str], World]) -> None:
    world = world_of("full")
    for name in ("outer", "victim"):
        (world.project / name / "inner").mkdir(parents=True)
    (world.project / "victim/inner/.vscode").mkdir()
    (world.project / "victim/inner/.vscode/tasks.json").write_text("{}")
    command = world.full("--", "sh", "-c", "echo begun; read line")
    with subprocess.Popen(
        command,
        cwd=world.project / "outer/inner",
        env=world.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout
        assert running.stdout.readline() == b"begun\n"
        (world.project / "outer").rename(world.project / "away")
        (world.project / "outer").symlink_to("victim")
        told = running.communicate(b"go on\n", timeout=60)[1]
    assert (running.returncode, (world.project / "victim/inner/.vscode/tasks.json").exists()) == (0, True), told
    assert b"it was moved, or a link leads to its place: what it holds now is unchecked" in told
