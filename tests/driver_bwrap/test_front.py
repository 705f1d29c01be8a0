"""The compiled front carries out what is the ordinary course of a run, and leaves everything else to Python."""

import fcntl
import json
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aisbx_linux.lasting import asking

from .conftest import CORE, FRONT, NOT_LEAN, World, needs_front

_BOUNDED = ("--profile", "bounded")
pytestmark = needs_front
BUILD = Path(__file__).parents[2] / "aisbx-linux/native/build.py"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A project with a plan at hand, where all that is not the ordinary course is refused with NOT_LEAN."""
    where = tmp_path_factory.mktemp("front")
    home, project = where / "home", where / "project"
    home.mkdir()
    project.mkdir()
    (project / ".envrc").write_text("export A=1\n")
    environ = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    world = World(home, project, "front", environ)
    world.warm()
    profiles = home / ".config/aisbx/profiles"  # as its default: without a cgroup that is watched, and said so
    profiles.mkdir(parents=True)
    (profiles / "bounded.yaml").write_text("name: bounded\nextends: base\nlimits:\n  memory: 48M\n")
    world.warm(*_BOUNDED)
    world.environ = {**environ, "AISBX_FRONT": "only"}
    return world


@pytest.fixture(scope="module", params=["as it is built", "with sanitizers"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "as it is built":
        return str(FRONT)
    made = str(tmp_path_factory.mktemp("sanitized") / "aisbx-front")
    assert runpy.run_path(str(BUILD))["build"](made, "--strict", "--sanitize") == ""
    return made


def front(world: World, program: str, *words: str, verb: str = "run", **how: Any) -> subprocess.CompletedProcess[bytes]:
    environ = {**world.environ, "ASAN_OPTIONS": "detect_leaks=0"}  # a sandbox may refuse the tracing that it takes
    argv = [program, sys.executable, f"{CORE}/aisbx/cli/fast.py", verb, *words]
    how = {"stdin": subprocess.DEVNULL} | how if "input" not in how else how
    return subprocess.run(argv, cwd=world.project, env=environ, capture_output=True, timeout=60, check=False, **how)


def plain(world: World) -> dict[str, str]:
    """Give the environment in which a plan is written and Python may take over."""
    return {name: value for name, value in world.environ.items() if name != "AISBX_FRONT"}


def test_words_streams_and_exit_code_are_the_commands(place: World, program: str) -> None:
    done = front(place, program, "-e", "WORD=a b", "--", "sh", "-c", 'cat; echo "$WORD $1" >&2; exit 7', "sh", "x\ny")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"", b"a b x\ny\n")
    done = front(place, program, "--", "sh", "-c", "cat; kill -9 $$", input=b"\0\xff" * 90_000)
    assert (done.returncode, done.stdout, done.stderr) == (137, b"\0\xff" * 90_000, b"")


_SUM = """
import subprocess, sys

own = bytearray(20 << 20)
own[::4096] = b"x" * len(own[::4096])
more, text = int(sys.argv[1]), sys.argv[2]
if more:
    subprocess.run([sys.executable, "-c", text, str(more - 1), text])
sys.stdin.read()
"""


def test_it_looks_by_itself_at_what_a_run_uses(place: World, program: str) -> None:
    """Where no cgroup bounds the sum, a look comes every tenth of a second; only what may be too much is Python's."""
    argv = [program, sys.executable, f"{CORE}/aisbx/cli/fast.py", "run", *_BOUNDED, "--", "python3", "-c", _SUM]
    how: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environ = {**plain(place), "ASAN_OPTIONS": "detect_leaks=0"}
    with subprocess.Popen([*argv, "0", _SUM], cwd=place.project, env=environ, **how) as within:
        with pytest.raises(subprocess.TimeoutExpired):
            within.wait(0.5)
        assert Path(f"/proc/{within.pid}/comm").read_text() == "aisbx-front\n"
        assert within.communicate() == (b"", b"")
    assert within.returncode == 0
    with subprocess.Popen([*argv, "3", _SUM], cwd=place.project, env=environ, **how) as beyond:
        assert beyond.wait(20) == 137
    assert place.records()[-1]["oom_killed"] is True


@pytest.fixture(scope="module")
def lasting(place: World) -> Iterator[str]:
    """The name of a sandbox that lasts."""
    aisbx = [sys.executable, "-I", "-m", "aisbx"]
    how: dict[str, Any] = {"cwd": place.project, "env": plain(place), "capture_output": True}
    subprocess.run([*aisbx, "create", "--name", "work"], check=True, **how)
    yield "work"
    subprocess.run([*aisbx, "destroy", "work"], check=True, **how)


@pytest.mark.parametrize(
    ("script", "code", "size"),
    [
        ("cat; head -c 200000 /dev/zero; exit 7", 7, 300_000),
        ("(sleep 0.3; echo late) & echo now", 0, 4),
        ("echo before; sleep 0.2; echo after; kill -9 $$", 137, 13),
    ],
)
def test_a_command_that_joins_ends_as_by_python(
    place: World, program: str, lasting: str, script: str, code: int, size: int
) -> None:
    done = front(place, program, lasting, "--", "sh", "-c", script, verb="exec", input=b"typed" * 20_000)
    assert (done.returncode, len(done.stdout)) == (code, size), done.stderr
    assert done.stderr == b""
    last = place.records()[-1]
    assert (last["kind"], last["sandbox"], last["exit_code"]) == ("exec.end", "work", code)
    assert last["output"] == {"stdout_bytes": size, "stderr_bytes": 0, "dropped": 0}


def test_a_large_command_line_and_words_that_are_no_utf8_arrive(place: World, program: str) -> None:
    words = [b"\xff\xfe", *(b"%d" % number for number in range(2000))]
    done = front(place, program, "--", "printf", "%s\n", *map(os.fsdecode, words))
    assert done.stdout.split(b"\n")[:-1] == words


def test_a_protected_file_is_held_and_the_records_are_pythons(place: World, program: str) -> None:
    done = front(place, program, "--", "sh", "-c", "echo 'exit 1' >.envrc")
    assert done.returncode == 2
    assert b"Read-only file system" in done.stderr
    assert (place.project / ".envrc").read_text() == "export A=1\n"
    by_python = place.records()[0]
    by_front = place.records()[-1]
    assert list(by_front) == list(by_python)
    assert {name: by_front[name] for name in by_front if name in ("kind", "principal", "host", "enforcement")} == {
        name: by_python[name] for name in by_python if name in ("kind", "principal", "host", "enforcement")
    }
    assert by_front["output"]["stderr_bytes"] == len(done.stderr)


def test_nothing_of_the_callers_is_inside(place: World, program: str) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)  # noqa: FBT003 - positional only
    script = "ls /proc/self/fd; env; cat /proc/1/environ; ls /proc | grep -c '^[0-9]'"
    done = front(place, program, "--", "sh", "-c", script, close_fds=False)
    os.close(reader)
    os.close(writer)
    lines = done.stdout.decode().splitlines()
    assert lines[:4] == ["0", "1", "2", "3"]  # ls itself has its directory open
    assert not [line for line in lines if "AISBX" in line or "PLANTED" in line]
    assert int(lines[-1]) < 8  # its own PID namespace


@pytest.mark.parametrize(
    "words",
    [
        ("--timeout", "77s", "--", "true"),  # no plan of these
        ("--dry-run", "--", "true"),
        ("-w", ".:cow", "--", "true"),
        ("--help",),
        ("--",),
        ("-e", "NAMELESS", "--", "true"),
    ],
    ids=" ".join,
)
def test_what_it_does_not_know_is_left_to_python(place: World, words: tuple[str, ...]) -> None:
    before = place.records()
    done = front(place, str(FRONT), *words)
    assert (done.returncode, done.stdout) == (NOT_LEAN, b"")
    assert done.stderr.startswith(b"aisbx: front: ")
    assert place.records() == before


def test_what_a_run_plants_is_undone_whatever_another_has_remembered_meanwhile(place: World) -> None:
    script = "mkdir .vscode && echo '{}' >.vscode/tasks.json; echo ready; read line"
    argv = place.front("--", "sh", "-c", script)
    with subprocess.Popen(
        argv,
        cwd=place.project,
        env=place.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as one:
        assert one.stdout is not None
        assert one.stdout.readline() == b"ready\n"
        environ = plain(place)
        argv = place.lean("--", "true")
        assert (
            subprocess.run(argv, cwd=place.project, env=environ, stdin=subprocess.DEVNULL, check=False).returncode == 0
        )
        _, told = one.communicate(b"\n", timeout=30)
    assert one.returncode == 0
    assert b"quarantined .vscode" in told
    assert not (place.project / ".vscode" / "tasks.json").exists()


@pytest.mark.parametrize(
    ("script", "code", "told"),
    [
        ("no-such-command", 127, b"not found inside the sandbox"),
        ("sleep 30", 124, b"time"),
    ],
)
def test_what_goes_another_way_is_pythons_to_end(
    place: World, program: str, script: str, code: int, told: bytes
) -> None:
    options = ("-t", "300ms") if code == 124 else ()
    if options:
        World(place.home, place.project, "front", plain(place)).warm(*options)
    done = front(place, program, *options, "--", *script.split())
    assert done.returncode == code
    assert told in done.stderr
    last = place.records()[-1]
    assert (last["exit_code"], last["timed_out"]) == (code, code == 124)
    assert json.dumps(last["argv"]) == json.dumps(script.split())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_at_any_moment_ends_the_run_once_and_for_all(place: World, number: int) -> None:
    World(place.home, place.project, "front", plain(place)).warm()  # what was moved away has changed the project
    before = len(place.records())
    for delay in range(12):
        argv = place.front("--", "sh", "-c", "exec sleep 20")
        with subprocess.Popen(
            argv, cwd=place.project, env=place.environ, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as one:
            with pytest.raises(subprocess.TimeoutExpired):
                one.wait(delay * 0.0015)
            one.send_signal(number)
            assert one.wait(20) in {128 + number, -number}  # the second: nothing had been started
    assert len(place.records()) - before <= 12


def test_a_program_that_asks_for_what_is_torn_is_told_that_nothing_has_run(program: str) -> None:
    asked = asking.number(os.getpid()) + b"".join(map(asking.text, (b"0123456789ab", b"uid:0", b"python")))
    asked += asking.texts(["true"]) + asking.texts(["A=b"])
    cut = [asked[:place] for place in range(1, len(asked), 7)]
    turned = [bytes([*asked[:place], asked[place] ^ 0x81, *asked[place + 1 :]]) for place in range(0, len(asked), 7)]
    for request in (asked, *cut, *turned):
        reader, writer = os.pipe()
        errors, *files = (os.memfd_create(name) for name in ("errors", "plan", "entry", "request"))
        os.write(files[0], b"no plan")
        os.write(files[2], request)
        moved = [fcntl.fcntl(number, fcntl.F_DUPFD, 100) for number in (errors, writer, *files)]
        actions = [(os.POSIX_SPAWN_DUP2, number, place) for number, place in zip(moved, (2, 3, 4, 5, 6), strict=True)]
        argv = [program, "--program", "/nowhere/python", "/nowhere/fast.py"]
        child = os.posix_spawn(program, argv, {"ASAN_OPTIONS": "detect_leaks=0"}, file_actions=actions)
        for number in (*moved, writer, *files):
            os.close(number)
        assert os.read(reader, 100) == asking.number(2), request
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == NOT_LEAN
        said = os.pread(errors, 10_000, 0)
        assert (said[:14], said.count(b"\n")) == (b"aisbx: front: ", 1), said
        os.close(reader)
        os.close(errors)
