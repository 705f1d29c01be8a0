"""A run that meets a limit: it ends in time, says which limit it was, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aisbx_linux.cgroup.find import find
from aisbx_linux.cgroup.group import PREFIX

from .conftest import World

FLAGS = ("timed_out", "oom_killed", "pids_limited")
CHILDREN = """
import os, time
for _ in range(5):
    if os.fork() == 0:
        x = b"x" * (60 << 20)
        time.sleep(20)
        os._exit(0)
time.sleep(20)
"""
FORKS = """
import os, time
try:
    for _ in range(60):
        if os.fork() == 0:
            time.sleep(1)
            os._exit(0)
except OSError:
    time.sleep(1)
"""
PLACES = "import os, time\nPLACES = ['/tmp', '/dev/shm', os.environ['HOME']]\n"
FILES = f"""{PLACES}
made, told = dict.fromkeys(PLACES, 0), set()
for place in PLACES:
    try:
        while made[place] < 200_000:
            os.close(os.open(f"{{place}}/{{made[place]}}", os.O_CREAT))
            made[place] += 1
    except OSError as error:
        told.add(error.strerror)
"""
CROWD = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for number in range(30):
    if os.fork() == 0:
        if number % 3 == 0:
            os._exit(0)  # nobody waits for it: a zombie
        if number % 3 == 1:
            os.setsid()
        time.sleep(60)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def places() -> list[str]:
    """The directories in which this machine lets us make cgroups."""
    return [place.parent for place in find().by_limit.values()]


def flags(world: World) -> dict[str, bool]:
    record = world.records()[-1]
    return {name: record[name] for name in FLAGS if record[name]}


def groups(places: list[str]) -> Iterator[str]:
    for place in places:
        yield from (name for name in os.listdir(place) if name.startswith(PREFIX))


def test_children_that_together_have_too_much_memory_are_ended_and_it_is_said_why(world: World) -> None:
    world = replace(world, environ={**world.environ, "AISBX_LIMITS__MEMORY": "128M"})
    begun = time.monotonic()
    done = world.run("python3", "-c", CHILDREN)
    if find().by_limit:  # the kernel ends one of them, and the others go on
        assert flags(world) == {"oom_killed": True}
    else:
        assert (done.returncode, flags(world)) == (137, {"oom_killed": True})
        assert time.monotonic() - begun < 10
    assert done.stderr == b"aisbx: it ran out of memory: a process was ended at the memory limit\n"


def test_a_command_that_may_fork_no_more_goes_on_and_it_is_said_why(world: World) -> None:
    done = world.run("python3", "-c", FORKS, options=("--pids", "20"))
    assert (done.returncode, flags(world)) == (0, {"pids_limited": True})
    assert done.stderr.startswith(b"aisbx: it had as many processes and threads as its limit allows")


def test_a_command_below_its_limits_is_told_nothing(world: World) -> None:
    done = world.run("python3", "-c", "import time; time.sleep(0.3)", options=("--pids", "20", "-t", "30"))
    assert (done.returncode, done.stderr, flags(world)) == (0, b"", {})


def test_a_crowd_of_sleepers_and_zombies_deaf_to_sigterm_ends_in_time(world: World) -> None:
    begun = time.monotonic()
    done = world.run("python3", "-c", CROWD, options=("-t", "1s"))
    assert (done.returncode, done.stdout, flags(world)) == (124, b"ready\n", {"timed_out": True})
    assert done.stderr == b"aisbx: it was ended at its time limit\n"
    assert world.records()[-1]["duration"] < 5
    assert time.monotonic() - begun < 20


def test_a_time_limit_of_years_is_one(world: World) -> None:
    done = world.run("true", options=["--timeout", "99999999"])
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_gigabyte_on_stdout_passes_a_launcher_that_stays_small(world: World) -> None:
    if world.way != "full":
        world.warm("--output", "1M")

    def resident(*command: str) -> tuple[int, int, bytes]:
        argv = world.argv("--output", "1M", "--", *command)
        process = subprocess.Popen(
            argv, cwd=world.project, env=world.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stderr is not None
        with process.stdout, process.stderr:
            passed, told = len(process.stdout.read()), process.stderr.read()
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, told
        return used.ru_maxrss, passed, told

    small, _, _ = resident("true")
    large, passed, told = resident("head", "-c", "1G", "/dev/zero")
    assert passed == 1 << 20
    assert told == b"aisbx: 1072693248 bytes of its output were dropped, beyond the limit of output\n"
    assert large - small < 4096  # kibibytes


def test_json_tells_the_limits_apart(world_of: Callable[[str], World]) -> None:
    world = world_of("full")
    done = world.run("python3", "-c", FORKS, options=("--json", "--pids", "20"))
    outcome = json.loads(done.stdout)
    assert [name for name in (*FLAGS, "output_truncated") if outcome[name]] == ["pids_limited"]
    done = world.run("head", "-c", "100", "/dev/zero", options=("--json", "--output", "10"))
    outcome = json.loads(done.stdout)
    assert [name for name in (*FLAGS, "output_truncated") if outcome[name]] == ["output_truncated"]


def test_the_share_is_told_to_runtimes_and_a_request_may_say_otherwise(world: World) -> None:
    done = world.run("env", options=("-e", "NODE_OPTIONS=--no-warnings"))
    told = dict(line.split("=", 1) for line in done.stdout.decode().splitlines() if "=" in line)
    assert told["GOMEMLIMIT"] == f"{(2 << 30) * 9 // 10}B"
    assert told["NODE_OPTIONS"] == "--no-warnings"
    assert told["JAVA_TOOL_OPTIONS"] == f"-XX:MaxRAM={2 << 30}"


@pytest.mark.parametrize("place", ["/tmp", "/dev/shm", "$HOME"])
def test_private_space_is_full_before_memory_is(world_of: Callable[[str], World], place: str) -> None:
    world = world_of("full")
    world = replace(world, environ={**world.environ, "AISBX_LIMITS__MEMORY": "128M"})
    done = world.run("sh", "-c", f"head -c 100M /dev/zero > {place}/x; stat -c %s {place}/x")
    assert (done.returncode, flags(world)) == (0, {})
    assert 0 <= (64 << 20) - int(done.stdout) < 1 << 16  # the home has a gitconfig
    assert b"No space left on device" in done.stderr


def test_files_in_every_private_place_together_are_memory(world: World) -> None:
    world = replace(world, environ={**world.environ, "AISBX_LIMITS__MEMORY": "128M"})
    fill = "for place in /tmp /dev/shm $HOME; do head -c 60M /dev/zero > $place/x; done; sleep 5"
    done = world.run("sh", "-c", fill)
    assert flags(world) == {"oom_killed": True}
    assert b"it ran out of memory" in done.stderr


def test_empty_files_are_memory(world_of: Callable[[str], World]) -> None:
    world = world_of("full")
    world = replace(world, environ={**world.environ, "AISBX_LIMITS__MEMORY": "24M"})
    world.run("python3", "-c", FILES + "time.sleep(5)")
    assert flags(world) == {"oom_killed": True}


def test_each_private_place_holds_a_file_for_each_page_of_its_size_and_not_one_more(world: World) -> None:
    world = replace(world, environ={**world.environ, "AISBX_LIMITS__MEMORY": "128M"})
    done = world.run("python3", "-c", FILES + "print(*made.values(), *told)")
    *made, told = done.stdout.decode().split(" ", 3)
    pages = (64 << 20) // 4096
    # Its root is one; the home has a gitconfig, and the way to the workspace may lead through /tmp.
    assert all(pages - 16 < int(number) < pages for number in made), done
    assert told == "No space left on device\n"
    assert (done.returncode, flags(world)) == (0, {})


def test_a_small_private_place_still_holds_ten_thousand_files(world: World) -> None:
    world = replace(world, environ={**world.environ, "AISBX_LIMITS__MEMORY": "48M"})
    done = world.run("python3", "-c", PLACES + "print(*(os.statvfs(place).f_files for place in PLACES))")
    assert done.stdout == b"10000 10000 10000\n"


def test_links_and_names_of_empty_files_count_as_files(world_of: Callable[[str], World]) -> None:
    world = world_of("full")
    world = replace(world, environ={**world.environ, "AISBX_LIMITS__MEMORY": "48M"})
    link = "os.close(os.open('/tmp/one', os.O_CREAT))\nfor n in range(20_000): os.link('/tmp/one', f'/tmp/{n}')"
    done = world.run("python3", "-c", f"import os\n{link}")
    assert b"OSError: [Errno 28] No space left on device" in done.stderr


@pytest.mark.parametrize("mode", ["rw", "ro"])
def test_private_places_belong_to_the_command_s_user_and_take_no_set_uid_or_device(world: World, mode: str) -> None:
    script = (
        'for place in /tmp "$HOME" /dev/shm; do stat -c "%a %u %g" "$place"; '
        'grep -c " / $place rw,nosuid,nodev,relatime - tmpfs tmpfs " /proc/self/mountinfo; done; id -u; id -g'
    )
    done = world.run("sh", "-c", script, options=("--workspace", f"{world.project}:{mode}"))
    *rows, uid, gid = done.stdout.decode().split("\n")[:-1]
    expected = [row for bits in ("1777", "700", "1777") for row in (f"{bits} {uid} {gid}", "1")]
    assert rows == expected, done


def test_a_sandbox_that_ends_before_it_is_held_says_why_itself(world_of: Callable[[str], World]) -> None:
    world = world_of("full")
    for _ in range(5):  # a race: the tool may end before or after it is moved
        done = world.run("true", options=("--mount", "/var:/usr/nowhere"))
        assert (done.returncode, done.stdout) == (125, b"")
        assert b"/usr/nowhere: Read-only file system" in done.stderr


def inhabited(group: str) -> bool:
    try:
        return bool(Path(group, "cgroup.procs").read_text())
    except OSError:
        return True  # it has just gone


def test_no_cgroup_is_left_behind(world: World, places: list[str]) -> None:
    world.run("true")
    world.run("sh", "-c", "kill -9 $$")
    # Sandboxes of other tests that last have processes in theirs.
    left = [name for name in set(groups(places)) if not Path("/proc", name.split("-")[1]).exists()]
    assert not [name for name in left if not any(inhabited(f"{place}/{name}") for place in places)]


def test_the_cgroups_of_a_launcher_that_was_killed_are_removed_by_the_next_run(world: World, places: list[str]) -> None:
    if world.way != "full":
        world.warm()
    process = subprocess.Popen(
        world.argv("--", "sh", "-c", "echo ready; sleep 60"),
        cwd=world.project,
        env=world.environ,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    name = f"{PREFIX}{process.pid}-"
    assert bool(places) == any(found.startswith(name) for found in groups(places))
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    end = time.monotonic() + 10
    while any(found.startswith(name) for found in groups(places)) and time.monotonic() < end:
        world.run("true")
    assert not any(found.startswith(name) for found in groups(places))


def test_a_plan_made_in_another_cgroup_is_not_used(world_of: Callable[[str], World], places: list[str]) -> None:
    if not places:
        return  # its plans make no cgroups
    world = world_of("lean")
    world.warm()
    group = Path(places[0], f"{PREFIX}{os.getpid()}-other")
    group.mkdir()
    enter = f'echo $$ > {group}/cgroup.procs; exec "$@"'
    try:
        inside = subprocess.run(
            ["sh", "-c", enter, "sh", *world.lean("--", "true")], cwd=world.project, env=world.environ, check=False
        )
        outside = subprocess.run(world.lean("--", "true"), cwd=world.project, env=world.environ, check=False)
    finally:
        group.rmdir()
    assert (inside.returncode, outside.returncode) == (99, 0)
