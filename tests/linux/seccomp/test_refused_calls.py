"""Every call that is refused outright, made for real: it fails as the table says, and only because of the filter."""

import errno
import functools
from collections.abc import Mapping

import pytest
from aisbx_linux.seccomp import DENIED
from aisbx_linux.seccomp.compile import ARCHITECTURES
from aisbx_linux.seccomp.library import Library
from aisbx_linux.seccomp.table import REVIEWED, late_numbers

from .support import AS_ROOT, ENTRIES, MACHINE, Answer, Argument, ask

BAD = 1  # an address that is never mapped
NONE = (1 << 64) - 1  # -1: no such descriptor, no such flags
USER_MODE_ONLY, FID = 1, 0x200

# Arguments that make an unfiltered kernel answer something else than the filter would, and that do no harm where the
# call goes through. Calls that are not here are given zeros.
ARGUMENTS: Mapping[str, tuple[Argument, ...]] = {
    "acct": (BAD,),
    "add_key": (BAD, BAD, BAD, 1, 0),
    "bpf": (9999, BAD, 0),
    "chroot": ("/",),
    "clock_adjtime": (0, {"bytes": "00" * 208}),
    "clock_settime": (9999, BAD),
    "clone3": (BAD, 0),
    "delete_module": (BAD, 0),
    "fanotify_init": (FID, 0),
    "fanotify_mark": (NONE, 1, 1, NONE, "/"),
    "finit_module": (NONE, BAD, 0),
    "fsconfig": (NONE, 0, 0, 0, 0),
    "fsmount": (NONE, 0, 0),
    "fsopen": (BAD, 0),
    "fspick": (NONE, "/nowhere", 0),
    "init_module": (BAD, 0, BAD),
    "io_setup": (0, BAD),
    "io_uring_setup": (1, BAD),
    "kcmp": (0, 0, 9999, 0, 0),
    "kexec_file_load": (NONE, NONE, 0, BAD, NONE),
    "kexec_load": (0, 0, 0, NONE),
    "keyctl": (9999,),
    "mount_setattr": (NONE, "", NONE, BAD, 0),
    "move_mount": (NONE, "", NONE, "", NONE),
    "name_to_handle_at": (NONE, "/", BAD, BAD, NONE),
    "open_by_handle_at": (NONE, BAD, 0),
    "open_tree": (NONE, "/nowhere", NONE),
    "openat2": (NONE, "/", {"bytes": "00" * 24}, 24),
    "perf_event_open": (BAD, 0, 0, NONE, NONE),
    "pidfd_getfd": (NONE, 0, 0),
    "pivot_root": ("/nowhere", "/nowhere"),
    "process_madvise": (NONE, 0, 0, 0, NONE),
    "process_mrelease": (NONE, NONE),
    "process_vm_readv": (1, BAD, 1, BAD, 1, NONE),
    "process_vm_writev": (1, BAD, 1, BAD, 1, NONE),
    "quotactl": (0x80_0000FF, BAD, 0, 0),
    "quotactl_fd": (NONE, 0, 0, 0),
    "request_key": (BAD, BAD, BAD, 0),
    "setdomainname": (BAD, NONE),
    "sethostname": (BAD, NONE),
    "setns": (NONE, 0),
    "settimeofday": (BAD, 0),
    "swapoff": (BAD,),
    "swapon": ("/nowhere", NONE),
    "syslog": (10, 0, 0),
    "umount2": ("/nowhere", NONE),
    "userfaultfd": (USER_MODE_ONLY,),
    "ustat": (0, BAD),
    "vhangup": (),
}

# An unfiltered kernel refuses these itself to all but the host's root, with the same errno. Run by root, the filter is
# what stands in the way, and then the test shows it.
HOST_ROOT_ONLY = frozenset(
    (
        *("acct", "bpf", "delete_module", "finit_module", "init_module", "kexec_file_load", "kexec_load"),
        *("open_by_handle_at", "swapoff", "syslog", "vhangup"),
    )
)


def numbers() -> dict[str, int]:
    library, late = Library(ARCHITECTURES[MACHINE]), late_numbers(MACHINE)
    found = {call: library.number(call) or late.get(call, 0) for call in DENIED}
    return {call: number for call, number in found.items() if number}


@functools.cache
def answers(*groups: str, entry: str = "bwrap") -> dict[str, Answer]:
    calls = {call: [(number, *ARGUMENTS.get(call, (0,) * 6))] for call, number in numbers().items()}
    return {call: rows[0] for call, rows in ask(calls, *groups, entry=entry).items()}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("call", sorted(numbers()))
def test_a_refused_call_fails_with_the_errno_of_the_table_because_of_the_filter(call: str, entry: str) -> None:
    open_, filtered = answers()[call], answers("base", entry=entry)[call]
    assert filtered == (-1, DENIED[call].number), f"the kernel answered {filtered}"
    absent = open_ == (-1, errno.ENOSYS)
    refused_anyway = call in HOST_ROOT_ONLY and not AS_ROOT and open_ == (-1, errno.EPERM)
    assert open_ != filtered or absent or refused_anyway, "the same without a filter: this attack shows nothing"


def test_the_attacks_work_without_a_filter_where_a_kernel_has_the_calls() -> None:
    reached = {call for call in numbers() if answers()[call] != (-1, DENIED[call].number)}
    essential = {"chroot", "clone3", "fsconfig", "keyctl", "mount", "perf_event_open", "pivot_root", "ptrace", "setns"}
    assert essential <= reached


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_call_that_no_kernel_has_yet_gets_enosys(entry: str) -> None:
    probes = {str(number): [(number,)] for number in (REVIEWED + 1, 700, 4000, 0x3FFF_FFFF)}
    got = ask(probes, "base", entry=entry)
    assert got == {name: [(-1, errno.ENOSYS)] for name in probes}
