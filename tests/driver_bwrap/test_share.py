"""What is left of the processors to the host, while a sandbox takes all that it can get."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from aisbx_linux.cgroup.find import find

from .conftest import World

SPIN = """
import time
end = time.monotonic() + 3
while time.monotonic() < end:
    pass
"""
SESSIONS = f"""
import os
for _ in range(60):
    if os.fork() == 0:
        os.setsid()
        exec({SPIN!r})
        os._exit(0)
for _ in range(60):
    os.wait()
print(os.times().children_user)
"""
HOST = f"import os{SPIN}print(os.times().user)"


def test_many_sessions_are_one_share_where_a_cgroup_can_be_made(world_of: Callable[[str], World]) -> None:
    """Each session of Linux has a share of its own (sched(7)): sixty inside against two of the host."""
    world = world_of("full")
    argv = world.argv("--timeout", "30s", "--", "python3", "-c", SESSIONS)
    with subprocess.Popen(argv, cwd=world.project, env=world.environ, stdout=subprocess.PIPE) as sandbox:
        spin = [sys.executable, "-c", HOST]
        hosts = [subprocess.Popen(spin, stdout=subprocess.PIPE, start_new_session=True) for _ in range(2)]
        of_host = sum(float(host.communicate()[0]) for host in hosts)
        inside = float(sandbox.communicate()[0])
    held = "cpus" in find().by_limit
    assert (world.records()[-1]["enforcement"]["limit:cpus"] == "full") == held
    assert not held or of_host * 4 > inside, (of_host, inside)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is scheduled in real time as it likes (sched(7))")
@pytest.mark.parametrize("way", ["full", "lean", "front"])
def test_who_is_scheduled_in_real_time_does_without_the_share(world_of: Callable[[str], World], way: str) -> None:
    world = world_of(way)
    if way != "full":
        world.warm()
    done = world.execute(["chrt", "--fifo", "1", *world.argv("--", "echo", "ran")])
    assert (done.returncode, done.stdout) == (0, b"ran\n"), done.stderr
