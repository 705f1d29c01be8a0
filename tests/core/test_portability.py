"""The core works where Linux does not: it is imported and used with the platform and its modules hidden."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Third-party code and the standard library are imported first, as they are: they have their own ports. What follows,
# all of ours, then sees a system without these modules and functions.
HARNESS = """
import os, runpy, sys
platform, *argv = sys.argv[1:]
import typer, pluggy, yaml, pydantic, pydantic_settings, typer.completion, typer.core, typer.main
import importlib.metadata, json, subprocess, tempfile, shutil, getpass, platform as _, difflib, uuid, datetime, tomllib
import pathlib, ipaddress, logging, traceback, zoneinfo, typing, hashlib, base64, shlex, codecs, contextlib, glob
HIDDEN = {"fcntl", "pwd", "grp", "resource", "termios", "tty", "pty", "spwd", "crypt", "syslog",
          "aisbx_linux", "pyseccomp", "aisbx_driver_bwrap", "aisbx_driver_chroot", "aisbx_driver_lima"}
if platform == "win32":
    HIDDEN.add("posix")
    sys.modules["msvcrt"] = type(sys)("msvcrt")
    sys.modules["msvcrt"].__dict__.update(LK_LOCK=1, LK_UNLCK=0, locking=lambda *_: None)
else:
    HIDDEN -= {"fcntl", "pwd"}  # macOS has them: the audit log is locked, the account looked up; the rest is hidden

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r} on {platform}", name=name)

sys.meta_path.insert(0, Hide())
for name in list(sys.modules):
    if name.partition(".")[0] in HIDDEN:
        del sys.modules[name]
    assert not name.startswith("aisbx."), f"{name} was imported before its platform was hidden"
LINUX = {"memfd_create", "pidfd_open", "sched_getaffinity", "unshare", "setns", "getxattr", "setxattr", "eventfd",
         "posix_fadvise", "splice", "pipe2", "O_PATH", "O_TMPFILE", "getrandom", "setresuid", "setresgid"}
UNIX = {"geteuid", "getuid", "getegid", "getgid", "getgroups", "setuid", "setgid", "setsid", "fork", "forkpty",
        "openpty", "posix_spawn", "kill", "killpg", "chown", "lchown", "fchown", "fchmod", "mkfifo", "mknod", "nice",
        "getpgid", "setpgid", "tcgetpgrp", "uname", "sysconf", "waitid", "wait3", "wait4", "WNOHANG", "statvfs",
        "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_DIRECTORY", "register_at_fork", "getpriority", "pread", "pwrite",
        "major", "minor", "ctermid", "ttyname", "getlogin_r", "environb", "getenvb", "fsync_dir"}
for name in LINUX | (UNIX if platform == "win32" else set()):
    if hasattr(os, name):
        delattr(os, name)
sys.platform = platform  # `os.name` stays: pathlib can't make the paths of another system
sys.argv = ["aisbx", *argv]
runpy.run_module("aisbx", run_name="__main__")
"""


def on(platform: str, home: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", HARNESS, platform, *argv],
        cwd=home,
        env={"HOME": str(home), "USER": "somebody", "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(params=["darwin", "win32"])
def platform(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize(
    "argv",
    [
        ("--help",),
        ("--version",),
        ("run", "--help"),
        ("profile", "list"),
        ("profile", "show", "python-dev"),
        ("plugin", "list"),
        ("config", "show", "--origin"),
        ("audit", "show"),
        ("logs",),
    ],
    ids=" ".join,
)
def test_what_needs_no_driver_works_on_other_systems(platform: str, tmp_path: Path, argv: tuple[str, ...]) -> None:
    done = on(platform, tmp_path, *argv)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert not done.stderr


def test_doctor_says_on_other_systems_what_is_missing_and_where_to_go(platform: str, tmp_path: Path) -> None:
    done = on(platform, tmp_path, "doctor")
    assert done.returncode == 125
    assert done.stderr.startswith("aisbx: driver-unavailable: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stdout + done.stderr
    report = json.loads(on(platform, tmp_path, "doctor", "--json").stdout)
    assert report["ready"] is False


def test_a_run_on_another_system_is_refused_in_one_line(platform: str, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    done = on(platform, tmp_path, "run", "-w", str(work), "--", "true")
    assert done.returncode == 125
    assert done.stderr.startswith("aisbx: ")
    assert done.stderr.count("\n") == 1
    assert "internal" not in done.stderr


def test_the_harness_hides_what_it_says(platform: str, tmp_path: Path) -> None:
    probe = HARNESS[: HARNESS.index("sys.argv =")] + (
        "for name in ('grp', 'termios', 'resource', 'aisbx_linux.seccomp'):\n"
        "    try:\n        __import__(name)\n        print('seen', name)\n    except ImportError:\n        pass\n"
        "print(sys.platform, hasattr(os, 'geteuid'), hasattr(os, 'memfd_create'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, platform], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == f"{platform} {platform == 'darwin'} False\n", done.stderr
