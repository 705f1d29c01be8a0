"""The table leaves nothing out and contradicts itself nowhere."""

import errno

import pytest
from aisbx.errors import ConfigError
from aisbx_linux.seccomp import DENIED, GROUPS, expand
from aisbx_linux.seccomp.arguments import ALLOW, CHECKS
from aisbx_linux.seccomp.compile import ARCHITECTURES
from aisbx_linux.seccomp.library import Library
from aisbx_linux.seccomp.table import REVIEWED, allowed_calls, late_numbers

GROUPED = frozenset().union(*(group.calls for group in GROUPS.values()))
OPTIONAL = GROUPS.keys() - expand(["base"])


def known(arch: str) -> dict[str, int]:
    library = Library(ARCHITECTURES[arch])
    return {name: number for number in range(1024) if (name := library.name(number))}


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_call_that_libseccomp_knows_is_allowed_by_a_group_or_refused_with_a_reason(arch: str) -> None:
    unmentioned = {call: number for call, number in known(arch).items() if call not in GROUPED | DENIED.keys()}
    assert unmentioned == {}, "put each into groups.toml, in a group or under `denied`, and raise `reviewed`"
    assert max(known(arch).values()) <= REVIEWED


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_numbers_of_late_calls_are_those_of_a_library_that_knows_them(arch: str) -> None:
    theirs, ours = known(arch), late_numbers(arch)
    shared = theirs.keys() & ours.keys()
    assert {call: ours[call] for call in shared} == {call: theirs[call] for call in shared}
    assert "fchmodat2" in shared or max(theirs.values()) < ours["fchmodat2"]


def test_late_numbers_leave_no_gap_up_to_the_last_that_was_reviewed() -> None:
    numbers = sorted(number for number in late_numbers("aarch64").values() if number > 424)
    assert numbers == list(range(numbers[0], REVIEWED + 1))


def test_no_name_is_misspelt() -> None:
    names = known("x86_64").keys() | known("aarch64").keys() | late_numbers("x86_64").keys()
    # Two calls that no 64-bit architecture ever had a number for, kept because libseccomp may come to know them.
    assert (GROUPED | DENIED.keys()) - names <= {"create_module"}


def test_nothing_that_base_allows_is_refused_with_a_reason() -> None:
    assert allowed_calls(["base"]) & DENIED.keys() == frozenset()


def test_what_only_an_optional_group_allows_is_refused_without_it() -> None:
    for name in OPTIONAL:
        assert GROUPS[name].calls - allowed_calls(["base"]) <= DENIED.keys(), name


def test_every_optional_group_changes_something() -> None:
    for name in OPTIONAL:
        more = GROUPS[name].calls - allowed_calls(["base"])
        assert more or any(case.group == name for check in CHECKS.values() for case in check.cases), name


def test_no_call_is_in_two_of_the_groups_of_base_or_twice_among_the_refused() -> None:
    parts = [group for name, group in GROUPS.items() if name in expand(["base"])]
    assert sum(len(group.calls) for group in parts) == len(allowed_calls(["base"]))


def test_every_group_and_refusal_says_what_it_is_for() -> None:
    assert all(group.help for group in GROUPS.values())
    assert all(row.reason and row.errno in {"EPERM", "ENOSYS"} for row in DENIED.values())


def test_calls_with_fallbacks_are_refused_with_the_errno_that_libraries_fall_back_on() -> None:
    assert {DENIED[call].number for call in ("clone3", "openat2", "io_uring_setup")} == {errno.ENOSYS}


def test_checks_name_calls_groups_and_errnos_that_exist() -> None:
    for check in CHECKS.values():
        assert check.call in GROUPED
        assert check.why
        for case in check.cases:
            assert not case.group or case.group in GROUPS
            assert case.verdict == ALLOW or hasattr(errno, case.verdict)
            assert all(value & condition.mask == value for condition in case.conditions for value in condition.values)


def test_an_unknown_group_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no system-call group 'nosuch'") as caught:
        expand(["base", "nosuch"])
    assert "netlink-route" in caught.value.hint


def test_base_includes_what_its_parts_allow() -> None:
    assert {"read", "clone", "futex", "socket", "openat"} <= allowed_calls(["base"])
    assert expand([]) == frozenset()
