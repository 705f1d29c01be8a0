"""In a real machine, by the command line and by programs: what a command's caller has of it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from aisbx.testing.scene import Scene
from aisbx.types import Command, Driver, LastingDriver, ReleasableSandbox, Stdio

from tests.architecture.test_hot_path_imports import FAST, PROBE
from tests.driver_lima.guest import inside
from tests.driver_lima.test_machine import PYTHON, SECONDS, copied
from tests.lasting.conftest import eventually

ROOT = Path(__file__).parents[2]
AISBX = Path(sys.executable).parent / "aisbx"


@pytest.fixture
def scene() -> Iterator[Scene]:
    with Scene() as scene:
        yield scene


@pytest.fixture
def environ(lima: Driver, tmp_path: Path) -> Mapping[str, str]:
    """A home of its own, and the machine that is there."""
    home = tmp_path.resolve() / "home"
    shutil.copytree(ROOT / "examples", home / "project")
    machine = lima.machine._configuration  # pyright: ignore[reportAttributeAccessIssue]  (only this driver has one)
    return {
        "HOME": str(home),
        "PATH": os.environ["PATH"],  # limactl is somewhere on it
        "LANG": "C.UTF-8",
        "AISBX_DRIVERS__LIMA__HOME": machine.home,
        "AISBX_DRIVERS__LIMA__IMAGE": machine.image,
    }


def words(driver: str, *argv: str) -> list[str]:
    return [str(AISBX), "run", "-d", driver, "-p", "python-dev", "-w", ".:ro", "--", *argv]


def test_the_example_of_a_project_says_the_same_as_by_the_other_drivers(environ: Mapping[str, str]) -> None:
    """One project, profile and command line; which Python a guest has is the image's."""
    project = Path(environ["HOME"], "project")

    def said(driver: str) -> list[str]:
        done = subprocess.run(
            words(driver, "python", "hello.py"),
            cwd=project,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [line for line in done.stdout.splitlines() if not line.startswith("python")]

    by_lima = said("lima")
    assert f"directory  {project}" in by_lima
    assert by_lima == said("bwrap") == said("chroot")


def test_a_signal_to_aisbx_is_the_commands_which_says_how_it_ends(environ: Mapping[str, str]) -> None:
    program = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(9));"
        "print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        words("lima", "python3", "-c", program),
        cwd=Path(environ["HOME"], "project"),
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 9


def test_commands_of_one_program_share_a_helper_with_those_after_it_and_end_with_it(lima: Driver, scene: Scene) -> None:
    assert isinstance(lima, LastingDriver)
    home = Path(tempfile.mkdtemp(dir=scene.state))
    sandbox = lima.create(copied(scene.spec()), home, Path(scene.state), 0.0)
    try:
        for _ in range(2):
            status = sandbox.spawn(Command(argv=("/bin/true",)), Stdio()).wait(SECONDS)
            assert status is not None
            assert status.code == 0
        program = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()); sys.exit(7)"
        given = os.urandom(400_000)
        status = sandbox.spawn(Command(argv=(*PYTHON, program)), Stdio(stdin=given)).wait(SECONDS)
        assert status is not None
        assert (status.code, status.stdout.data) == (7, given)
        assert helpers(lima) == 1
        sandbox.spawn(Command(argv=("/bin/sleep", "300")), Stdio())
        assert eventually(lambda: sleepers(lima))
        assert isinstance(sandbox, ReleasableSandbox)
        sandbox.release()
        assert eventually(lambda: not sleepers(lima))
        again = lima.attach(str(home))  # as each `aisbx exec` does, for which the helper stays
        status = again.spawn(Command(argv=("/bin/true",)), Stdio()).wait(SECONDS)
        assert status is not None
        assert status.code == 0
        assert helpers(lima) == 1
    finally:
        lima.end(home)
    assert eventually(lambda: not helpers(lima))


def helpers(driver: Driver) -> int:
    """How many there are in the guest."""
    return len(inside(driver, "grep -la 'lasting/[h]elper.py' /proc/[0-9]*/cmdline").stdout.split())


def sleepers(driver: Driver) -> bytes:
    return inside(driver, "grep -la 'slee[p].300' /proc/[0-9]*/cmdline").stdout


def test_an_exec_by_the_command_line_goes_from_a_plan_straight_to_the_guest(environ: Mapping[str, str]) -> None:
    project, modules = Path(environ["HOME"], "project"), Path(environ["HOME"], "modules")

    def aisbx(*argv: str) -> "subprocess.CompletedProcess[str]":
        with modules.open("wb") as file:
            python = [sys.executable, "-I", "-S", "-c", PROBE, str(file.fileno()), str(FAST), *argv]
            return subprocess.run(
                python,
                cwd=project,
                env=environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=2 * SECONDS,
                check=False,
                pass_fds=[file.fileno()],
            )

    made = aisbx("create", "--name", "box", "-d", "lima", "-p", "shell", "-w", ".:cow", "-e", "WHO=maker")
    assert made.returncode == 0, made.stderr
    try:
        first = aisbx("exec", "box", "--", "sh", "-c", "echo $WHO >made; exit 7")
        assert (first.returncode, first.stderr) == (7, "")
        second = aisbx("exec", "box", "-e", "WHO=me", "--", "sh", "-c", "cat made; echo $WHO")
        assert (second.returncode, second.stdout) == (0, "maker\nme\n")
        known = set(modules.read_text().split())
        assert "aisbx_driver_lima.joining" in known
        assert "aisbx.engine" not in known, "neither needs more than its plan"
    finally:
        aisbx("destroy", "--discard", "box")
