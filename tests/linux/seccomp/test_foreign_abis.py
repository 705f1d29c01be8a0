"""The same calls by other entries: x32 numbers and the 32-bit interrupt. Both exist on x86_64 only."""

import errno
import json
import signal

import pytest

from .support import ENTRIES, MACHINE, PYTHON, ask, bwrap, confined, filter_of, memory_file, number

pytestmark = pytest.mark.skipif(MACHINE != "x86_64", reason="x86_64 is the only architecture with these entries")

X32 = 0x4000_0000
GETPID_32 = 20  # arch/x86/entry/syscalls/syscall_32.tbl

# push rbx; mov eax, 20; int 0x80; pop rbx; ret
INTERRUPT = f"""
import ctypes, mmap
code = b"\\x53\\xb8" + ({GETPID_32}).to_bytes(4, "little") + b"\\xcd\\x80\\x5b\\xc3"
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(code)
call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
import os
print(call() == os.getpid())
"""


def ended_by(status: int) -> int:
    """Give the signal: bwrap, as a shell would, ends with 128 + N."""
    return status - 128


def test_int_0x80_ends_the_process() -> None:
    done = confined([PYTHON, "-c", INTERRUPT], "base")
    assert ended_by(done.returncode) == signal.SIGSYS
    assert done.stdout == ""


def test_int_0x80_makes_calls_when_there_is_no_filter() -> None:
    done = confined([PYTHON, "-c", INTERRUPT])
    if ended_by(done.returncode) == signal.SIGSEGV:
        return  # this kernel has no 32-bit entry (ia32_emulation=0), so there is nothing to close
    assert done.stdout == "True\n", done.stderr


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("call", ["getpid", "ptrace", "unshare", "mount", "io_uring_setup"])
def test_x32_numbers_end_the_process(call: str, entry: str) -> None:
    assert ask({"x32": [(number(call) | X32, 0, 0, 0, 0)]}, "base", entry=entry) == {"x32": [("signal", signal.SIGSYS)]}


def test_x32_numbers_reach_the_kernel_when_there_is_no_filter() -> None:
    (answer,) = ask({"x32": [(number("getpid") | X32,)]})["x32"]
    assert answer == (-1, errno.ENOSYS) or isinstance(answer[0], int), "killed without a filter"


def test_a_number_with_all_bits_set_is_an_unknown_call_and_not_a_way_around() -> None:
    assert ask({"-1": [(0xFFFF_FFFF,)]}, "base") == {"-1": [(-1, errno.ENOSYS)]}


def test_every_process_of_the_sandbox_is_filtered_also_after_exec() -> None:
    script = f"import subprocess, sys; print(subprocess.run([sys.executable, '-c', {INTERRUPT!r}]).returncode)"
    assert confined([PYTHON, "-c", script], "base").stdout == f"{-signal.SIGSYS}\n"


def test_a_filter_installed_by_the_process_itself_closes_the_interrupt_too() -> None:
    from . import child

    with memory_file(filter_of("base")) as descriptor:
        script = f"import runpy; runpy.run_path({child.__file__!r})['install']({json.dumps(descriptor)})\n{INTERRUPT}"
        done = bwrap([PYTHON, "-c", script], inherit=[descriptor])
    assert ended_by(done.returncode) == signal.SIGSYS
