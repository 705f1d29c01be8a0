"""The gate that holds a command back until its walls stand: bubblewrap's `--seccomp` pipe."""

import os
import subprocess

from aisbx_driver_bwrap.tool import find

_SANDBOX = ("--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc")


def released_by_nothing(option: str) -> "subprocess.CompletedProcess[bytes]":
    """Start a bubblewrap that waits on a pipe by this option, and let the pipe's writer go without a byte."""
    tool, reason = find({})
    assert tool is not None, reason
    reader, writer = os.pipe()
    os.close(writer)
    try:
        argv = [tool.path, *_SANDBOX, option, str(reader), "--", "echo", "it runs"]
        return subprocess.run(argv, pass_fds=[reader], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    finally:
        os.close(reader)


def test_a_launcher_that_ends_before_it_gives_the_filter_has_started_nothing() -> None:
    done = released_by_nothing("--seccomp")
    assert done.stdout == b""
    assert done.returncode != 0
    assert b"EINVAL" in done.stderr


def test_the_option_made_for_waiting_lets_the_command_run_when_its_writer_is_gone() -> None:
    assert released_by_nothing("--block-fd").stdout == b"it runs\n"
