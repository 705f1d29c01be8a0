"""The tool in bubblewrap's place, and the interpreter that carries it."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from aisbx.errors import ConfigError
from aisbx.plugins import Plugins
from aisbx.types import Driver
from aisbx_driver_chroot import tool
from aisbx_linux.confine import carry
from aisbx_linux.local.trial import ARGUMENTS, OUTSIDE_ID

BARE = ARGUMENTS[:-2]


def run(
    options: Sequence[str], *command: str, passed: Sequence[int] = (), told: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run the tool; `told`: its command is among what it reads, if it has one."""
    code = os.memfd_create("code")
    os.write(code, carry.code())
    os.lseek(code, 0, os.SEEK_SET)
    words = [str(code) if word == "{file:1}" else word for word in carry.WORDS]
    argv = [os.path.realpath(sys.executable), *words, *options, *(() if told else ("--", *command))]
    try:
        return subprocess.run(
            argv, pass_fds=(code, *passed), env={}, capture_output=True, text=True, timeout=30, check=False
        )
    finally:
        os.close(code)


def gated(program: bytes) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run a command behind a gate that gets this and is closed; gives what the tool reported on its status pipe too."""
    gate, filter_ = os.pipe()
    reports, status = os.pipe()
    os.write(filter_, program)
    os.close(filter_)
    done = run(
        [*BARE, "--seccomp", str(gate), "--json-status-fd", str(status)], "/bin/echo", "it ran", passed=(gate, status)
    )
    os.close(gate)
    os.close(status)
    with open(reports, encoding="utf-8") as stream:
        return done, stream.read()


def test_a_gate_that_is_closed_without_a_filter_lets_nothing_run() -> None:
    assert run(BARE, "/bin/echo", "it ran").stdout == "it ran\n"
    for program in (b"", b"\x06\x00\x00"):
        done, reported = gated(program)
        assert (done.stdout, done.stderr) == ("", "confine: the system-call filter never came\n")
        assert "exit-code" not in reported


def test_a_filter_that_the_kernel_refuses_lets_nothing_run() -> None:
    done, reported = gated(b"\xff" * 8)
    assert (done.stdout, done.stderr) == ("", "confine: the system-call filter was refused\n")
    assert "exit-code" not in reported


def test_a_command_behind_a_filter_runs_and_its_end_is_told() -> None:
    allow = (0x06).to_bytes(2, "little") + bytes(2) + (0x7FFF0000).to_bytes(4, "little")
    done, reported = gated(allow)
    assert (done.stdout, done.stderr) == ("it ran\n", "")
    assert '"child-pid"' in reported
    assert '"exit-code": 0' in reported


def test_a_command_that_was_not_told_to_its_end_is_no_command() -> None:
    options, told = os.pipe()
    os.write(told, "\0".join((*BARE, "")).encode())
    os.close(told)
    done = run(["--args", str(options)], passed=(options,), told=True)
    os.close(options)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "confine: no command was given\n")


def test_an_option_that_the_tool_does_not_know_is_an_error_and_nothing_runs() -> None:
    done = run([*BARE, "--share-everything"], "/bin/echo", "it ran")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "confine: --share-everything is no option of this tool\n"


def test_where_user_namespaces_can_be_made_the_driver_says_that_it_is_whole(chroot: Driver) -> None:
    assert chroot.probe().facts["level"] == tool.WHOLE


def test_a_command_ends_the_tool_as_it_ended_itself() -> None:
    assert run(BARE, "/bin/sh", "-c", "exit 7").returncode == 7
    assert run(BARE, "/bin/sh", "-c", "kill -9 $$").returncode == 128 + 9


def test_devices_are_made_nowhere_but_in_the_root_directory(tmp_path: Path) -> None:
    """Without namespaces root makes them, by a path of the host's, where an archive may have put a link."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/null").write_text("mine")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/dev").symlink_to(tmp_path / "mine")
    done = run(["--chroot", str(tmp_path / "root"), "--become", f"{OUTSIDE_ID}:{OUTSIDE_ID}"], "/bin/echo", "it ran")
    assert (done.returncode, done.stdout) == (1, "")
    if os.geteuid() == 0:  # for anybody else it ends sooner, or here
        assert done.stderr == f"confine: {tmp_path}/root/dev: Not a directory\n"
    assert (tmp_path / "mine/null").read_text() == "mine"
    assert os.listdir(tmp_path / "mine") == ["null"]


def test_a_mount_goes_nowhere_but_into_the_new_root(tmp_path: Path) -> None:
    """A link on the way to a mount, which leads out on the host, leads to the same name inside."""
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    options = [
        "--unshare-all",
        "--ro-bind",
        "/usr",
        "/usr",
        "--symlink",
        "usr/bin",
        "/bin",
        "--symlink",
        "usr/lib",
        "/lib",
    ]
    options += [
        "--symlink",
        "usr/lib64",
        "/lib64",
        "--bind",
        str(tmp_path),
        "/w",
        "--dir",
        "/w/out/made",
        "--proc",
        "/proc",
    ]
    done = run([*options, "--dev", "/dev"], "/bin/sh", "-c", "true")
    assert list((tmp_path / "elsewhere").iterdir()) == [], done.stderr


@pytest.mark.parametrize(
    ("settings", "key"), [({"path": "/x"}, "drivers.chroot.path"), ({"python": "python3"}, "drivers.chroot.python")]
)
def test_another_setting_or_a_relative_path_is_refused(settings: dict[str, str], key: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Plugins().get("driver", "chroot", {"cache_dir": str(tmp_path), **settings})
    assert caught.value.key == key


def test_an_interpreter_that_cannot_run_the_tool_is_said_so(tmp_path: Path) -> None:
    program = tmp_path.resolve() / "python3"
    program.write_text("#!/bin/sh\necho 'no such syntax' >&2; exit 1\n")
    program.chmod(0o755)
    found, probed = tool.probe({"python": str(program)}, str(tmp_path / "memory"))
    assert (found, probed.usable, probed.remedy) == (None, False, "apt-get install python3")
    # Root's sandboxes are another user's, who can't get that far.
    assert probed.reason.endswith("cannot run the tool: no such syntax" if os.geteuid() else "are another user's")


def test_an_interpreter_that_others_can_change_is_refused(tmp_path: Path) -> None:
    program = tmp_path.resolve() / "python3"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o777)
    _, probed = tool.probe({"python": str(program)}, str(tmp_path / "memory"))
    assert probed.reason == f"{program} can be changed by other users"
