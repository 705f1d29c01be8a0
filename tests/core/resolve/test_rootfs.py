"""Which root directory a sandbox may have."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from aisbx.errors import UsageError
from aisbx.inputs import Inputs
from aisbx.resolve import real_rootfs
from aisbx.types import Identity, Mount, SandboxSpec, Workspace, WorkspaceMode


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path.resolve() / "root"
    (made / "usr").mkdir(parents=True)
    return made


@pytest.fixture
def spec(root: Path) -> SandboxSpec:
    home, work = root.parent / "home", root.parent / "work"
    home.mkdir()
    work.mkdir()
    who = Identity("me", 1000, 1000, str(home))
    return SandboxSpec(profile="base", identity=who, cwd="/", workspace=Workspace(str(work)), rootfs=str(root))


def refused(spec: SandboxSpec, *own: str) -> str:
    with pytest.raises(UsageError) as caught:
        real_rootfs(spec, own, Inputs({}))
    return caught.value.message


def test_it_is_given_by_its_real_path(spec: SandboxSpec, root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)
    assert real_rootfs(replace(spec, rootfs=str(link)), (), Inputs({})).rootfs == str(root)
    assert real_rootfs(replace(spec, rootfs=""), (), Inputs({})).rootfs == ""


def test_what_is_no_system_is_refused(spec: SandboxSpec, root: Path) -> None:
    (root / "usr").rmdir()
    assert "neither usr nor bin" in refused(spec)
    assert "No such file" in refused(replace(spec, rootfs=f"{root}/none"))
    assert "the host's own" in refused(replace(spec, rootfs="/"))


@pytest.mark.parametrize("which", ["", "usr"])
def test_one_that_others_can_change_is_refused(spec: SandboxSpec, root: Path, which: str) -> None:
    (root / which).chmod(0o777)
    assert "can be written by everybody" in refused(spec)


@pytest.mark.parametrize("mode", WorkspaceMode)
def test_one_that_lies_in_the_workspace_is_refused(spec: SandboxSpec, root: Path, mode: WorkspaceMode) -> None:
    """What a repository holds would be the system that runs; and what a command writes, that of the next one."""
    assert "which the command is given" in refused(replace(spec, workspace=Workspace(str(root.parent), mode)))
    assert "which the command is given" in refused(replace(spec, workspace=Workspace(f"{root}/usr", mode)))


def test_one_that_a_command_could_write_by_a_mount_is_refused(spec: SandboxSpec, root: Path) -> None:
    assert "which the command is given" in refused(replace(spec, mounts=(Mount(str(root), "/m", writable=True),)))
    assert real_rootfs(replace(spec, mounts=(Mount(str(root), "/m"),)), (), Inputs({})).rootfs == str(root)


def test_a_home_and_what_is_aisbxs_own_are_no_root_directories(spec: SandboxSpec, root: Path) -> None:
    home = replace(spec.identity, home=str(root))
    assert "is or holds a home" in refused(replace(spec, identity=home))
    assert "aisbx's own" in refused(spec, f"{root}/usr")
    assert "aisbx's own" in refused(spec, os.path.dirname(root))
