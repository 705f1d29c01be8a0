"""A real cgroup v2 subtree that belongs to an ordinary user: found, shared out, filled, and left clean.

Where cgroup v1 has taken memory, pids and cpu, a controller that is left stands for them: what is shown here is the
same for each (cgroup-v2.rst, "Delegation").
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aisbx.testing.children import in_child
from aisbx_linux.cgroup.find import _delegated, _mounts, _tried
from aisbx_linux.cgroup.group import PREFIX, Group

UID = 64_321
POINT = Path(_mounts(Path("/proc/self/mountinfo").read_text()).get("", ("", "/nowhere"))[1])


def controllers() -> list[str]:
    file = POINT / "cgroup.controllers"
    return file.read_text().split() if file.exists() else []


pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a user a subtree"),
    pytest.mark.skipif(not controllers(), reason="no cgroup v2 hierarchy with a controller is mounted"),
    pytest.mark.xdist_group("cgroup2"),
]


@dataclass
class Subtree:
    """A group that belongs to a user, and one below it to be in."""

    place: Path
    leaf: Path
    controller: str

    def as_user(self, work: Callable[[], str], leaf: Path | None = None) -> str:
        """Do something as the user, in a process that lives in the leaf."""

        def enter() -> str:
            ((leaf or self.leaf) / "cgroup.procs").write_text(str(os.getpid()))
            os.setgroups([])
            os.setresgid(UID, UID, UID)
            os.setresuid(UID, UID, UID)
            return work()

        return in_child(enter, 30)


@pytest.fixture
def subtree() -> Iterator[Subtree]:
    controller = controllers()[0]
    shared = POINT / "cgroup.subtree_control"
    before = shared.read_text().split()
    shared.write_text(f"+{controller}")
    place = POINT / f"test-{os.getpid()}"
    leaf = place / "leaf"
    leaf.mkdir(parents=True)
    try:
        for path in (place, place / "cgroup.procs", place / "cgroup.subtree_control", leaf, leaf / "cgroup.procs"):
            os.chown(path, UID, UID)
        yield Subtree(place, leaf, controller)
    finally:
        for path in (*place.iterdir(), place):
            if path.is_dir():
                _remove(path)
        if controller not in before:
            shared.write_text(f"-{controller}")


def _remove(path: Path) -> None:
    end = time.monotonic() + 5
    while True:
        try:
            path.rmdir()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def test_a_user_makes_groups_in_a_subtree_that_was_delegated_and_fills_them(subtree: Subtree) -> None:
    def work() -> str:
        parent, reason = _delegated(str(subtree.leaf), subtree.controller)
        assert (parent, reason) == (str(subtree.place), "")
        assert not isinstance(_tried(parent, 2), str)
        group = Group([(parent, [("cgroup.max.descendants", "3")], [("cgroup.events", "frozen", "never")], False)])
        group.make()
        group.limit()
        child = os.fork()
        if not child:
            time.sleep(20)
            os._exit(0)
        group.add(child)
        name = Path(f"/proc/{child}/cgroup").read_text().strip().rpartition("/")[2]
        assert name.startswith(f"{PREFIX}{os.getpid()}-")
        assert subtree.controller in Path(parent, name, "cgroup.controllers").read_text().split()
        assert Path(parent, name, "cgroup.max.descendants").read_text() == "3\n"
        os.kill(child, 9)
        os.waitpid(child, 0)
        assert group.settle() == set()
        return " ".join(sorted(path.name for path in subtree.place.iterdir() if path.is_dir()))

    assert subtree.as_user(work) == "leaf"
    assert subtree.controller in (subtree.place / "cgroup.subtree_control").read_text().split()


def test_a_user_in_a_group_of_the_system_makes_none(subtree: Subtree) -> None:
    os.chown(subtree.place / "cgroup.procs", 0, 0)

    def work() -> str:
        return "; ".join(_delegated(str(subtree.leaf), subtree.controller))

    assert subtree.as_user(work) == "; this process is in a cgroup that is not its user's to share out"


def test_the_kernel_too_refuses_to_move_a_process_out_of_what_was_delegated(subtree: Subtree) -> None:
    foreign = POINT / f"test-{os.getpid()}-foreign"
    foreign.mkdir()
    os.chown(foreign, UID, UID)

    def work() -> str:
        group = Group([(str(foreign), [], [], False)])
        group.make()
        try:
            group.add(os.getpid())
        except OSError as error:
            return str(error)
        finally:
            group.settle()
        return "moved"

    try:
        assert subtree.as_user(work).endswith(": Permission denied")
    finally:
        _remove(foreign)
