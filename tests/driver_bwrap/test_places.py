"""Homes and workspaces in places of their own."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from .conftest import World


@pytest.fixture
def below_var_tmp() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(dir="/var/tmp"))
    yield place
    shutil.rmtree(place)


def test_a_home_and_a_workspace_below_var_tmp_work(world: World, below_var_tmp: Path) -> None:
    home, project = below_var_tmp / "home", below_var_tmp / "project"
    home.mkdir()
    project.mkdir()
    moved = replace(world, home=home, project=project, environ={**world.environ, "HOME": str(home)})
    done = moved.run("sh", "-c", "echo made > here; pwd; echo $HOME")
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().split() == [str(project), str(home)]
    assert (project / "here").read_text() == "made\n"


def test_files_that_root_s_sandbox_makes_belong_to_the_workspace_s_owner(world: World) -> None:
    world.run("sh", "-c", "echo x > new; mkdir dir; echo y > dir/file")
    owner = world.project.stat()
    for path in (world.project / "new", world.project / "dir" / "file"):
        assert (path.stat().st_uid, path.stat().st_gid) == (owner.st_uid, owner.st_gid)


def test_private_space_is_gone_with_the_run(world: World) -> None:
    world.run("sh", "-c", "echo x > /tmp/left; echo x > ~/left; echo x > /dev/shm/left")
    done = world.run("sh", "-c", "ls -A /tmp /dev/shm; ls -A ~")
    assert b"left" not in done.stdout
    assert not Path("/tmp/left").exists()


def test_standard_streams_can_be_opened_by_name(world: World) -> None:
    done = subprocess.run(
        world.full("--", "sh", "-c", "echo out > /dev/stdout; echo err > /dev/stderr; cat /dev/stdin"),
        cwd=world.project,
        env=world.environ,
        input=b"in\n",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == (b"out\nin\n", b"err\n")
