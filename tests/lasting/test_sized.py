"""`create --disk` with a layer over the workspace: bounded as root, by a file system of its own; refused else."""

import os
import subprocess
from pathlib import Path

import pytest
from aisbx import Sandbox
from aisbx.errors import StateError
from aisbx_linux import syscalls
from aisbx_linux.layer import sized

from .conftest import Box, eventually

_HALF = 16 << 20
FILL = "dd if=/dev/zero of=big bs=1M count=40 2>&1 | grep -c 'No space left'"
MANY = "mkdir many; cd many; i=0; while [ $i -lt 30000 ]; do : > f$i; i=$((i + 1)); done"
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user is refused: see the test of that")


@pytest.fixture(autouse=True)
def there(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in box.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(box.project)


def layer(box: Box) -> Path:
    return box.state / "sandboxes/work/home/layer"


def taken(box: Box) -> int:
    """Give the bytes that a sandbox takes from the host's disk."""
    found = subprocess.run(["du", "-sxB1", box.state / "sandboxes/work"], capture_output=True, text=True, check=True)
    return int(found.stdout.split()[0])


def traces(box: Box) -> list[str]:
    loops = [path.read_text() for path in Path("/sys/block").glob("loop*/loop/backing_file")]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in (*loops, *mounts) if str(box.home) in line]


@root_only
def test_a_layer_of_a_size_fills_itself_and_not_the_hosts_disk_and_is_there_after_a_restart(box: Box) -> None:
    (box.project / "note").write_text("one\n")
    work = Sandbox.create("work", profile="shell", mode="cow", disk=2 * _HALF)
    assert _HALF <= taken(box) < _HALF + (2 << 20)
    assert work.exec(["sh", "-c", FILL]).text == "1\n"
    full = {change.path: change.size for change in work.changes.list()}
    assert 8 << 20 < full["big"] < _HALF
    assert not work.changes.apply("big").left
    assert (box.project / "big").stat().st_size == full["big"]
    assert "No space left on device" in work.exec(["sh", "-c", f"rm big; {MANY}"]).errors
    assert taken(box) < _HALF + (2 << 20)
    work.exec(["sh", "-c", "rm -r many; echo two >> note; head -c 8M /dev/zero > big; ln big twin"], check=True)
    assert work.info.enforcement["limit:disk"].level == "full"
    for share in (work.snapshot, work.fork):
        with pytest.raises(StateError, match="a file system of its own"):
            share()
    syscalls.detach(str(layer(box)))  # as after a restart of the machine, or in another mount namespace
    assert [change.path for change in work.changes.list()] == ["big", "note", "twin"]
    assert not work.changes.apply("note", "big").left
    assert (box.project / "note").read_text() == "one\ntwo\n"
    assert (box.project / "big").stat().st_size == 8 << 20
    work.destroy(discard=True)
    assert eventually(lambda: not traces(box))
    assert not layer(box).parent.parent.exists()


@root_only
def test_without_the_bound_the_same_takes_the_hosts_disk(box: Box) -> None:
    work = Sandbox.create("work", profile="shell", mode="cow")
    assert work.exec(["sh", "-c", FILL]).text == "0\n"
    assert taken(box) > 40 << 20
    work.destroy(discard=True)


@root_only
def test_one_that_was_cut_off_while_it_was_made_is_taken_away_by_the_next_command(box: Box) -> None:
    home = box.state / "sandboxes/half/home"
    home.mkdir(parents=True)
    for folder in (*home.parents[:4], home):
        folder.chmod(0o700)
    sized.make(home / "layer", _HALF, (str(box.project), "cow"), None)
    (home / "layer/about").unlink()
    assert traces(box)
    box.out("prune")
    assert eventually(lambda: not traces(box))
    assert not home.parent.exists()


def test_what_cannot_be_bounded_is_refused_with_what_to_do(box: Box) -> None:
    where = ("-p", "shell", "-w", ".:cow", "--disk")
    if os.geteuid() == 0:
        assert "aisbx create" in box.refused("run", *where, "32M", "--", "true", code="usage")
        assert "8 MiB at least; hint: give more" in box.refused("create", *where, "1M", code="not-enforced")
    else:
        said = box.refused("create", *where, "32M", code="not-enforced")
        assert "only root can mount a file system of that size" in said
        assert "hint: run it as root, or use a read-only workspace" in said
    assert Sandbox.names() == []
