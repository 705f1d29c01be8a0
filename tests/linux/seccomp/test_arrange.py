"""Answers by number, laid out as a search among ranges."""

import itertools
import random
import struct

import pytest
from aisbx_linux.seccomp import bpf
from aisbx_linux.seccomp.arrange import KILL, Answer, arrange
from aisbx_linux.seccomp.bpf import Instruction
from aisbx_linux.seccomp.compile import ARCHITECTURES, compile_filter
from aisbx_linux.seccomp.table import GROUPS, expand

TOKEN, OTHER = 7, 8
ALLOW = (Instruction(bpf.RETURN, bpf.RET_ALLOW),)
REFUSE = (Instruction(bpf.RETURN, bpf.ret_errno(1)),)
LOOK = (Instruction(bpf.LOAD, bpf.argument_offset(0)), Instruction(bpf.JEQ, 5, 0, 1), *ALLOW, *REFUSE)


def given(program: list[Instruction], number: int, *, token: int = TOKEN, argument: int = 0) -> int:
    return bpf.run(bpf.decode(bpf.encode(program)), number, token, (argument, 0, 0, 0, 0, 0))


def test_every_number_gets_the_answer_of_the_nearest_below() -> None:
    chance = random.Random(7)
    for _ in range(50):
        answers: dict[int, Answer] = {0: chance.choice([ALLOW, REFUSE, KILL])}
        answers |= {chance.randrange(1, 300): chance.choice([ALLOW, REFUSE, KILL]) for _ in range(90)}
        answers[0xFFFF_FFFF] = REFUSE
        program = arrange(TOKEN, answers)
        for number in (*range(310), 0x7FFF_FFFF, 0xFFFF_FFFE, 0xFFFF_FFFF):
            nearest = max(start for start in answers if start <= number)
            assert given(program, number) == answers[nearest][0].k
            assert given(program, number, token=OTHER) == bpf.RET_KILL_PROCESS


def test_an_answer_may_depend_on_arguments() -> None:
    program = arrange(TOKEN, {0: REFUSE, 3: LOOK, 4: ALLOW, 5: LOOK, 6: REFUSE})
    assert [given(program, number, argument=5) for number in range(8)] == [
        answer[0].k for answer in (REFUSE, REFUSE, REFUSE, ALLOW, ALLOW, ALLOW, REFUSE, REFUSE)
    ]
    assert [given(program, number, argument=6) for number in (3, 4, 5)] == [REFUSE[0].k, ALLOW[0].k, REFUSE[0].k]


def test_one_answer_for_all_needs_no_search() -> None:
    assert len(arrange(TOKEN, {0: ALLOW})) == len(["token", "test", "number", "kill", "allow"])


def test_more_ranges_than_a_jump_reaches_across_are_an_error_and_not_a_wrong_jump() -> None:
    program = arrange(TOKEN, {number: (ALLOW, REFUSE)[number % 2] for number in range(300)})
    with pytest.raises(struct.error):
        bpf.encode(program)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_no_selection_of_groups_comes_near_that(arch: str) -> None:
    """Each is also carried out on every number, as always (`compile._prove`)."""
    chance = random.Random(arch)
    optional = sorted(GROUPS.keys() - expand(["base"]))
    selections = [
        [],
        optional,
        *([one] for one in optional),
        *(chance.sample(optional, chance.randrange(len(optional))) for _ in range(15)),
    ]
    for groups in selections:
        program = bpf.decode(compile_filter(["base", *groups], arch=arch))
        reach = max(step.if_false for step in program if step.code == bpf.JEQ)
        assert reach < 200, groups
        assert len(program) < 400


def test_a_call_takes_few_steps_to_its_answer() -> None:
    token = ARCHITECTURES["x86_64"]
    program = bpf.decode(compile_filter(["base"], arch="x86_64"))
    longest = 0
    for number, argument in itertools.product(range(500), (0,)):
        steps, position, accumulator = 0, 0, 0
        while program[position].code != bpf.RETURN and steps < 100:
            step = program[position]
            if step.code == bpf.LOAD:
                accumulator = {bpf.ARCH_OFFSET: token, bpf.NUMBER_OFFSET: number}.get(step.k, argument)
            holds = {bpf.JEQ: accumulator == step.k, bpf.JGE: accumulator >= step.k}.get(step.code, False)
            position += 1 + (step.k if step.code == bpf.JUMP else step.if_true if holds else step.if_false)
            steps += step.code in {bpf.JGE, bpf.JUMP}
        longest = max(longest, steps)
    assert longest <= 9
