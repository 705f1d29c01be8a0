"""The cgroups of a launch in C: made, limited, read and removed as Python does."""

import os
import subprocess
from pathlib import Path

import pytest
from aisbx.types import CgroupRow
from aisbx_linux.cgroup.find import find, rows
from aisbx_linux.cgroup.group import PREFIX

from .conftest import Ask
from .test_plan import ENVIRON, NAME, Kept

MIB = 1 << 20


@pytest.fixture
def kept(tmp_path: Path, ask: Ask) -> Kept:
    return Kept(tmp_path, ask)


def run(kept: Kept, made: list[CgroupRow], *command: str) -> list[str]:
    """Run a command in these groups: how limiting and adding went and their name, what it said, its end and theirs."""
    kept.entry["plan"]["cgroup"] = (Path("/proc/self/cgroup").read_bytes(), made)
    kept.write()
    return kept.ask("group", kept.directory, NAME, *command, environ={**ENVIRON, "PATH": os.defpath}).splitlines()


@pytest.fixture
def made() -> list[CgroupRow]:
    """Real ones; where none can be made, the tests in tests/machine have them."""
    made = rows(find(), {"memory": 64 * MIB, "pids": 20, "cpus": 0.5})
    if not made:
        pytest.skip("no cgroup can be made here")
    return made


def test_a_command_is_in_its_groups_under_their_limits_and_they_are_gone_after_it(
    kept: Kept, made: list[CgroupRow]
) -> None:
    shown = "; ".join(f"cat {parent}/{PREFIX}$PPID-0/{file}" for parent, limits, _, _ in made for file, _ in limits)
    first, *said, last = run(kept, made, "/bin/sh", "-c", f"cat /proc/self/cgroup; {shown}")
    limited, added, name = first.split()
    assert (limited, added, last) == ("0", "0", "0 quiet")
    inside = [line for line in said if line.endswith(f"/{name}")]
    assert len(inside) >= len(made)
    assert said[-sum(len(limits) for _, limits, _, _ in made) :] == [
        value for _, limits, _, _ in made for _, value in limits
    ]
    for parent, _, _, _ in made:
        assert not Path(parent, name).exists()


def test_what_was_met_is_noticed(kept: Kept, made: list[CgroupRow]) -> None:
    if not any(file == "pids.max" for _, limits, _, _ in made for file, _ in limits):
        pytest.skip("no pids controller here")
    many = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do sleep 0.2 & done 2>&-; :"
    assert run(kept, made, "/bin/sh", "-c", many)[-1].endswith(" met")


@pytest.mark.parametrize(
    ("content", "quiet"),
    [("other 3\nmax 0\n", True), ("max 1\n", False), ("max 01\n", False), ("maximum 1\n", True), ("", True)],
)
def test_a_key_is_read_as_the_kernel_writes_it(kept: Kept, tmp_path: Path, content: str, *, quiet: bool) -> None:
    place = tmp_path / "groups"
    place.mkdir()
    made: list[CgroupRow] = [(str(place), [], [("pids.events", "max", "pids_limited")], False)]
    write = f"printf '{content}' > {place}/{PREFIX}$PPID-0/pids.events"
    assert run(kept, made, "/bin/sh", "-c", write)[-1] == f"0 {'quiet' if quiet else 'met'}"


def test_where_one_cannot_be_made_nothing_is_left(kept: Kept, tmp_path: Path) -> None:
    fine, gone = tmp_path / "fine", tmp_path / "gone"
    fine.mkdir()
    assert run(kept, [(str(fine), [], [], False), (str(gone), [], [], False)], "true") == ["no"]
    assert run(kept, [(str(fine), [], [], True)], "true") == ["no"], "it has no `tasks`"
    assert os.listdir(fine) == []


def test_only_groups_of_launchers_that_are_gone_are_swept(kept: Kept, tmp_path: Path) -> None:
    place = tmp_path / "groups"
    place.mkdir()
    process = subprocess.Popen(["true"])
    process.wait()
    for name in (f"{PREFIX}{process.pid}-0", f"{PREFIX}{os.getpid()}-9", "other"):
        (place / name).mkdir()
    run(kept, [(str(place), [], [], False)], "true")
    assert sorted(os.listdir(place)) == [f"{PREFIX}{os.getpid()}-9", "other"]
