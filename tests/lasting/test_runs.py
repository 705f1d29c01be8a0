"""One-shot runs of a program: the plan of one serves the next, and one small process starts them all."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from aisbx import run
from aisbx.api import sandbox as api
from aisbx.engine import Engine, again
from aisbx.errors import AisbxError, PolicyError
from aisbx_linux import helped

from .conftest import Box, eventually, sleepers
from .test_policies import RULE

CLIENT = """
import os, sys, time
from aisbx import run
run(["true"])
if os.fork() == 0:  # has all that its parent has, and outlives it
    time.sleep(20)
    os._exit(0)
run(["sleep", "865431"])
"""


@pytest.fixture(autouse=True)
def made(box: Box, monkeypatch: pytest.MonkeyPatch) -> list[Engine]:
    """Have this process where the box's commands are; gives the engines that runs have made."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in box.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(box.project)
    engines: list[Engine] = []

    def engine() -> Engine:
        engines.append(Engine(os.environ, os.getcwd()))
        return engines[-1]

    monkeypatch.setattr(api, "engine", engine)
    monkeypatch.setattr(again, "shared", again.Runs())
    return engines


@pytest.fixture
def by_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have runs that the compiled front would carry out started by Python."""
    monkeypatch.setenv("AISBX_FRONT", "0")


def helper() -> int:
    """Give the pid of the process that starts the tools."""
    return helped.shared.pid


def test_many_at_once_need_one_plan(box: Box, made: list[Engine]) -> None:
    def one(number: int) -> str:
        return run(["sh", "-c", f"echo {number}"], env={"N": str(number)}).text

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(one, range(12)))
    assert results == [f"{number}\n" for number in range(12)]
    assert len(made) == 1
    assert run(["sh", "-c", 'echo "$A"'], env={"A": "b"}).text == "b\n"
    assert len(made) == 1, "variables are no part of a plan"
    assert run(["touch", "made"], mode="ro").code != 0
    assert len(made) == 2
    lines = (box.state / "audit.jsonl").read_text().splitlines()
    assert len(lines) == 14
    assert len({line.split('"run":"')[1][:12] for line in lines}) == 14


def test_a_policy_that_comes_into_force_is_asked_whatever_plan_there_was(box: Box) -> None:
    assert run(["touch", "seen"]).code == 0
    (box.project / "seen").unlink()
    config = box.home / ".config/aisbx"
    (config / "commands.yaml").write_text(RULE)
    (config / "config.toml").write_text('policies = ["commands"]\n')
    for _ in range(2):
        with pytest.raises(PolicyError, match="commands/no-touch"):
            run(["touch", "seen"])
        with pytest.raises(PolicyError, match="commands/no-touch"):
            run(["sh"], input="touch seen")
        assert run(["sh"], input="echo touch").text == "touch\n"
    assert not (box.project / "seen").exists()


def test_a_plan_goes_with_what_it_was_made_from(box: Box, made: list[Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["true"]).ok
    (box.home / ".config/aisbx").mkdir(parents=True, exist_ok=True)
    config = box.home / ".config/aisbx/config.toml"
    config.write_text('driver = "none-such"\n')
    with pytest.raises(AisbxError, match="none-such"):
        run(["true"])
    config.unlink()
    assert run(["true"]).ok
    count = len(made)
    assert run(["true"]).ok
    assert len(made) == count
    monkeypatch.setenv("AISBX_DRIVER", "none-such")
    with pytest.raises(AisbxError, match="none-such"):
        run(["true"])
    monkeypatch.delenv("AISBX_DRIVER")
    (box.project / "aisbx.toml").write_text('profile = "none-such"\n')
    with pytest.raises(AisbxError, match="none-such"):
        run(["true"])


def test_a_client_that_is_killed_takes_its_runs_along_whoever_has_its_descriptors(box: Box) -> None:
    client = subprocess.Popen([sys.executable, "-c", CLIENT], cwd=box.project, env=box.env, start_new_session=True)
    try:
        assert eventually(lambda: sleepers(865431))
        client.kill()
        client.wait()
        assert eventually(lambda: not sleepers(865431))
    finally:
        os.killpg(client.pid, signal.SIGKILL)


@pytest.mark.usefixtures("by_python")
def test_a_helper_that_is_killed_is_replaced_and_what_it_started_goes_on(box: Box) -> None:
    del box
    assert run(["true"]).ok
    before = helper()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, ["sh", "-c", "echo here; sleep 876541; echo done"], timeout=30)
        assert eventually(lambda: sleepers(876541))
        os.kill(before, signal.SIGKILL)
        assert run(["echo", "next"]).text == "next\n"
        assert helper() != before
        for process in sleepers(876541):
            os.kill(process, signal.SIGTERM)
        assert running.result().text == "here\ndone\n"


@pytest.mark.usefixtures("by_python")
def test_a_run_has_what_its_client_has_now_and_not_what_it_had(box: Box) -> None:
    del box
    assert run(["true"]).ok
    before, mask = helper(), os.umask(0o027)
    try:
        assert run(["sh", "-c", "umask"]).text == "0027\n"
        assert helper() != before
    finally:
        os.umask(mask)
    assert run(["sh", "-c", "umask"]).text == f"{mask:04o}\n"


@pytest.mark.usefixtures("by_python")
def test_a_fork_of_a_client_has_a_helper_of_its_own(box: Box) -> None:
    del box
    assert run(["true"]).ok
    before = helper()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if run(["true"]).ok and helper() != before else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert run(["true"]).ok
    assert helper() == before
