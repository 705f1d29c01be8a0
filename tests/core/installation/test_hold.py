"""Which mounts keep a made-up installation from being written, and where none can."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from aisbx.errors import AisbxError, PolicyError, WorkspaceError
from aisbx.inputs import Inputs
from aisbx.installation.hold import ABOVE, ORIGIN, hold
from aisbx.installation.parts import Part
from aisbx.types import Identity, Mount, SandboxSpec, Workspace, WorkspaceMode

ME = Identity("me", 1000, 1000, "/home/me")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A directory with an environment two levels down."""
    (tmp_path / "work/tools/venv/bin").mkdir(parents=True)
    return tmp_path / "work"


def held(
    workspace: Path | None,
    *parts: Part,
    mounts: Sequence[Mount] = (),
    mode: WorkspaceMode = WorkspaceMode.RW,
    inputs: Inputs | None = None,
) -> dict[str, tuple[str, bool, str]]:
    """Give what is mounted: target → (source, writable, origin)."""
    where = Workspace(str(workspace), mode) if workspace else None
    spec = SandboxSpec(profile="p", identity=ME, cwd="/", workspace=where, mounts=tuple(mounts))
    made = hold(spec, parts, inputs or Inputs({}))
    assert [mount.target for mount in made.mounts] == sorted(mount.target for mount in made.mounts)
    return {mount.target: (mount.source, mount.writable, mount.origin) for mount in made.mounts}


def venv(work: Path) -> Part:
    return Part(str(work / "tools/venv"), "the environment")


def test_a_part_in_the_workspace_is_read_only_and_what_is_above_it_cannot_be_renamed(work: Path) -> None:
    assert held(work, venv(work)) == {
        str(work / "tools"): (str(work / "tools"), True, ABOVE),
        str(work / "tools/venv"): (str(work / "tools/venv"), False, ORIGIN),
    }


def test_a_file_is_a_part_as_well(work: Path) -> None:
    (work / "aisbx").touch()
    assert held(work, Part(str(work / "aisbx"), "a script")) == {
        str(work / "aisbx"): (str(work / "aisbx"), False, ORIGIN)
    }


def test_what_lies_in_another_part_needs_no_mount_of_its_own(work: Path) -> None:
    inner = Part(str(work / "tools/venv/bin"), "the interpreter")
    assert held(work, inner, venv(work)) == held(work, venv(work))


@pytest.mark.parametrize("mode", [WorkspaceMode.COW, WorkspaceMode.GUARDED])
def test_a_workspace_whose_changes_are_applied_later_counts_as_writable(work: Path, mode: WorkspaceMode) -> None:
    assert held(work, venv(work), mode=mode) == held(work, venv(work))


def test_what_cannot_be_written_is_left_as_it_is(work: Path) -> None:
    shown = Mount(str(work), "/mnt/work", origin="the request")
    assert held(work, venv(work), mode=WorkspaceMode.RO) == {}
    assert list(held(None, venv(work), mounts=[shown])) == ["/mnt/work"]
    assert held(work, Part("/usr", "the Python", shared=True)) == {}


@pytest.mark.parametrize("through", ["", "link"], ids=["by its path", "by a link"])
def test_a_writable_mount_shows_a_part_at_its_own_place(work: Path, through: str) -> None:
    source = work
    if through:
        source = work.parent / through
        source.symlink_to(work)
    mounts = held(None, venv(work), mounts=[Mount(str(source), "/mnt/work", writable=True)])
    assert mounts["/mnt/work/tools"] == (str(work / "tools"), True, ABOVE)
    assert mounts["/mnt/work/tools/venv"] == (str(work / "tools/venv"), False, ORIGIN)


def test_a_part_that_is_reached_through_links_is_held_where_it_really_is(work: Path) -> None:
    (work.parent / "link").symlink_to(work / "tools")
    part = Part(str(work.parent / "link/venv"), "the environment")
    inputs = Inputs({})
    assert held(work, part, inputs=inputs) == held(work, venv(work))
    assert str(work.parent / "link") in [path for path, _, nofollow in inputs.paths if nofollow]


def test_a_directory_that_is_known_by_another_name_is_recognised(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a bind mount of the host: same device, same inode, no link."""
    other = work.parent / "other"
    other.mkdir()
    real = os.lstat

    def lstat(path: str, **more: int) -> os.stat_result:
        return real(str(path).replace(str(other), str(work)), **more)

    monkeypatch.setattr(os, "lstat", lstat)
    mounts = held(other, venv(work))
    assert mounts[str(other / "tools/venv")] == (str(work / "tools/venv"), False, ORIGIN)


@pytest.mark.parametrize("below", ["tools/venv", "tools/venv/bin"])
def test_a_workspace_in_a_part_is_refused(work: Path, below: str) -> None:
    with pytest.raises(WorkspaceError) as caught:
        held(work / below, venv(work))
    assert f"the environment ({work / 'tools/venv'})" in caught.value.message
    assert f"{work / below}:ro" in caught.value.hint


def test_a_writable_mount_of_a_part_is_refused_by_whatever_name(work: Path) -> None:
    (work / "link").symlink_to("tools/venv/bin")
    for name in ("tools/venv/bin", "link"):
        with pytest.raises(PolicyError, match="lies in the environment"):
            held(None, venv(work), mounts=[Mount(str(work / name), "/mnt", writable=True)])


def test_others_may_work_in_a_shared_place_but_not_on_all_of_it(work: Path) -> None:
    prefix = Part(str(work / "tools"), "the Python", shared=True)
    assert held(work / "tools/venv", prefix) == {}
    assert list(held(work, prefix)) == [str(work / "tools")]
    with pytest.raises(WorkspaceError, match="is the Python"):
        held(work / "tools", prefix)


def test_a_link_by_which_aisbx_is_reached_is_not_the_command_s_to_change(work: Path) -> None:
    (work / ".venv").symlink_to("tools/venv")
    with pytest.raises(WorkspaceError, match=r"holds the link .*/\.venv, which leads to the environment"):
        held(work, Part(str(work / ".venv"), "the environment"))


def test_a_link_in_a_part_is_held_with_it(work: Path) -> None:
    (work / "tools/venv/bin/python").symlink_to("/bin/sh")
    interpreter = Part(str(work / "tools/venv/bin/python"), "the Python")
    assert held(work, interpreter, venv(work)) == held(work, venv(work))


def test_a_part_that_is_yet_to_be_made_cannot_be_left_to_the_command(work: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"would let the command make .*/\.venv"):
        held(work, Part(str(work / ".venv"), "aisbx's checkout"))
    absent = Part(str(work / "tools/venv/lib/python311.zip"), "what aisbx imports from")
    assert held(work, venv(work), absent) == held(work, venv(work))
    assert held(work, Part("/nonexistent/python311.zip", "what aisbx imports from")) == {}


def test_a_mount_that_covers_the_way_to_a_part_hides_it_and_holds_its_own_place(work: Path, tmp_path: Path) -> None:
    over = Mount(str(tmp_path), str(work / "tools"), origin="the request")
    assert held(work, venv(work), mounts=[over]) == {over.target: (over.source, False, "the request")}
    deep = Mount("/srv", str(work / "tools/venv"), writable=True, origin="the request")
    mounts = held(work, venv(work), mounts=[deep])
    assert mounts[str(work / "tools")] == (str(work / "tools"), True, ABOVE)
    assert mounts[deep.target] == ("/srv", True, "the request")


def test_a_chain_of_links_without_an_end_is_no_place(work: Path) -> None:
    (work / "loop").symlink_to("loop")
    with pytest.raises(AisbxError, match="loop"):
        held(work, Part(str(work / "loop/venv"), "the environment"))
