"""Where cgroups can be made: on this machine, and on others as they were recorded."""

import os
from pathlib import Path

import pytest
from aisbx_linux.cgroup import find as module
from aisbx_linux.cgroup.find import Place, Places, find, rows

FILES = frozenset(
    {
        "memory.max",
        "memory.swap.max",
        "memory.oom.group",
        "memory.events",
        "pids.max",
        "pids.events",
        "cpu.max",
        "memory.limit_in_bytes",
        "memory.oom_control",
        "cpu.cfs_quota_us",
        "cpu.cfs_period_us",
    }
)
GONE = "this process is in a cgroup that is not its user's to share out"


class Machine:
    """A /proc/self and a cgroup tree, written down as a machine had them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.proc = root / "proc"
        self.proc.mkdir()
        self.lines: list[str] = []

    def mount(self, name: str, kind: str, options: str, shown: str = "/") -> Path:
        point = self.root / name
        point.mkdir()
        self.lines.append(f"30 25 0:26 {shown} {point} rw,nosuid shared:9 - {kind} {kind} {options}")
        return point

    def group(self, path: Path, *, controllers: str = "", shared: str = "") -> None:
        path.mkdir(parents=True, exist_ok=True)
        for name, text in (
            ("cgroup.procs", ""),
            ("cgroup.type", "domain\n"),
            ("cgroup.controllers", controllers),
            ("cgroup.subtree_control", shared),
        ):
            (path / name).write_text(text)

    def find(self, own: str) -> Places:
        (self.proc / "cgroup").write_text(own)
        (self.proc / "mountinfo").write_text("\n".join(self.lines) + "\n")
        return find(str(self.proc), str(self.root / "run"))

    def systemd(self, *, manager: bool) -> None:
        (self.root / "run/systemd/system").mkdir(parents=True)
        if manager:
            private = self.root / f"run/user/{os.geteuid()}/systemd/private"
            private.parent.mkdir(parents=True)
            private.touch()

    def login(self) -> Places:
        """Look from a session that the system owns."""
        slice_ = self.root / "cgroup/user.slice/user-1000.slice"
        self.group(slice_, controllers="memory pids", shared="memory pids")
        self.group(slice_ / "session-3.scope", controllers="memory pids")
        for path in (slice_, slice_ / "cgroup.procs"):
            path.chmod(0o555)
        try:
            return self.find("0::/user.slice/user-1000.slice/session-3.scope\n")
        finally:
            slice_.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    def tried(parent: str, version: int) -> Place | str:
        writable = os.stat(parent).st_mode & 0o200
        return Place(parent, version, FILES) if writable else f"no cgroup can be made in {parent}: Permission denied"

    def access(path: str, mode: int) -> bool:  # root may do anything, whatever the mode
        return bool(os.stat(path).st_mode & 0o200) or mode == os.R_OK

    monkeypatch.setattr(module, "_tried", tried)
    monkeypatch.setattr(os, "access", access)
    return Machine(tmp_path)


def parents(places: Places) -> dict[str, str]:
    return {limit: place.parent for limit, place in places.by_limit.items()}


def test_each_controller_of_version_1_has_a_place_of_its_own(machine: Machine) -> None:
    memory = machine.mount("memory", "cgroup", "rw,memory")
    cpu = machine.mount("cpu,cpuacct", "cgroup", "rw,cpu,cpuacct")
    (memory / "job").mkdir()
    places = machine.find("4:memory:/job\n3:cpu,cpuacct:/\n2:pids:/\n")
    assert parents(places) == {"memory": f"{memory}/job", "cpus": str(cpu)}
    assert places.reasons == {"pids": "no cgroup hierarchy with the pids controller is mounted"}
    assert places.mechanism("memory") == "cgroup v1, memory controller"


def test_a_terminal_of_a_desktop_is_among_groups_of_its_user(machine: Machine) -> None:
    slice_ = machine.mount("cgroup", "cgroup2", "rw") / "user.slice/user@1000.service/app.slice"
    machine.group(slice_, controllers="cpu memory pids", shared="cpu memory pids")
    machine.group(slice_ / "terminal.scope", controllers="cpu memory pids")
    places = machine.find("0::/user.slice/user@1000.service/app.slice/terminal.scope\n")
    assert parents(places) == dict.fromkeys(("memory", "pids", "cpus"), str(slice_))
    assert [parent for parent, _, _, _ in rows(places, {"memory": 1, "pids": 1, "cpus": 1})] == [str(slice_)]


def test_a_login_session_belongs_to_the_system_and_that_is_said(machine: Machine) -> None:
    machine.mount("cgroup", "cgroup2", "rw")
    machine.systemd(manager=True)
    places = machine.login()
    assert (parents(places), set(places.reasons.values())) == ({}, {GONE})
    assert places.remedy.startswith("run aisbx in a cgroup of yours: systemd-run --user --scope")


def test_where_the_user_has_no_manager_that_comes_first(machine: Machine) -> None:
    machine.mount("cgroup", "cgroup2", "rw")
    machine.systemd(manager=False)
    assert "loginctl enable-linger, and then" in machine.login().remedy


def test_systemd_is_no_remedy_where_it_does_not_run_or_has_no_controllers(machine: Machine) -> None:
    machine.mount("cgroup", "cgroup2", "rw")
    assert "systemd" not in machine.login().remedy
    machine.systemd(manager=True)
    groups = "3:cpu:/\n2:pids:/\n4:memory:/\n0::/\n"
    assert "systemd" not in machine.find(groups).remedy


def test_a_controller_that_was_delegated_is_shared_out_where_nothing_lives(machine: Machine) -> None:
    scope = machine.mount("cgroup", "cgroup2", "rw") / "mine.scope"
    machine.group(scope, controllers="memory pids")
    machine.group(scope / "work")
    places = machine.find("0::/mine.scope/work\n")
    assert parents(places) == {"memory": str(scope), "pids": str(scope)}
    assert places.reasons == {"cpus": "the cpu controller is not delegated to this process's cgroup"}
    assert (scope / "cgroup.subtree_control").read_text().startswith("+")


def test_in_a_container_the_groups_outside_are_not_taken_for_ours(machine: Machine) -> None:
    machine.mount("cgroup", "cgroup2", "rw", shown="/docker/abc")
    places = machine.find("0::/../other\n")
    assert (parents(places), len(places.reasons)) == ({}, 3)


def test_where_only_a_part_of_the_hierarchy_is_mounted_paths_count_from_there(machine: Machine) -> None:
    memory = machine.mount("memory", "cgroup", "rw,memory", shown="/docker/abc")
    (memory / "job").mkdir()
    assert parents(machine.find("4:memory:/docker/abc/job\n")) == {"memory": f"{memory}/job"}
    assert parents(machine.find("4:memory:/docker/abcd\n")) == {}


def test_without_any_cgroups_every_limit_has_a_reason(machine: Machine) -> None:
    assert set(machine.find("").reasons) == {"memory", "pids", "cpus"}
    (machine.proc / "cgroup").unlink()
    assert find(str(machine.proc)).reasons["memory"] == "cgroups cannot be seen: No such file or directory"


def test_a_kernel_without_the_file_of_a_limit_offers_no_place_for_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.mount("cpu", "cgroup", "rw,cpu")

    def tried(parent: str, version: int) -> Place:
        return Place(parent, version, FILES - {"cpu.cfs_quota_us"})

    monkeypatch.setattr(module, "_tried", tried)
    assert machine.find("3:cpu:/\n").reasons["cpus"].endswith("have no cpu.cfs_quota_us")


def test_every_limit_is_written_as_the_kernel_reads_it() -> None:
    amounts = {"memory": 1 << 20, "pids": 8, "cpus": 1.5}
    two = Places(by_limit=dict.fromkeys(amounts, Place("/two", 2, FILES)))
    assert rows(two, amounts) == [
        (
            "/two",
            [
                ("memory.max", "1048576"),
                ("memory.swap.max", "0"),
                ("memory.oom.group", "1"),
                ("pids.max", "9"),
                ("cpu.max", "150000 100000"),
            ],
            [("memory.events", "oom_kill", "oom_killed"), ("pids.events", "max", "pids_limited")],
            False,
        )
    ]
    one = Places(by_limit={name: Place(f"/{name}", 1, FILES) for name in amounts})
    assert [(parent, limits) for parent, limits, _, inherited in rows(one, amounts) if inherited] == [
        ("/memory", [("memory.limit_in_bytes", "1048576")]),  # this kernel has no swap accounting
        ("/pids", [("pids.max", "10")]),
        ("/cpus", [("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "150000")]),
    ]
    assert rows(one, {"memory": 0, "pids": 0, "cpus": 0}) == [("/cpus", [], [], True)]  # for a share of its own


def test_the_least_share_of_a_processor_is_what_the_kernel_takes() -> None:
    one = Places(by_limit={"cpus": Place("/cpu", 1, FILES)})
    assert rows(one, {"cpus": 0.001})[0][1][1] == ("cpu.cfs_quota_us", "1000")


def test_what_this_machine_says_is_what_can_be_done_here() -> None:
    places = find()
    assert places.by_limit.keys() | places.reasons.keys() == {"memory", "pids", "cpus"}
    assert not places.by_limit.keys() & places.reasons.keys()
    for place in places.by_limit.values():
        assert os.access(place.parent, os.W_OK)
