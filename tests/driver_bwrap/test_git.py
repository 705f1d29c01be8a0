"""What git remembers of a workspace holds on both sides: neither reads again what the other has read."""

import os
import subprocess
from collections.abc import Callable

from .conftest import World


def git(world: World, *words: str) -> str:
    who = ("-c", "user.name=one", "-c", "user.email=one@example.invalid", "-c", "safe.directory=*")
    done = subprocess.run(["git", *who, *words], cwd=world.project, check=True, capture_output=True, text=True)
    return done.stdout


def test_a_look_from_the_inside_leaves_the_index_as_it_is_and_still_sees_every_change(
    world_of: Callable[[str], World],
) -> None:
    world = world_of("full")
    for number in range(20):
        (world.project / f"{number}.txt").write_text(f"{number}\n" * 100)
        os.utime(world.project / f"{number}.txt", (1_000_000_000, 1_000_000_000))
    git(world, "init", "-q")
    git(world, "add", "-A")
    git(world, "commit", "-qm", "all")
    index = (world.project / ".git/index").read_bytes()
    seen = world.execute(world.argv("--", "git", "status", "--porcelain"))
    assert (seen.returncode, seen.stdout) == (0, b""), seen.stderr
    assert (world.project / ".git/index").read_bytes() == index
    (world.project / "7.txt").write_text("other\n" * 100)
    seen = world.execute(world.argv("--", "git", "status", "--porcelain"))
    assert (seen.returncode, seen.stdout) == (0, b" M 7.txt\n"), seen.stderr
