"""The compiled front joins a sandbox as the lean front does, and leaves it as it does."""

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from .conftest import NOT_HERE, Box, eventually, needs_front, sleepers

pytestmark = needs_front


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A sandbox `work` that ends when nobody uses it for an hour."""
    place = tmp_path_factory.mktemp("front")
    (place / "home/project").mkdir(parents=True)
    place.joinpath("home").chmod(0o700)
    box = Box(place / "home", place / "home/project")
    box.out("create", "--name", "work", "--idle-ttl", "1h")
    yield box
    box.out("destroy", "--all", "--discard")
    assert eventually(lambda: not sleepers(4711) and not sleepers(4712))


def test_nothing_of_the_callers_is_inside(work: Box) -> None:
    reader, writer = os.pipe()
    script = "ls /proc/self/fd; env; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; ls /proc/*/fd"
    done = subprocess.run(
        work.front_only("exec", "work", "--", "sh", "-c", script),
        cwd=work.project,
        env={**work.env, "PLANTED": "x"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        pass_fds=(writer,),
        check=False,
    )
    os.close(reader)
    os.close(writer)
    lines = done.stdout.decode().splitlines()
    assert lines[:4] == ["0", "1", "2", "3"]  # ls itself has its directory open
    assert not [line for line in lines if "AISBX" in line or "PLANTED" in line or "s3cr3t" in line]
    confined = [line.split() for line in lines if line[:3] in {"Cap", "NoN", "Sec"}]
    none = "0" * 16
    assert confined == [["CapEff:", none], ["CapBnd:", none], ["NoNewPrivs:", "1"], ["Seccomp:", "2"]]


def test_a_front_that_is_killed_takes_its_command_with_it(work: Box) -> None:
    argv = work.front_only("exec", "work", "--", "sh", "-c", "sleep 4711 & exec sleep 4711")[1:]
    environ = {**work.env, "AISBX_FRONT": "only"}
    with subprocess.Popen(argv[1:], cwd=work.project, env=environ, stdin=subprocess.DEVNULL) as front:
        assert eventually(lambda: len(sleepers(4711)) == 2)
        front.kill()
    # As with any launcher, what the command had left to itself lasts as long as the sandwork.
    assert eventually(lambda: len(sleepers(4711)) < 2)


def test_a_signal_ends_the_command_and_is_its_records(work: Box) -> None:
    for delay in (0.0, 0.002, 0.004, 0.008, 0.03):
        argv = work.front_only("exec", "work", "--", "sleep", "4712")[2:]
        environ = {**work.env, "AISBX_FRONT": "only"}
        with subprocess.Popen(argv, cwd=work.project, env=environ, stdin=subprocess.DEVNULL) as one:
            with pytest.raises(subprocess.TimeoutExpired):
                one.wait(delay)
            one.send_signal(signal.SIGTERM)
            assert one.wait(20) in {143, -15}  # the second: nothing had been started
    assert not sleepers(4712)


def test_a_sandbox_that_is_paused_is_left_to_python(work: Box) -> None:
    work.out("pause", "work")
    assert work.run(work.front_only("exec", "work", "--", "true")).returncode == NOT_HERE
    work.refused("exec", "work", "--", "true", code="state")
    work.out("resume", "work")
    assert work.run(work.front_only("exec", "work", "--", "true")).returncode == 0


def test_its_use_counts_where_idle_sandboxes_end(work: Box) -> None:
    used = work.state / "sandboxes/work/home/used"
    before = used.read_bytes()
    assert work.run(work.front_only("exec", "work", "--", "true")).returncode == 0
    assert int.from_bytes(used.read_bytes()[:8], "little") > int.from_bytes(before[:8], "little")
    assert used.read_bytes()[8:] == before[8:]
