"""Sandboxes that last on a state directory that is read-only, full, or of a size: a clear line each, nothing lost."""

import json
from pathlib import Path
from typing import Any

from .conftest import FAST, PYTHON, Place

HEAD = f"""
import json, os, subprocess, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import worlds

def aisbx(*words):
    done = subprocess.run([*{PYTHON!r}, "-S", {FAST!r}, *words], capture_output=True, text=True)
    print(json.dumps([done.returncode, done.stdout, done.stderr]), flush=True)

"""


def told(place: Place, script: str) -> list[tuple[int, str, str]]:
    place.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    done = place.enter(("as-it-is",), [*PYTHON, "-c", f"{HEAD}state = {str(place.state)!r}\n{script}"])
    rows: list[Any] = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows, done.stderr
    return [(row[0], row[1], row[2]) for row in rows]


def test_a_read_only_state_is_told_of_by_each_command_and_the_sandbox_can_be_ended(place: Place) -> None:
    made, *refused, kept, again = told(
        place,
        """
worlds.mount_namespace()
aisbx("create", "--name", "work")
worlds.mount(state, state, "", worlds.BIND)
worlds.mount("none", state, "", worlds.BIND | worlds.REMOUNT | worlds.RDONLY)
aisbx("exec", "work", "--", "true")
aisbx("create", "--name", "other")
aisbx("cp", "/etc/hostname", "work:/tmp")
aisbx("destroy", "work")
aisbx("ls")
worlds.mount("none", state, "", worlds.BIND | worlds.REMOUNT)
aisbx("destroy", "work")
""",
    )
    assert made[0] == 0, made
    assert len(refused) == 4
    for code, stdout, stderr in refused:
        assert (code, stdout, stderr.count("\n")) == (125, "", 1)
        assert "Read-only file system" in stderr
    assert "the sandbox has ended, and this directory stays" in refused[-1][2]
    assert "ended" in kept[1]
    assert again[0] == 0, again


def test_a_layer_on_a_tmpfs_has_its_size_as_bound_and_stays_for_a_review(place: Place) -> None:
    made, wrote, shown, ended = told(
        place,
        """
worlds.mount_namespace()
worlds.mount("sized", state, "tmpfs", 0, "size=24M,mode=0700")
aisbx("create", "--name", "work", "-w", ".:cow")
aisbx("exec", "work", "--", "sh", "-c", "head -c 40000000 /dev/zero > big || echo no more")
aisbx("diff", "--stat", "work")
aisbx("destroy", "--discard", "work")
""",
    )
    assert made[0] == 0, made
    assert wrote[1] == "no more\n", wrote
    assert shown[1].startswith("A big (")
    assert 8 << 20 < int(shown[1].partition("(")[2].partition(" ")[0]) < 24 << 20
    assert ended[0] == 0, ended
