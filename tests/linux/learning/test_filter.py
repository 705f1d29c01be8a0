"""A filter that records tells of more calls and allows none more: who listens can only do what the original does."""

import errno
import os

import pytest
from aisbx_linux.learning.calls import PATHS, numbers
from aisbx_linux.learning.filter import recording
from aisbx_linux.learning.seen import Seen
from aisbx_linux.seccomp import bpf, compile_filter
from aisbx_linux.seccomp.compile import ARCHITECTURES, call_names
from aisbx_linux.seccomp.table import REVIEWED
from aisbx_linux.watching.refused import Answers

MACHINE = os.uname().machine
ARCH = ARCHITECTURES[MACHINE]
NOTIFY, CLASS = 0x7FC0_0000, 0xFFFF_0000
ARGUMENTS = ((0,) * 6, ((1 << 64) - 1,) * 6, (1, 2, 0x1000_0000, 0o4755, 5, 6), (2, 1, 0o6755, 0, 0, 0))


@pytest.fixture(scope="module")
def original() -> bytes:
    return compile_filter(["base", "debug"])


def test_it_notifies_of_what_is_recorded_and_of_what_is_refused_and_allows_nothing_else(original: bytes) -> None:
    recorded = numbers(MACHINE, ["base", "debug"])
    before, after = bpf.decode(original), bpf.decode(recording(original, ARCH, recorded))
    for number in range(REVIEWED + 64):
        for values in ARGUMENTS:
            was, now = bpf.run(before, number, ARCH, values), bpf.run(after, number, ARCH, values)
            if number in recorded or was & CLASS == 0x0005_0000:
                assert now == NOTIFY, number
            else:
                assert now == was, number
        for foreign in (0x4000_0003, 0x4000_0028):
            assert bpf.run(after, number, foreign, ARGUMENTS[0]) == bpf.run(before, number, foreign, ARGUMENTS[0])


def test_a_call_goes_on_only_if_the_original_filter_allows_it_and_it_is_one_that_is_recorded(original: bytes) -> None:
    names, recorded = call_names(MACHINE), numbers(MACHINE, ["base", "debug"])
    answers, before = Answers(original, ARCH, names, recorded), bpf.decode(original)
    for number in range(REVIEWED + 64):
        for values in (*ARGUMENTS, *ARGUMENTS):  # twice: what is remembered of a call must not decide on another
            was = bpf.run(before, number, ARCH, values)
            allowed = was == bpf.RET_ALLOW
            expected = 0 if allowed and number in recorded else errno.EPERM if allowed else was & 0xFFFF
            assert answers.errno(number, values) == expected, names.get(number, number)
    assert {names[number] for number in recorded} >= {"openat", "execve", "socket", "ptrace"}
    assert "sendmsg" not in {names[number] for number in recorded}  # by it the listener gets out


def test_groups_of_which_no_call_was_seen_are_spare() -> None:
    names = call_names(MACHINE)
    seen = Seen(names, ["base", "debug"])
    number = next(key for key, name in names.items() if name == "socket")
    report = seen.report()
    assert set(report["spare"]) == {"debug", "ipc", "network-io", "sandbox"}  # pyright: ignore[reportArgumentType]
    seen.allowed(number, 0, (1, 1, 0, 0, 0, 0), lambda: True)
    report = seen.report()
    assert "network-io" in report["syscalls"]  # pyright: ignore[reportOperatorIssue]
    assert "network-io" not in report["spare"]  # pyright: ignore[reportOperatorIssue]


def test_all_of_a_set_is_written_by_its_name() -> None:
    names = call_names(MACHINE)
    seen = Seen(names, ["base"])
    for call in ("socket", "msgget", "landlock_create_ruleset"):
        seen.allowed(next(key for key, name in names.items() if name == call), 0, (1, 1, 0, 0, 0, 0), lambda: True)
    assert seen.report()["syscalls"] == ["base"]


def test_what_was_read_of_a_process_that_is_gone_is_not_kept() -> None:
    names = call_names(MACHINE)
    seen = Seen(names, ["base"])
    path = b"/etc/passwd\0"
    import ctypes

    buffer = ctypes.create_string_buffer(path)
    values = ((1 << 64) - 100, ctypes.addressof(buffer), 0, 0, 0, 0)
    number = next(key for key, name in names.items() if name == "openat")
    seen.allowed(number, os.getpid(), values, lambda: False)
    assert seen.report()["files"] == []
    seen.allowed(number, os.getpid(), values, lambda: True)
    (row,) = seen.report()["files"]  # pyright: ignore[reportGeneralTypeIssues]
    assert (row["path"], row["kind"], row["there"], row["times"]) == ("/etc/passwd", "read", True, 1)
    assert "openat" in PATHS
