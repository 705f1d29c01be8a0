"""`aisbx learn`, for real: the narrowest profile for a command, under which it runs again, and secrets stay hidden."""

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aisbx.api.doors import engine, principal

from .conftest import Box, eventually
from .test_monitor import CALLS, NUMBERS

ALLOWED_BY_NOBODY = {"mount": 0, "keyctl": 0, "setns": 0, "unshare": 0x1000_0000, "openat2": 0}
ENOSYS = {"openat2"}
MINE = """\
description: more than is needed
toolchains: [python]
mounts:
  - source: ~/models
    mode: rw
  - source: ~/idle
environment: {{ MODE: test }}
network: {{ allow: ["idle.example.org:443"] }}
syscalls: [base, numa]
limits: {{ memory: 2G, pids: 512 }}
"""
SCRIPT = """\
import json, os, sys, urllib.request
home = os.environ["HOME"]
def tries(work):
    try:
        return str(work())
    except Exception as error:
        return type(error).__name__ + ": " + str(error)
def write(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as stream:
        return stream.write("#!/bin/sh\\ntouch ~/owned\\n")
told = {
    "key": tries(lambda: open(home + "/.ssh/id_ed25519").read()),
    "env": tries(lambda: open(home + "/other/.env").read()),
    "planted": tries(lambda: open(home + "/models/.env").read()),
    "model": tries(lambda: open(home + "/models/a.bin").read()),
    "out": tries(lambda: write("build/out.txt")),
    "hook": tries(lambda: write(".git/hooks/post-commit")),
    "host": tries(lambda: urllib.request.urlopen("https://api.example.org/v1", timeout=20)),
    "metadata": tries(lambda: urllib.request.urlopen("http://169.254.169.254/latest", timeout=20)),
    "chroot": tries(lambda: os.chroot("/tmp")),
}
print(json.dumps(told))
sys.exit(0 if told["model"] == "weights" and told["out"].isdigit() else 3)
"""


@dataclass
class Learnt:
    box: Box
    row: dict[str, Any]
    told: dict[str, str]

    @property
    def file(self) -> Path:
        return self.box.home / ".config/aisbx/profiles/learned.yaml"

    def never(self, what: str) -> str:
        return next(row["why"] for row in self.row["never"] if row["what"] == what)


@pytest.fixture(scope="module")
def learnt(whole: Box) -> Learnt:
    home, project = whole.home, whole.project
    for path, text in {
        home / ".ssh/id_ed25519": "a key",
        home / "other/.env": "TOKEN=1",
        home / "models/.env": "TOKEN=2",
        home / "models/a.bin": "weights",
        home / "idle/x": "x",
        project / "script.py": SCRIPT,
        project / ".git/HEAD": "ref: refs/heads/main\n",
        project / ".git/config": "",
        project / ".git/objects/info/x": "",
        project / ".git/refs/heads/x": "",
        home / ".config/aisbx/profiles/mine.yaml": MINE.format(),
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for place in (home / ".config", home / ".config/aisbx", home / ".config/aisbx/profiles"):
        place.chmod(0o700)
    (home / ".config/aisbx/profiles/mine.yaml").chmod(0o600)
    done = whole("learn", "-p", "mine", "--name", "learned", "--json", "--", "python3", "script.py")
    assert done.returncode == 0, done.stdout + done.stderr
    row = json.loads(done.stdout)
    return Learnt(whole, row, json.loads(row["stdout"]["text"]))


def test_while_it_learns_nothing_is_open_that_is_closed_otherwise(learnt: Learnt) -> None:
    assert {learnt.told["key"][:17], learnt.told["env"][:17]} == {"FileNotFoundError"}
    assert "403" in learnt.told["host"]
    assert learnt.told["chroot"].startswith("PermissionError")
    assert not (learnt.box.project / "build").exists()
    assert not (learnt.box.project / ".git/hooks").exists()


def test_the_profile_has_what_was_used_and_its_evidence(learnt: Learnt) -> None:
    text, home = learnt.file.read_text(), learnt.box.home
    assert "  - python  # used " in text
    assert f"  - source: {home}/models/a.bin  # used " in text
    assert "/idle" not in text.partition("# Asked")[0]
    assert '    - "api.example.org:443"  # new: asked for ' in text
    assert "workspace: guarded  # " in text
    assert "numa" not in text.partition("# Asked")[0]
    granted = {row["key"] for row in learnt.row["granted"]}
    assert granted >= {"toolchains", "mounts", "environment", "network", "syscalls", "workspace", "limits"}
    assert all(row["why"] for row in learnt.row["granted"])
    assert learnt.file.stat().st_mode & 0o777 == 0o600


def test_a_planted_secret_and_a_protected_file_are_never_granted_and_that_is_said(learnt: Learnt) -> None:
    home, project = learnt.box.home, learnt.box.project
    assert learnt.never(f"read {home}/.ssh/id_ed25519").startswith("a secret")
    assert learnt.never(f"read {home}/other/.env").startswith("a secret")
    assert learnt.never(f"read {home}/models/.env").startswith("a secret")
    assert learnt.never(f"write {project}/.git/hooks/post-commit").startswith("protected")
    assert "private network" in learnt.never("reach 169.254.169.254:80")
    assert any(row["what"] == "chroot(path=/tmp)" for row in learnt.row["never"])
    assert "# Asked for and never granted:" in learnt.file.read_text()


def test_what_remained_unused_of_the_base_is_said(learnt: Learnt) -> None:
    home = learnt.box.home
    assert {f"mounts: {home}/idle", "network: idle.example.org:443", "syscalls: numa"} <= set(learnt.row["unused"])


def test_replay_under_the_learned_profile_passes_and_hides_what_was_never_granted(learnt: Learnt) -> None:
    done = learnt.box("run", "-p", "learned", "--", "python3", "script.py")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert (told["model"], told["out"].isdigit()) == ("weights", True)
    assert {told[name][:17] for name in ("key", "env", "planted")} == {"FileNotFoundError"}
    assert "403 Forbidden" not in told["host"]  # it is allowed, and not reached from here
    assert told["chroot"].startswith("PermissionError")
    assert (learnt.box.project / "build/out.txt").exists()
    assert not (learnt.box.project / ".git/hooks/post-commit").exists()


def test_what_is_refused_stays_refused_while_it_is_recorded_and_secrets_are_masked(learnt: Learnt) -> None:
    box = learnt.box
    calls = [[NUMBERS[name], value] for name, value in ALLOWED_BY_NOBODY.items()]
    calls += [[NUMBERS["fchmodat"], -100, "/tmp", 0o4755], [NUMBERS["seccomp"], 1, 8, 0]]
    script = box.project / "calls.py"
    script.write_text(CALLS + "import os; print(sorted(os.listdir('/proc/self/fd')), os.environ['TOKEN'])")
    secret = "--secret=token,type=env,target=TOKEN"
    command = ["/usr/bin/python3", "-I", "-S", "calls.py", json.dumps(calls)]
    done = box("learn", "--output", "x.yaml", secret, "--", *command)
    assert done.returncode == 0, done.stderr
    errnos, descriptors = done.stdout.splitlines()
    # The last but one is recorded, and its argument decides: it must not go on because others of its name do.
    assert json.loads(errnos)[:-1] == [*(38 if name in ENOSYS else 1 for name in ALLOWED_BY_NOBODY), 1]
    assert json.loads(errnos)[-1] != 0
    assert descriptors == "['0', '1', '2', '3'] aisbx-learn-masked"  # the last descriptor is of the listing itself
    for name in ("mount", "keyctl"):
        assert f"asked for and never granted: {name}(" in done.stderr
    assert "x.yaml" in done.stderr
    box.refused("learn", "--output", "x.yaml", "--", "true", code="usage")


def test_without_who_observes_no_recorded_call_is_carried_out(learnt: Learnt) -> None:
    box = learnt.box
    code = (
        "import os, time; open('begun', 'w').close()"
        "\nwhile True:\n    time.sleep(0.05)\n    try:\n        os.close(os.open('/etc/passwd', 0))\n"
        "    except OSError as error:\n        os._exit(error.errno)\n"
    )
    started = box.start("learn", "--output", "y.yaml", "--", "/usr/bin/python3", "-I", "-S", "-c", code)
    assert eventually(lambda: _observers(started.pid) and _begun(box))
    for pid in _observers(started.pid):
        os.kill(pid, signal.SIGKILL)
    _, errors = started.communicate(timeout=60)
    assert started.returncode == 125, errors
    assert b"who observed the sandbox is gone" in errors
    assert not (box.project / "y.yaml").exists()
    assert not list((box.state / "sandboxes").glob("learn-*"))


def _observers(owner: int) -> list[int]:
    """Give the observer that ends a sandbox with its owner: it has a pidfd of that one (proc_pid_fdinfo(5))."""
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if b"observer.py" not in (entry / "cmdline").read_bytes():
                continue
            told = [(entry / "fdinfo" / name).read_text() for name in os.listdir(entry / "fdinfo")]
        except OSError:
            continue  # it has ended
        if any(f"Pid:\t{owner}\n" in each for each in told):
            found.append(int(entry.name))
    return found


def test_a_command_that_is_killed_with_its_learner_leaves_nothing(learnt: Learnt) -> None:
    box = learnt.box
    started = box.start("learn", "--", "sleep", "4712")
    assert eventually(lambda: bool(list((box.state / "sandboxes").glob("learn-*/home/observe"))))
    assert eventually(_sleeps)
    started.kill()
    started.communicate()
    assert eventually(lambda: not _sleeps())
    sandboxes = engine().sandboxes

    def gone() -> bool:
        sandboxes.prune(principal(), "python")
        return not list((box.state / "sandboxes").glob("learn-*"))

    assert eventually(gone)


def _begun(box: Box) -> bool:
    """Tell whether the command writes in its layer already."""
    return any((box.state / "sandboxes").glob("learn-*/home/layer/**/begun"))


def _sleeps() -> bool:
    return any(
        path.read_bytes().split(b"\0")[:2] == [b"sleep", b"4712"]
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if path.exists()
    )
