"""Answers by number as a short program: a search among ranges of numbers that are answered alike.

The kernel translates a filter each time it is set, twice in a run, and tries it on every number to learn which calls
it may let through without asking: what counts there is the length of the program and of the way to an answer.
libseccomp searches too, but it compares with each number by itself.
"""

from collections.abc import Mapping

from aisbx_linux.seccomp import bpf
from aisbx_linux.seccomp.bpf import Instruction

Answer = tuple[Instruction, ...]
"""A program that ends with returns on every way, and jumps only within itself."""

KILL: Answer = (Instruction(bpf.RETURN, bpf.RET_KILL_PROCESS),)
_HEAD = 3


def arrange(token: int, answers: Mapping[int, Answer]) -> list[Instruction]:
    """Give the program that answers each call of the ABI `token` as the nearest number at or below it in `answers`.

    These begin with 0. A call of another ABI ends the process. With more than some 200 ranges a jump would not reach
    its answer: `bpf.encode` raises then.
    """
    ordered = sorted(answers.items())
    ranges = [new for old, new in zip([(-1, ()), *ordered], ordered, strict=False) if old[1] != new[1]]
    different = list(dict.fromkeys([KILL, *(answer for _, answer in ranges)]))
    steps: list[_Step] = []
    _search([(start, different.index(answer)) for start, answer in ranges], steps)
    # One place for each answer, near enough for a conditional jump: its return, or a jump to the rest of it.
    tails = [_HEAD + len(steps) + index for index in range(len(different))]
    bodies: list[Instruction] = []
    ends: list[Instruction] = []
    for index, answer in enumerate(different):
        if len(answer) == 1:
            ends += answer
        else:
            ends.append(Instruction(bpf.JUMP, len(different) - index - 1 + len(bodies)))
            bodies += answer
    program = [
        Instruction(bpf.LOAD, bpf.ARCH_OFFSET),
        Instruction(bpf.JEQ, token, 0, tails[0] - 2),
        Instruction(bpf.LOAD, bpf.NUMBER_OFFSET),
    ]
    for start, *targets in steps:
        here = len(program) + 1
        yes, no = ((tails[~target] if target < 0 else _HEAD + target) - here for target in targets)
        program.append(Instruction(bpf.JGE, start, yes, no))
    return [*program, *ends, *bodies]


_Step = tuple[int, int, int]
"""A number, and where to go on if the call's is at least that, and if less: a step, or ~ the index of an answer."""


def _search(ranges: list[tuple[int, int]], steps: list[_Step]) -> int:
    """Add the steps of a binary search for the last range that begins at or below a number; gives where it begins."""
    if len(ranges) == 1:
        return ~ranges[0][1]
    middle = len(ranges) // 2
    here = len(steps)
    steps.append((0, 0, 0))
    low = _search(ranges[:middle], steps)
    steps[here] = (ranges[middle][0], _search(ranges[middle:], steps), low)
    return here
