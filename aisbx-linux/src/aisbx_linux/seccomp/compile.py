"""From names of groups to a BPF program, and the proof that the program does what the table says."""

import itertools
import os
from collections.abc import Collection, Iterator, Mapping

from aisbx.errors import ControlError

from aisbx_linux.seccomp import bpf
from aisbx_linux.seccomp.arguments import CHECKS, WHOLE, Case
from aisbx_linux.seccomp.arrange import Answer, arrange
from aisbx_linux.seccomp.bpf import Instruction
from aisbx_linux.seccomp.library import Library
from aisbx_linux.seccomp.table import DENIED, REVIEWED, allowed_calls, expand, late_numbers
from aisbx_linux.seccomp.verdict import UNKNOWN, action_of, cases_of, decide, refusal_of

# AUDIT_ARCH_… of include/uapi/linux/audit.h, by the names that uname(2) gives.
ARCHITECTURES: Mapping[str, int] = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}

_X32 = 0x4000_0000
_FOREIGN = (0x4000_0003, 0x4000_0028)  # i386, arm
_BEYOND: Mapping[str, tuple[int, ...]] = {"x86_64": (_X32, (1 << 32) - 1), "aarch64": ()}
"""Numbers above the table's where other answers begin: of another ABI, and -1, a tracer's mark for "not to be made"."""
_ONES = (1 << 64) - 1


def compile_filter(groups: Collection[str], *, arch: str | None = None) -> bytes:
    """Give the filter that allows `groups` and nothing else, as `struct sock_filter[]`.

    `arch` is `x86_64` or `aarch64`, this machine's if None; each can be made on the other. Takes some 50 ms: see
    `cached_filter`. ConfigError for an unknown group; ControlError without libseccomp, on another architecture, or
    if the program does not do what the table says.
    """
    machine = arch or os.uname().machine
    token = ARCHITECTURES.get(machine)
    if token is None:
        raise ControlError(
            f"there is no system-call filter for {machine}",
            control="sys:filter",
            hint=f"architectures with one: {', '.join(ARCHITECTURES)}",
        )
    selected = expand(groups)
    allowed = allowed_calls(selected)
    library = Library(token)
    numbers = _numbers(library, machine)
    by_call = dict.fromkeys(allowed, bpf.RET_ALLOW) | {c: refusal_of(c) for c in DENIED if c not in allowed}
    checked: dict[int, Answer] = {}
    for call in [*CHECKS, *(c for c in by_call if c not in CHECKS)]:
        number = numbers.get(call)
        cases, otherwise = cases_of(call, selected) if call in allowed else ((), "")
        if number is None:
            by_call.pop(call, None)
        elif cases:
            by_call.pop(call, None)
            checked[number] = _decision(cases, otherwise)
        elif call in by_call and library.number(call) is None:
            checked[number] = (Instruction(bpf.RETURN, by_call.pop(call)),)
    plain = bpf.decode(library.program(by_call, UNKNOWN))
    asked = [*range(REVIEWED + 2), *_BEYOND[machine]]
    answers = {
        number: checked.get(number) or (Instruction(bpf.RETURN, bpf.run(plain, number, token, (0,) * 6)),)
        for number in asked
    }
    program = bpf.encode(arrange(token, answers))
    _prove(program, token, {number: call for call, number in numbers.items()}, selected, allowed)
    return program


def call_names(machine: str) -> dict[int, str]:
    """Give the names of calls by number, as the filters of a machine have them; ControlError without libseccomp."""
    return {number: call for call, number in _numbers(Library(ARCHITECTURES[machine]), machine).items()}


def _numbers(library: Library, machine: str) -> dict[str, int]:
    numbers = dict(late_numbers(machine))
    for number in range(REVIEWED + 1):
        call = library.name(number)
        if call is not None:
            numbers[call] = number
    return numbers


def _decision(cases: Collection[Case], otherwise: str) -> Answer:
    body: list[Instruction] = []
    for case in cases:
        tests: list[list[Instruction]] = []
        for condition in case.conditions:
            test = [Instruction(bpf.LOAD, bpf.argument_offset(condition.argument))]
            if condition.mask != WHOLE:
                test.append(Instruction(bpf.AND, condition.mask))
            last = len(condition.values) - 1
            test += [Instruction(bpf.JEQ, value, last - i, 0) for i, value in enumerate(condition.values)]
            tests.append(test)
        rest = 1  # the return, which a condition that does not hold skips together with those after it
        for test in reversed(tests):
            test[-1] = test[-1]._replace(if_false=rest)
            rest += len(test)
        body += [*itertools.chain.from_iterable(tests), Instruction(bpf.RETURN, action_of(case.verdict))]
    return (*body, Instruction(bpf.RETURN, action_of(otherwise)))


def _prove(
    program: bytes, token: int, names: Mapping[int, str], groups: Collection[str], allowed: Collection[str]
) -> None:
    """Carry the program out on every call, number and ABI and compare with the table; ControlError if it differs.

    A wrong jump here, or a fault in some libseccomp, would be a hole that nothing else notices.
    """
    instructions = bpf.decode(program)
    for number in range(REVIEWED + 64):
        call = names.get(number, "")
        for arguments in _probes(call):
            wanted = decide(call, arguments, groups, allowed)
            found = bpf.run(instructions, number, token, arguments)
            if found != wanted:
                raise _differs(f"{call or number}{arguments}", found, wanted)
        for other, foreign in [(number | _X32, token), *((number, arch) for arch in _FOREIGN)]:
            found = bpf.run(instructions, other, foreign, (0,) * 6)
            wanted = bpf.RET_KILL_PROCESS if token == ARCHITECTURES["x86_64"] or foreign != token else UNKNOWN
            if found != wanted:
                raise _differs(f"call {other:#x} of ABI {foreign:#x}", found, wanted)


def _probes(call: str) -> Iterator[tuple[int, ...]]:
    """Give arguments on both sides of every condition of a call, with and without bits above the 32 that count."""
    yield (0,) * 6
    yield (_ONES,) * 6
    values: dict[int, set[int]] = {}
    for case in CHECKS[call].cases if call in CHECKS else ():
        for condition in case.conditions:
            low = condition.mask & -condition.mask
            values.setdefault(condition.argument, {0}).update(
                value ^ flip for value in condition.values for flip in (0, low, condition.mask & 0x8000_0000, 1 << 32)
            )
    keys = sorted(values)
    for combination in itertools.product(*(sorted(values[key]) for key in keys)):
        arguments = [0] * 6
        for key, value in zip(keys, combination, strict=True):
            arguments[key] = value
        yield tuple(arguments)


def _differs(what: str, found: int, wanted: int) -> ControlError:
    return ControlError(
        f"the compiled filter answers {found:#x} to {what}, where the table says {wanted:#x}",
        control="sys:filter",
        hint="this is a fault of aisbx or of the installed libseccomp: please report it with `aisbx doctor --json`",
    )
