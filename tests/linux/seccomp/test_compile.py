"""Programs do what the table says, on both architectures, and one that does not is never given out."""

import errno
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest
from aisbx.errors import ConfigError, ControlError
from aisbx_linux.seccomp import GROUPS, bpf, compile_filter, expand
from aisbx_linux.seccomp import compile as compiler
from aisbx_linux.seccomp.arguments import ALLOW, CHECKS, Case
from aisbx_linux.seccomp.arrange import Answer
from aisbx_linux.seccomp.bpf import Instruction
from aisbx_linux.seccomp.compile import ARCHITECTURES
from aisbx_linux.seccomp.library import Library
from aisbx_linux.seccomp.table import allowed_calls, late_numbers
from aisbx_linux.seccomp.verdict import decide
from hypothesis import given, settings
from hypothesis import strategies as st

from .support import MACHINE, filter_of

ENOSYS, EPERM = bpf.ret_errno(errno.ENOSYS), bpf.ret_errno(errno.EPERM)
ALL_OPTIONAL = tuple(sorted(GROUPS.keys() - expand(["base"])))
SOME_NUMBERS = st.one_of(
    st.integers(0, 2**64 - 1),
    st.sampled_from([v | above for c in CHECKS.values() for k in c.cases for x in k.conditions for v in x.values
                     for above in (0, 1 << 32)]),
)  # fmt: skip


def answer(program: bytes, arch: str, call: str, *arguments: int) -> int:
    number = Library(ARCHITECTURES[arch]).number(call)
    number = late_numbers(arch)[call] if number is None else number
    return bpf.run(bpf.decode(program), number, ARCHITECTURES[arch], (*arguments, *(0,) * 6)[:6])


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("groups", [("base",), ("base", *ALL_OPTIONAL), ("debug",), ("set-id", "base"), ()])
def test_every_selection_compiles_for_both_architectures(groups: tuple[str, ...], arch: str) -> None:
    program = compile_filter(groups, arch=arch)
    assert len(program) // 8 < bpf.MAX_INSTRUCTIONS
    assert answer(program, arch, "clone3") == ENOSYS
    assert answer(program, arch, "mount") == EPERM
    assert answer(program, arch, "read") == (bpf.RET_ALLOW if "base" in groups else ENOSYS)
    assert answer(program, arch, "fchmod", 3, 0o4755) == (
        bpf.RET_ALLOW if "set-id" in groups else EPERM if "base" in groups else ENOSYS
    )


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_calls_that_libseccomp_is_too_old_for_are_decided_by_number(arch: str) -> None:
    program = compile_filter(["base"], arch=arch)
    got = {call: answer(program, arch, call) for call in ("mseal", "setxattrat", "futex_waitv", "open_tree_attr")}
    assert got == {
        "mseal": bpf.RET_ALLOW,
        "setxattrat": bpf.RET_ALLOW,
        "futex_waitv": bpf.RET_ALLOW,
        "open_tree_attr": EPERM,
    }
    assert answer(program, arch, "fchmodat2", 0, 0, 0o4755) == EPERM


@settings(max_examples=400, deadline=None, database=None)
@given(call=st.sampled_from(sorted(CHECKS)), arguments=st.tuples(*[SOME_NUMBERS] * 6), optional=st.booleans())
def test_arguments_are_judged_as_the_table_judges_them(
    call: str, arguments: tuple[int, ...], *, optional: bool
) -> None:
    groups = ("base", *ALL_OPTIONAL) if optional else ("base",)
    number = Library(ARCHITECTURES[MACHINE]).number(call)
    if number is None:
        number = late_numbers(MACHINE).get(call)
    if number is None:
        return  # the older half of a pair such as open and openat, which this architecture lacks
    found = bpf.run(bpf.decode(filter_of(*groups)), number, ARCHITECTURES[MACHINE], arguments)
    assert found == decide(call, arguments, expand(groups), allowed_calls(groups))


def test_the_order_of_groups_does_not_matter() -> None:
    assert compile_filter(["numa", "base"]) == compile_filter(["base", "numa", "base"])


def test_the_default_architecture_is_this_machines() -> None:
    assert compile_filter(["base"]) == compile_filter(["base"], arch=os.uname().machine)


def test_another_architecture_is_refused_and_says_which_there_are() -> None:
    with pytest.raises(ControlError, match="no system-call filter for riscv64") as caught:
        compile_filter(["base"], arch="riscv64")
    assert caught.value.control == "sys:filter"
    assert "x86_64, aarch64" in caught.value.hint


def test_an_unknown_group_is_refused() -> None:
    with pytest.raises(ConfigError):
        compile_filter(["base", "typo"])


def _without(call: str, actions: Mapping[str, int]) -> dict[str, int]:
    return {name: action for name, action in actions.items() if name != call}


@pytest.mark.parametrize("fault", ["allows more", "allows less", "ends too early", "lets foreign calls in"])
def test_a_wrong_program_is_not_given_out(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Library.program

    def wrong(self: Library, actions: Mapping[str, int], default: int) -> bytes:
        if fault == "allows more":
            return right(self, {**actions, "ptrace": bpf.RET_ALLOW}, default)
        if fault == "allows less":
            return right(self, _without("read", actions), default)
        if fault == "ends too early":
            return bpf.encode([Instruction(bpf.RETURN, bpf.RET_ALLOW)])
        kill = Instruction(bpf.RETURN, bpf.RET_KILL_PROCESS)
        program = bpf.decode(right(self, actions, default))
        return bpf.encode(i._replace(k=bpf.RET_ALLOW) if i == kill else i for i in program)

    monkeypatch.setattr(Library, "program", wrong)
    with pytest.raises(ControlError, match="the compiled filter answers"):
        compile_filter(["base"])


@pytest.mark.parametrize("fault", ["a condition is dropped", "the last word is allow", "upper bits count"])
def test_a_wrong_decision_about_arguments_is_not_given_out(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = compiler._decision

    def wrong(cases: tuple[Case, ...], otherwise: str) -> Answer:
        if fault == "a condition is dropped":
            return right(tuple(Case(c.verdict, c.conditions[:1]) for c in cases), otherwise)
        if fault == "the last word is allow":
            return right(cases, ALLOW)
        body = right(cases, otherwise)
        return tuple(i._replace(k=i.k + 4) if i.code == bpf.LOAD else i for i in body)

    monkeypatch.setattr(compiler, "_decision", wrong)
    with pytest.raises(ControlError, match="the compiled filter answers"):
        compile_filter(["base"])


def test_a_call_that_is_always_allowed_never_looks_at_arguments() -> None:
    """So that kernels since 5.11 need not run the filter for it (seccomp's cache of constant actions)."""
    program = bpf.decode(filter_of("base"))
    number = Library(ARCHITECTURES[MACHINE]).number("read")
    assert number is not None
    position, accumulator, loads = 0, 0, list[int]()
    while program[position].code != bpf.RETURN:
        step = program[position]
        if step.code == bpf.LOAD:
            loads.append(step.k)
            accumulator = ARCHITECTURES[MACHINE] if step.k == bpf.ARCH_OFFSET else number
        holds = {bpf.JEQ: accumulator == step.k, bpf.JGE: accumulator >= step.k, bpf.JGT: accumulator > step.k}
        assert step.code in holds or step.code in {bpf.LOAD, bpf.JUMP}
        position += 1 + (step.k if step.code == bpf.JUMP else step.if_true if holds.get(step.code) else step.if_false)
    assert set(loads) == {bpf.ARCH_OFFSET, bpf.NUMBER_OFFSET}


def test_the_package_itself_imports_none_of_this() -> None:
    script = "import sys, aisbx_linux; print([m for m in sys.modules if 'seccomp' in m or m == 'ctypes'])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
