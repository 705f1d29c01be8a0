"""Memory and tasks of one command: held to less than the sandbox has, alone, with whatever it started."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aisbx import Sandbox
from aisbx.errors import ControlError, LaunchError, UsageError
from aisbx_linux.cgroup.below import limited
from aisbx_linux.lasting import limited as told
from aisbx_linux.lasting import own
from aisbx_linux.lasting.identity import recall

from .conftest import Box, eventually

if TYPE_CHECKING:
    from aisbx.api import Result
    from aisbx_linux.lasting.identity import Held

MIB = 1 << 20
GRAB = "import time; held = b'x' * (200 << 20); time.sleep(20)"
SPREAD = """import os, time
for _ in range(2):
    os.fork()
held = b"x" * (50 << 20)
time.sleep(20)
"""
"""No process of it is too large."""
AWAY = f"""import os
if not os.fork():
    os.setsid()
    if not os.fork():
        os.execvp("python3", ["python3", "-c", {SPREAD!r}])
    os._exit(0)
os.wait()
import time
time.sleep(20)
"""
MANY = """import subprocess, sys, time
made = []
try:
    for _ in range(12):
        made.append(subprocess.Popen(["sleep", "20"]))
except BlockingIOError:
    print(len(made))
if len(made) > 6:
    time.sleep(float(sys.argv[1]))
for one in made:
    one.kill()
"""


def held(box: Box) -> "Held":
    found = recall(str(box.state / "sandboxes/work/home"))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def sandbox(whole: Box) -> Iterator[Sandbox]:
    del whole
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AISBX_LOWER", "limit:memory,limit:pids")
        with Sandbox.create("work", profile="python-dev") as made:
            made.exec(["true"])  # with a helper that it goes on with
            yield made
        assert not any(Path(limited(group)).exists() for group in held_groups)


held_groups: list[str] = []


@pytest.fixture(params=["cgroup", "watchdog"])
def way(request: pytest.FixtureRequest, sandbox: Sandbox, whole: Box, monkeypatch: pytest.MonkeyPatch) -> str:
    del sandbox
    found = held(whole)
    held_groups[:] = found["groups"]
    if request.param == "watchdog":

        def none(_: "Held") -> set[str]:
            return set()

        monkeypatch.setattr(own, "by_groups", none)
        monkeypatch.setattr(told, "by_groups", none)
    elif own.by_groups(found) != {"memory", "pids"}:
        assert os.geteuid() != 0, "root makes cgroups"
        pytest.skip("no cgroups can be made for this user; the watchdog stands for them")
    return request.param


def holders(sandbox: Sandbox) -> list[int]:
    """Give those in it that hold memory."""
    return [row.pid for row in sandbox.ps() if "held" in row.argv[-1]]


def left(box: Box) -> list[str]:
    """Give the groups of commands of this process below the sandbox's."""
    return [str(one) for group in held(box)["groups"] for one in Path(group).glob(f"aisbx-{os.getpid()}-*")]


@pytest.mark.parametrize("program", [SPREAD, AWAY], ids=["itself", "what-left-it"])
def test_memory_of_a_command_is_its_own_and_no_other_pays(sandbox: Sandbox, whole: Box, way: str, program: str) -> None:
    others: list[Result] = []
    other = threading.Thread(target=lambda: others.append(sandbox.exec(["sleep", "1"])))
    other.start()
    done = sandbox.exec(["python3", "-c", program], memory=100 * MIB, timeout=1.5 if way == "cgroup" else 15)
    other.join()
    assert done.oom_killed, done
    assert done.code != 0
    assert (others[0].code, others[0].oom_killed) == (0, False)
    if way == "watchdog":
        assert eventually(lambda: not holders(sandbox)), "a part of it was not ended"
    for process in holders(sandbox):  # cgroup v1: the kernel ends one, others that it left go on
        sandbox.signal(process, 9)
    assert eventually(lambda: not holders(sandbox))
    again = sandbox.exec(["python3", "-c", "len(b'x' * (200 << 20))"])
    assert (again.code, again.oom_killed) == (0, False), "the limit of one command holds the next"
    sandbox.exec(["true"], memory=100 * MIB)
    assert not left(whole)


def test_tasks_of_a_command_are_its_own(sandbox: Sandbox, way: str) -> None:
    done = sandbox.exec(["python3", "-c", MANY, "9"], pids=6, timeout=10)
    assert done.pids_limited or way == "watchdog", done
    assert done.text == "5\n" or (way, done.code) == ("watchdog", 137), done  # and the one that made them
    assert sandbox.exec(["python3", "-c", MANY, "0"], pids=40).text == ""


def test_a_command_in_the_background_and_one_of_the_command_line_have_them_too(sandbox: Sandbox, whole: Box) -> None:
    result = sandbox.start(["python3", "-c", SPREAD], timeout=1.5, memory=100 * MIB).wait(timeout=20)
    assert result is not None
    assert result.oom_killed
    fewer = sandbox.start(["python3", "-c", MANY, "9"], pids=6, timeout=10).wait(timeout=20)
    assert fewer is not None
    assert fewer.pids_limited
    assert (fewer.text == "5\n") is bool(own.by_groups(held(whole)))
    grouped = own.by_groups(held(whole)) == {"memory", "pids"}
    argv = whole.argv("exec", "work", "--memory", "100M", "--pids", "20", "--", "python3", "-c", GRAB)
    refused = whole.run(argv)
    assert refused.returncode == (137 if grouped else 125), refused.stderr
    assert "aisbx: not-enforced: limit:memory is only partly" in refused.stderr or grouped
    if grouped:  # also by the plan that is kept
        assert "memory" in refused.stderr
        assert whole.run(argv).returncode == 137


def test_what_cannot_be_is_refused_in_one_line(sandbox: Sandbox, whole: Box) -> None:
    with pytest.raises(UsageError, match="more than 0"):
        sandbox.exec(["true"], memory=0)
    with pytest.raises(UsageError, match="more than 0"):
        sandbox.exec(["true"], pids=0)
    if own.by_groups(held(whole)):
        with pytest.raises(LaunchError, match="less than it takes"):
            sandbox.exec(["true"], memory=4096)
        assert eventually(lambda: not left(whole))


def test_without_a_cgroup_they_are_refused_to_who_did_not_give_them_up(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_: "Held") -> set[str]:
        return set()

    monkeypatch.setattr(told, "by_groups", none)
    monkeypatch.delenv("AISBX_LOWER", raising=False)
    same = Sandbox.attach(sandbox.name)
    for begin in (same.exec, same.stream, same.start):
        with pytest.raises(ControlError, match=r"limit:pids is only partly enforced"):
            begin(["true"], pids=9)
    assert same.exec(["true"], timeout=9).ok
    same.close()
