"""What a filter says of one call with given arguments, worked out from the table alone, without BPF."""

import errno
from collections.abc import Collection, Sequence

from aisbx_linux.seccomp.arguments import ALLOW, CHECKS, Case
from aisbx_linux.seccomp.bpf import RET_ALLOW, ret_errno
from aisbx_linux.seccomp.table import DENIED


def action_of(verdict: str) -> int:
    """Give the seccomp return value for `ALLOW` or the name of an errno."""
    return RET_ALLOW if verdict == ALLOW else ret_errno(int(getattr(errno, verdict)))


# What the kernel itself says of a number it does not have, so that programs written for newer ones fall back.
UNKNOWN = action_of("ENOSYS")


def cases_of(call: str, groups: Collection[str]) -> tuple[tuple[Case, ...], str]:
    """Give the cases that `groups` (expanded) leave of an allowed call, and the verdict if none fits."""
    check = CHECKS.get(call)
    if check is None:
        return (), ALLOW
    cases: list[Case] = []
    for case in check.cases:
        if case.group and case.group not in groups:
            continue
        if not case.conditions:
            return tuple(cases), case.verdict
        cases.append(case)
    return tuple(cases), check.otherwise


def refusal_of(call: str) -> int:
    """Give the seccomp return value for a call that no group of the filter allows."""
    return action_of(DENIED[call].errno) if call in DENIED else UNKNOWN


def decide(call: str, arguments: Sequence[int], groups: Collection[str], allowed: Collection[str]) -> int:
    """Give the seccomp return value for `call`; `groups` are expanded, `allowed` are their calls."""
    if call not in allowed:
        return refusal_of(call)
    cases, otherwise = cases_of(call, groups)
    for case in cases:
        if all(arguments[c.argument] & c.mask in c.values for c in case.conditions):
            return action_of(case.verdict)
    return action_of(otherwise)
