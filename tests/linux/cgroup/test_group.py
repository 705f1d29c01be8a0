"""The groups of a launch: made, filled, read, removed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aisbx.types import CgroupRow
from aisbx_linux.cgroup.find import find, rows
from aisbx_linux.cgroup.group import PREFIX, Group, come_out, count, enter
from aisbx_linux.ending import refused
from aisbx_linux.spawn import born

MIB = 1 << 20


def test_a_key_is_counted_as_the_kernel_writes_it() -> None:
    text = b"oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"
    assert (count(text, "oom_kill"), count(text, "max")) == (3, 0)


def test_where_one_group_cannot_be_made_it_is_said_where_and_nothing_is_left(tmp_path: Path) -> None:
    group = Group([(str(tmp_path), [], [], True)])
    with pytest.raises(OSError, match=r"the cgroup .* cannot be made: No such file"):
        group.make()
    assert group.settle() == set()
    assert os.listdir(tmp_path) == []


def test_a_place_that_is_gone_is_told_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f"cgroups cannot be made: No such file or directory: {tmp_path}/gone"):
        Group([(f"{tmp_path}/gone", [], [], False)])


def test_only_groups_of_launchers_that_are_gone_are_swept(tmp_path: Path) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    for name in (f"{PREFIX}{process.pid}-0", f"{PREFIX}{os.getpid()}-9", "other"):
        (tmp_path / name).mkdir()
    group = Group([(str(tmp_path), [], [], False)])
    group.make()
    group.settle()
    assert sorted(os.listdir(tmp_path)) == [f"{PREFIX}{os.getpid()}-9", "other"]


def test_what_a_killed_launcher_with_our_pid_left_is_in_nobodys_way(tmp_path: Path) -> None:
    first = Group([(str(tmp_path), [], [], False)])
    first.make()
    [left] = os.listdir(tmp_path)
    second = Group([(str(tmp_path), [], [], False)])
    number = int(left.rpartition("-")[2])
    (tmp_path / f"{PREFIX}{os.getpid()}-{number + 1}").mkdir()
    second.make()
    second.settle()
    first.settle()
    assert os.listdir(tmp_path) == []


def test_a_sandbox_that_outlived_its_launcher_is_in_the_way_of_none_with_that_pid() -> None:
    make = "from aisbx_linux.cgroup.group import Group; print(Group([])._name.split('-')[2])"
    numbers = {
        subprocess.run([sys.executable, "-c", make], stdout=subprocess.PIPE, check=True).stdout for _ in range(2)
    }
    assert len(numbers) == 2, "what is made by another process of the same pid has another name"


@pytest.fixture
def group() -> Iterator[tuple[Group, list[CgroupRow]]]:
    made = rows(find(), {"memory": 64 * MIB, "pids": 5, "cpus": 0.5})
    group = Group(made)
    group.make()
    yield group, made
    group.settle()
    for parent, _, _, _ in made:
        assert not [name for name in os.listdir(parent) if name.startswith(f"{PREFIX}{os.getpid()}-")]


def test_what_is_started_is_in_its_groups_and_the_limits_stand(group: tuple[Group, list[CgroupRow]]) -> None:
    mine, made = group
    assert {parent for parent, _, _, _ in made} == {place.parent for place in find().by_limit.values()}
    before = Path("/proc/thread-self/cgroup").read_bytes()
    try:
        enter(mine.doors)
        asleep = subprocess.Popen(["sleep", "60"])
    finally:
        come_out(mine.doors)
    try:
        assert Path("/proc/thread-self/cgroup").read_bytes() == before
        mine.limit()
        mine.add(asleep.pid)
        inside = Path(f"/proc/{asleep.pid}/cgroup").read_text()
        for parent, limits, _, _ in made:
            (name,) = [name for name in os.listdir(parent) if name.startswith(f"{PREFIX}{os.getpid()}-")]
            assert f"/{name}\n" in inside
            for file, value in limits:
                assert Path(parent, name, file).read_text().strip() == value
    finally:
        asleep.kill()
        asleep.wait()
    assert mine.settle() == set()


def test_a_thread_that_cannot_go_in_starts_nothing_and_is_where_it_was(
    group: tuple[Group, list[CgroupRow]], tmp_path: Path
) -> None:
    mine, _ = group
    before = Path("/proc/thread-self/cgroup").read_bytes()
    full, null = os.open("/dev/full", os.O_WRONLY), os.open("/dev/null", os.O_WRONLY)
    try:
        with pytest.raises(OSError, match="the sandbox cannot be started in its cgroup: No space left on device"):
            born([*mine.doors, (full, null)], "/bin/touch", ["touch", f"{tmp_path}/made"])
    finally:
        os.close(full)
        os.close(null)
    assert not (tmp_path / "made").exists()
    assert Path("/proc/thread-self/cgroup").read_bytes() == before


def test_a_limit_below_what_starting_takes_is_told_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_words: object) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr("aisbx_linux.cgroup.group.put", busy)
    group = Group([(str(tmp_path), [("memory.max", "1")], [], False)])
    group.make()
    with pytest.raises(OSError, match=r"memory\.max=1 is less than it takes") as caught:
        group.limit()
    assert refused(str(caught.value)) == ("launch", str(caught.value), "ask for more")
