"""Run a command on a machine that gives less: `python -m tests.driver_chroot.less users|all COMMAND...`.

A filter of system calls does what a kernel, or a container's, does that allows no user namespaces (`users`), or no
namespaces and mounts at all (`all`); there root has the capabilities of most containers, too, and no others.
"""

import os
import sys

from aisbx_linux import syscalls
from aisbx_linux.seccomp.bpf import (
    JEQ,
    JSET,
    LOAD,
    NUMBER_OFFSET,
    RET_ALLOW,
    RETURN,
    Instruction,
    argument_offset,
    encode,
    ret_errno,
)

EPERM, ENOSYS = 1, 38
USER = 0x10000000
KEPT = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}
"""Docker's documentation, "Runtime privilege and Linux capabilities": those of a container that asks for nothing."""
BOUNDING_DROP = 24
EVERY = 0x7E020000
# clone, unshare; clone3; mount, umount2, pivot_root, setns, open_tree, move_mount
NUMBERS = {
    "x86_64": ((56, 272), 435, (165, 166, 155, 308, 428, 429)),
    "aarch64": ((220, 97), 435, (40, 39, 41, 268, 428, 429)),
}


def without(what: str) -> bytes:
    (by_flags, clone3, rest), mask = NUMBERS[os.uname().machine], {"users": USER, "all": EVERY}[what]
    program = [Instruction(LOAD, NUMBER_OFFSET)]
    program += [Instruction(JEQ, clone3, 0, 1), Instruction(RETURN, ret_errno(ENOSYS))]
    for number in rest if what == "all" else ():
        program += [Instruction(JEQ, number, 0, 1), Instruction(RETURN, ret_errno(EPERM))]
    for number in by_flags:
        program += [Instruction(JEQ, number, 0, 4), Instruction(LOAD, argument_offset(0))]
        program += [
            Instruction(JSET, mask, 0, 1),
            Instruction(RETURN, ret_errno(EPERM)),
            Instruction(RETURN, RET_ALLOW),
        ]
    return encode([*program, Instruction(RETURN, RET_ALLOW)])


if __name__ == "__main__":
    if os.geteuid() != 0:
        syscalls.call("prctl", 38, 1, 0, 0, 0)
    elif sys.argv[1] == "all":
        for capability in {*range(41)} - KEPT:
            syscalls.call("prctl", BOUNDING_DROP, capability, 0, 0, 0)
    syscalls.set_filter(without(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
