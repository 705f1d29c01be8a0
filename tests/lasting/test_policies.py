"""A policy that comes into force after a plan was kept is asked all the same, whichever front carries the plan out."""

import sys

import pytest

from .conftest import FAST, FRONT, NOT_HERE, Box, needs_front

RULE = """\
rules:
  - id: no-touch
    decide: forbid
    reason: nothing is touched here
    program: [touch]
    match: [touch x, "sh -c 'touch x'"]
    no_match: [echo touch]
"""
ROADS = (("run", "--"), ("exec", "work", "--"))


@pytest.mark.parametrize("place", ["user", "environment", "project"])
@needs_front
def test_no_plan_outlives_a_rule_that_forbids(place: str, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    config = box.home / ".config/aisbx"
    config.mkdir(parents=True)
    (config / "commands.yaml").write_text(RULE)
    box.out("create", "--name", "work")
    for road in ROADS:
        box.out(*road, "touch", "seen")
        assert box.run(box.front_only(*road, "touch", "seen")).returncode == 0, "the plan is carried out"
    (box.project / "seen").unlink()
    said, told = 'policies = ["commands"]\n', "denied: commands/no-touch: nothing is touched here"
    if place == "user":
        (config / "config.toml").write_text(said)
    elif place == "project":
        (box.project / "aisbx.toml").write_text(said)
        told = "untrusted: "
    else:
        env = {**box.env, "AISBX_POLICIES": "commands"}
        monkeypatch.setattr(Box, "env", env)
    front = [str(FRONT), sys.executable, str(FAST)]
    for road in ROADS:
        assert box.run(box.front_only(*road, "touch", "seen")).returncode == NOT_HERE
        for argv in ([*front, *road, "touch", "seen"], box.argv(*road, "sh", "-c", "t=touch; $t seen")):
            done = box.run(argv)
            assert (done.returncode, done.stdout) == (125, ""), done
            assert told in done.stderr
    assert told in box("exec", "--detach", "work", "--", "touch", "seen").stderr
    assert not (box.project / "seen").exists()
    (box.project / "aisbx.toml").unlink(missing_ok=True)
