"""Filters under real processes: given to bwrap, and by a process that installs one itself."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager

from aisbx_linux.seccomp import compile_filter
from aisbx_linux.seccomp.compile import ARCHITECTURES
from aisbx_linux.seccomp.library import Library
from aisbx_linux.seccomp.table import late_numbers

PYTHON = os.path.realpath(sys.executable)
SCRATCH = "/run"
CHILD = os.path.join(os.path.dirname(__file__), "child.py")
MACHINE = os.uname().machine
AS_ROOT = os.geteuid() == 0

# The two ways a filter gets into the kernel.
ENTRIES = ("bwrap", "prctl")

# An argument is a number, text, {"bytes": hex} or {"result": index of an earlier call}; see child.py.
Argument = int | str | dict[str, str] | dict[str, int]
Call = Sequence[Argument]
Answer = tuple[int | str, int]


@functools.cache
def filter_of(*groups: str) -> bytes:
    return compile_filter(groups)


@functools.cache
def number(call: str) -> int:
    found = Library(ARCHITECTURES[MACHINE]).number(call)
    return late_numbers(MACHINE)[call] if found is None else found


@contextmanager
def memory_file(content: bytes) -> Generator[int]:
    descriptor = os.memfd_create("filter", 0)
    try:
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def bwrap(
    argv: Sequence[str], *options: str, inherit: Sequence[int] = (), timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run in namespaces of its own with every capability there is, so that only a filter can be what refuses."""
    user = [] if AS_ROOT else ["--unshare-user", "--uid", "0", "--gid", "0"]
    return subprocess.run(
        [
            *("bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
            # Not over /tmp, where this checkout or its Python may lie.
            *("--tmpfs", SCRATCH, "--chdir", SCRATCH, "--setenv", "HOME", SCRATCH, "--setenv", "TMPDIR", SCRATCH),
            *(*user, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--cap-add", "ALL"),
            # A session of its own: vhangup() hangs up the controlling terminal, which would be the caller's.
            *("--die-with-parent", "--new-session", *options, "--", *argv),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        pass_fds=inherit,
    )


def confined(argv: Sequence[str], *groups: str, options: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run under the filter of `groups`; without any, unfiltered."""
    if not groups:
        return bwrap(argv, *options)
    with memory_file(filter_of(*groups)) as descriptor:
        return bwrap(argv, *options, "--seccomp", str(descriptor), inherit=[descriptor])


def ask(probes: Mapping[str, Sequence[Call]], *groups: str, entry: str = "bwrap") -> dict[str, list[Answer]]:
    """Give what the kernel answered to each call of each probe, as (result, errno) or ("signal", its number)."""

    def argv(descriptor: int | None) -> list[str]:
        return [PYTHON, "-I", "-S", CHILD, json.dumps({"filter": descriptor, "probes": probes})]

    if entry == "bwrap" or not groups:
        done = confined(argv(None), *groups)
    else:
        with memory_file(filter_of(*groups)) as descriptor:
            done = bwrap(argv(descriptor), inherit=[descriptor])
    assert done.returncode == 0, done.stderr
    return {name: [(row[0], row[1]) for row in rows] for name, rows in json.loads(done.stdout).items()}
