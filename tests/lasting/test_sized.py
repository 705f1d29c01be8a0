"""`create --disk` with a layer over the workspace: bounded as root, by a file system of its own; refused else."""

import os
import subprocess
from pathlib import Path

import pytest
from aisbx_linux import syscalls
from aisbx_linux.layer import sized

from .conftest import Box

_HALF = 16 << 20
FILL = "dd if=/dev/zero of=big bs=1M count=40 2>&1 | grep -c 'No space left'"
MANY = "i=0; while [ $i -lt 30000 ]; do : > f$i || exit 3; i=$((i + 1)); done 2> /dev/null"
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user is refused: see the test of that")


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
    box.out("create", "--name", "work", "-p", "shell", "-w", ".:cow", "--disk", "32M")
    assert _HALF <= taken(box) < _HALF + (2 << 20)
    assert box.out("exec", "work", "--", "sh", "-c", FILL) == "1\n"
    assert box("exec", "work", "--", "sh", "-c", f"rm big; mkdir many; cd many; {MANY}").returncode == 3
    assert taken(box) < _HALF + (2 << 20)
    box.out("exec", "work", "--", "sh", "-c", "rm -r many; echo two >> note; head -c 8M /dev/zero > big; ln big twin")
    assert box.json("inspect", "work", "--json")["enforcement"]["limit:disk"]["level"] == "full"
    for words in (("snapshot", "create", "work"), ("fork", "work", "other")):
        assert "a file system of its own (--disk)" in box.refused(*words, code="state")
    syscalls.detach(str(layer(box)))  # as after a restart of the machine, or in another mount namespace
    assert box.out("diff", "work", "--name-only") == "big\nnote\ntwin\n"
    box.out("apply", "work", "note", "big")
    assert (box.project / "note").read_text() == "one\ntwo\n"
    assert (box.project / "big").stat().st_size == 8 << 20
    box.out("destroy", "--discard", "work")
    assert not traces(box)
    assert not layer(box).parent.parent.exists()


@root_only
def test_without_the_bound_the_same_takes_the_hosts_disk(box: Box) -> None:
    box.out("create", "--name", "work", "-p", "shell", "-w", ".:cow")
    assert box("exec", "work", "--", "sh", "-c", FILL).stdout == "0\n"
    assert taken(box) > 40 << 20


@root_only
def test_one_that_was_cut_off_while_it_was_made_is_taken_away_by_the_next_command(box: Box) -> None:
    home = box.state / "sandboxes/half/home"
    home.mkdir(parents=True)
    for folder in (box.state, *home.parents[:2], home):
        folder.chmod(0o700)
    sized.make(home / "layer", _HALF, (str(box.project), "cow"), None)
    (home / "layer/about").unlink()
    assert traces(box)
    box.out("prune")
    assert not traces(box)
    assert not home.parent.exists()


def test_what_cannot_be_bounded_is_refused_with_what_to_do(box: Box) -> None:
    where = ("-p", "shell", "-w", ".:cow", "--disk", "32M")
    if os.geteuid() == 0:
        assert "aisbx create" in box.refused("run", *where, "--", "true", code="usage")
        less = (*where[:-1], "1M")
        assert "8 MiB at least; hint: give more" in box.refused("create", *less, code="not-enforced")
    else:
        for words in (("create",), ("run",)):
            said = box.refused(*words, *where, *(["--", "true"] if words == ("run",) else []), code="not-enforced")
            assert "only root can mount a file system of that size" in said
            assert "hint: run it as root, or use a read-only workspace" in said
    assert box.json("ls", "--json") == {"sandboxes": [], "runs": []}
