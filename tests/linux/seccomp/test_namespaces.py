"""No new namespace by any call, flag or trick with bits; processes and threads as ever."""

import errno
import signal

import pytest

from .support import ENTRIES, PYTHON, ask, confined, number

# include/uapi/linux/sched.h
NEWTIME = 0x80
FLAGS = {
    "mount": 0x2_0000,
    "cgroup": 0x200_0000,
    "uts": 0x400_0000,
    "ipc": 0x800_0000,
    "user": 0x1000_0000,
    "pid": 0x2000_0000,
    "net": 0x4000_0000,
}
ABOVE = 1 << 32
REFUSED = (-1, errno.EPERM)
SIGCHLD = int(signal.SIGCHLD)


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("name", FLAGS)
def test_clone_and_unshare_make_no_namespace(name: str, entry: str) -> None:
    flag = FLAGS[name]
    probes = {
        "clone": [(number("clone"), flag | SIGCHLD, 0, 0, 0, 0)],
        "clone with bits above": [(number("clone"), ABOVE | flag | SIGCHLD, 0, 0, 0, 0)],
        "unshare": [(number("unshare"), flag)],
        "unshare more": [(number("unshare"), flag | FLAGS["user"])],
    }
    assert {rows[0] for rows in ask(probes, "base", entry=entry).values()} == {REFUSED}
    open_ = ask(probes)
    assert open_["clone"][0] != REFUSED
    assert open_["unshare"] == [(0, 0)]
    assert open_["unshare more"] == [(0, 0)]


def test_unshare_makes_no_time_namespace() -> None:
    probes = {"time": [(number("unshare"), NEWTIME)]}
    assert ask(probes, "base")["time"] == [REFUSED]
    assert ask(probes)["time"] == [(0, 0)]


def test_clone3_whose_flags_are_in_memory_is_as_if_the_kernel_did_not_have_it() -> None:
    # struct clone_args: flags first, exit_signal fifth, 88 bytes in all.
    fields = [FLAGS["user"], 0, 0, 0, SIGCHLD, 0, 0, 0, 0, 0, 0]
    probes = {"clone3": [(number("clone3"), {"bytes": b"".join(f.to_bytes(8, "little") for f in fields).hex()}, 88)]}
    assert ask(probes, "base")["clone3"] == [(-1, errno.ENOSYS)]
    assert ask(probes)["clone3"][0][1] == 0


def test_plain_clone_and_unsharing_files_are_allowed() -> None:
    probes = {"fork": [(number("clone"), SIGCHLD, 0, 0, 0, 0)], "files": [(number("unshare"), 0x200 | 0x400)]}
    answers = ask(probes, "base")
    assert answers["fork"][0][1] == 0
    assert answers["files"] == [(0, 0)]


def test_a_nested_sandbox_cannot_be_made_and_says_so() -> None:
    inner = ["bwrap", "--unshare-user", "--ro-bind", "/", "/", "true"]
    done = confined(inner, "base")
    assert done.returncode != 0
    assert "namespace" in done.stderr
    assert confined(inner).returncode == 0


def test_threads_start_although_clone3_is_refused() -> None:
    script = "import threading as t; x = t.Thread(target=print, args=['ran']); x.start(); x.join()"
    assert confined([PYTHON, "-c", script], "base").stdout == "ran\n"


@pytest.mark.parametrize("entry", ENTRIES)
def test_no_call_of_the_new_mount_interface_gets_anywhere(entry: str) -> None:
    text = "tmpfs"
    probes = {
        "fsopen": [(number("fsopen"), text, 0)],
        "open_tree": [(number("open_tree"), (1 << 64) - 100, "/run", 1)],
        "mount": [(number("mount"), text, "/run", text, 0, 0)],
        "umount": [(number("umount2"), "/run", 2)],
    }
    assert {rows[0] for rows in ask(probes, "base", entry=entry).values()} == {REFUSED}
    assert all(rows[0][1] == 0 for rows in ask(probes).values())
