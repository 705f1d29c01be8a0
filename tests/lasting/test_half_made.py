"""Whoever makes a sandbox is killed at the worst moment: what is there has been recorded, and so is what is removed."""

import json
import subprocess
import sys

from tests.lasting.conftest import Box

KILLED = """
import os, sys
from aisbx import Sandbox
from aisbx.store import Store

write, when = Store.write, sys.argv[1]

def last(*row):
    if when == "behind":
        write(*row)
    os._exit(9)

Store.write = last
Sandbox.create(when)
"""


def kinds(box: Box) -> list[tuple[str, str]]:
    rows = map(json.loads, (box.state / "audit.jsonl").read_text().splitlines())
    return [(row["kind"].removeprefix("sandbox."), row["run"]) for row in rows]


def test_no_sandbox_is_there_without_a_record_of_its_making_and_none_goes_without_one(box: Box) -> None:
    for when in ("behind", "before"):
        argv = [sys.executable, "-I", "-c", KILLED, when]
        assert subprocess.run(argv, cwd=box.project, env=box.env, check=False).returncode == 9
    assert kinds(box) == [("create", "behind"), ("create", "before")]
    states = {row["name"]: row["state"] for row in box.json("ls", "--json")["sandboxes"]}
    assert states == {"behind": "running", "before": "unfinished"}
    box.out("create", "--name", "next")
    assert kinds(box)[2:] == [("destroy", "before"), ("create", "next")]
