"""Classic BPF as seccomp uses it: instructions as bytes, and a machine that carries them out.

Source: Linux Documentation/networking/filter.rst and Documentation/userspace-api/seccomp_filter.rst. A program is
`struct sock_filter[]` in native order, what `prctl(PR_SET_SECCOMP)` and `bwrap --seccomp FD` take.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

RET_KILL_PROCESS = 0x8000_0000
RET_ALLOW = 0x7FFF_0000

LOAD, AND, RETURN = 0x20, 0x54, 0x06
JUMP, JEQ, JGT, JGE, JSET = 0x05, 0x15, 0x25, 0x35, 0x45

NUMBER_OFFSET, ARCH_OFFSET = 0, 4  # struct seccomp_data
MAX_INSTRUCTIONS = 4096  # BPF_MAXINSNS
_FORMAT = struct.Struct("=HBBI")
_DATA = struct.Struct("<iIQ6Q")


class Instruction(NamedTuple):
    """`code` with the offsets to jump by if true and if false, and the constant `k`."""

    code: int
    k: int
    if_true: int = 0
    if_false: int = 0


def ret_errno(number: int) -> int:
    """Give the return value that makes a call fail with this errno."""
    return 0x0005_0000 | number


def argument_offset(argument: int) -> int:
    """Give where the low 32 bits of an argument (0 to 5) lie on a little-endian machine, in bytes."""
    return 16 + 8 * argument


def encode(program: Iterable[Instruction]) -> bytes:
    """Give the program as bytes; struct.error if a jump goes further than the 255 that BPF can."""
    return b"".join(_FORMAT.pack(i.code, i.if_true, i.if_false, i.k) for i in program)


def decode(program: bytes) -> list[Instruction]:
    """Give the instructions of a program; ValueError if its length cannot be one."""
    if not program or len(program) % _FORMAT.size or len(program) > MAX_INSTRUCTIONS * _FORMAT.size:
        msg = f"{len(program)} bytes are not a BPF program"
        raise ValueError(msg)
    return [Instruction(code, k, yes, no) for code, yes, no, k in _FORMAT.iter_unpack(program)]


def run(program: Sequence[Instruction], number: int, arch: int, arguments: Sequence[int]) -> int:
    """Carry a program out on one call and give its return value; ValueError for an instruction seccomp filters lack."""
    signed = number - (1 << 32) if number & 0x8000_0000 else number
    data = _DATA.pack(signed, arch, 0, *arguments)
    accumulator = position = 0
    while True:
        code, k, yes, no = program[position]
        position += 1
        if code == LOAD:
            accumulator = int.from_bytes(data[k : k + 4], "little")
        elif code == JEQ:
            position += yes if accumulator == k else no
        elif code == JGE:
            position += yes if accumulator >= k else no
        elif code == JGT:
            position += yes if accumulator > k else no
        elif code == JSET:
            position += yes if accumulator & k else no
        elif code == AND:
            accumulator &= k
        elif code == JUMP:
            position += k
        elif code == RETURN:
            return k
        else:
            msg = f"instruction {code:#x} at {position - 1}"
            raise ValueError(msg)
