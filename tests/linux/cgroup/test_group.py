"""The groups of a launch: made, filled, read, removed."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aisbx_linux.cgroup.find import find, rows
from aisbx_linux.cgroup.group import PREFIX, Group, count

MIB = 1 << 20


def test_a_key_is_counted_as_the_kernel_writes_it() -> None:
    text = b"oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"
    assert (count(text, "oom_kill"), count(text, "max")) == (3, 0)


def test_where_one_group_cannot_be_made_it_is_said_where_and_nothing_is_left(tmp_path: Path) -> None:
    group = Group([(str(tmp_path), [("memory.max", "1")], [])])
    with pytest.raises(OSError, match=r"the cgroup .* cannot be made: No such file"):
        group.make()
    assert group.settle() == set()
    assert os.listdir(tmp_path) == []


def test_a_place_that_is_gone_is_told_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f"cgroups cannot be made: No such file or directory: {tmp_path}/gone"):
        Group([(f"{tmp_path}/gone", [], [])])


def test_only_groups_of_launchers_that_are_gone_are_swept(tmp_path: Path) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    for name in (f"{PREFIX}{process.pid}-0", f"{PREFIX}{os.getpid()}-9", "other"):
        (tmp_path / name).mkdir()
    group = Group([(str(tmp_path), [], [])])
    group.make()
    group.settle()
    assert sorted(os.listdir(tmp_path)) == [f"{PREFIX}{os.getpid()}-9", "other"]


def test_what_a_killed_launcher_with_our_pid_left_is_in_nobodys_way(tmp_path: Path) -> None:
    first = Group([(str(tmp_path), [], [])])
    first.make()
    [left] = os.listdir(tmp_path)
    second = Group([(str(tmp_path), [], [])])
    number = int(left.rpartition("-")[2])
    (tmp_path / f"{PREFIX}{os.getpid()}-{number + 1}").mkdir()
    second.make()
    second.settle()
    first.settle()
    assert os.listdir(tmp_path) == []


@pytest.fixture
def asleep() -> Iterator[int]:
    process = subprocess.Popen(["sleep", "60"])
    yield process.pid
    process.kill()
    process.wait()


def test_a_process_is_moved_and_its_limits_stand(asleep: int) -> None:
    places = find()
    made = rows(places, {"memory": 64 * MIB, "pids": 5, "cpus": 0.5})
    assert {parent for parent, _, _ in made} == {place.parent for place in places.by_limit.values()}
    group = Group(made)
    try:
        group.make()
        group.add(asleep)
        inside = Path(f"/proc/{asleep}/cgroup").read_text()
        for parent, limits, _ in made:
            (name,) = [name for name in os.listdir(parent) if name.startswith(f"{PREFIX}{os.getpid()}-")]
            assert f"/{name}\n" in inside
            for file, value in limits:
                assert Path(parent, name, file).read_text().strip() == value
    finally:
        os.kill(asleep, 9)
        os.waitid(os.P_PID, asleep, os.WEXITED | os.WNOWAIT)
        assert group.settle() == set()
    for parent, _, _ in made:
        assert not [name for name in os.listdir(parent) if name.startswith(f"{PREFIX}{os.getpid()}-")]
