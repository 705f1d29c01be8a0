"""The gate that holds a command back until its walls stand: bubblewrap's `--seccomp` pipe."""

import fcntl
import os
import subprocess
from pathlib import Path
from typing import cast

import pytest
from aisbx_driver_bwrap.driver import BwrapDriver
from aisbx_linux.assemble import Assembly, assemble

_SANDBOX = ("--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import LaunchRequest, LocalPlan


@pytest.fixture
def tool(tmp_path: Path) -> str:
    """The bubblewrap that the driver uses here."""
    probed = BwrapDriver({"cache_dir": str(tmp_path)}).probe()
    assert probed.usable, probed.reason
    return probed.facts["path"]


def released_by_nothing(tool: str, option: str) -> "subprocess.CompletedProcess[bytes]":
    """Start a bubblewrap that waits on a pipe by this option, and let the pipe's writer go without a byte."""
    reader, writer = os.pipe()
    os.close(writer)
    try:
        argv = [tool, *_SANDBOX, option, str(reader), "--", "echo", "it runs"]
        return subprocess.run(argv, pass_fds=[reader], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    finally:
        os.close(reader)


def test_a_launcher_that_ends_before_it_gives_the_filter_has_started_nothing(tool: str) -> None:
    done = released_by_nothing(tool, "--seccomp")
    assert done.stdout == b""
    assert done.returncode != 0
    assert b"EINVAL" in done.stderr


def test_the_option_made_for_waiting_lets_the_command_run_when_its_writer_is_gone(tool: str) -> None:
    assert released_by_nothing(tool, "--block-fd").stdout == b"it runs\n"


def abandoned(tool: str, *, gated: bool) -> "subprocess.CompletedProcess[bytes]":
    """Start the tool as the launcher does, tell it some of what to mount, and be gone."""
    assembly = Assembly()
    plan = cast(
        "LocalPlan",
        {"words": [], "outside": None, "composed": True, "private": [], "workspace": None, "sources": [], "files": []},
    )
    assemble(assembly, plan, cast("LaunchRequest", {"terminal": False, "argv": ["echo", "it runs"]}))

    def place() -> None:
        """Give the tool its descriptors where it has them to itself: another test's thread may hold a number here."""
        aside = assembly.base + len(assembly.passed)
        for index, copy in enumerate([fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, aside) for fd in assembly.passed]):
            os.dup2(copy, assembly.base + index)

    argv = [tool, *assembly.argv[1:]]
    if not gated:
        at = argv.index("--seccomp")
        del argv[at : at + 2]
    try:
        os.write(assembly.options, "\0".join(_SANDBOX).encode() + b"\0")
        os.close(assembly.options)
        os.close(assembly.gate)
        return subprocess.run(
            argv, preexec_fn=place, close_fds=False, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    finally:
        os.close(assembly.status)
        assembly.close()


def test_a_launcher_that_ends_in_the_middle_of_what_it_tells_the_tool_has_started_nothing(tool: str) -> None:
    done = abandoned(tool, gated=True)
    assert done.stdout == b""
    assert b"EINVAL" in done.stderr
    assert abandoned(tool, gated=False).stdout == b"it runs\n", "it is the gate that holds it back"
