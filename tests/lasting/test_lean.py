"""`aisbx exec` by a plan at hand does what the full command line does, and only what that would do."""

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import FRONT, NOT_HERE, Box, needs_front

COMMANDS: list[tuple[str, ...]] = [
    ("--", "sh", "-c", "cat; echo err >&2; exit 7"),
    ("sh", "-c", "kill -9 $$"),
    ("--", "no-such-command"),
    ("--", "/etc/hosts"),
    ("-e", "A=own", "--env=B=c=d", "--", "sh", "-c", 'echo "$A $B $MADE ${SECRET-none}"; env | sort; pwd; ulimit -a'),
    ("-t", "1s", "--", "sleep", "50"),
    ("--output", "5", "--", "echo", "0123456789"),
    ("--cwd", "/tmp", "--", "pwd"),
    ("--cwd", "/nowhere", "--", "pwd"),
    ("--", "sh", "-c", "mkdir -p .vscode; echo '{}' > .vscode/tasks.json"),
]
PASSING = {"time", "run", "duration", "usage", "seq", "mac"}


def records(box: Box) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (box.state / "audit.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key not in PASSING} for row in rows]


def is_lean(box: Box, *arguments: str, cwd: Path | None = None) -> bool:
    return box.run(box.lean_only(*arguments), cwd=cwd).returncode == 0


def test_both_fronts_do_the_same(box: Box) -> None:
    box.out("create", "--name", "work", "-e", "MADE=by its maker", "--output", "1M")
    for command in COMMANDS:
        full = box.run(box.full("exec", "work", *command), stdin=b"typed")
        lean = box.run(box.lean_only("exec", "work", *command), stdin=b"typed")
        assert (lean.returncode, lean.stdout) == (full.returncode, full.stdout), command
        # What was planted is put where each run has a place of its own.
        assert lean.stderr.split("quarantine")[0] == full.stderr.split("quarantine")[0], command
        *_, one, other = records(box)
        one["findings"], other["findings"] = len(one["findings"]), len(other["findings"])
        assert one == other, command
    kept = [row["run"] for row in box.json("logs", "--json")["runs"]][:2]
    assert len(kept) == 2
    assert not (box.project / ".vscode/tasks.json").exists()


@needs_front
def test_the_compiled_front_does_the_same(box: Box) -> None:
    box.out("create", "--name", "work", "-e", "MADE=by its maker", "--output", "1M")
    for command in COMMANDS:
        lean = box.run(box.argv("exec", "work", *command), stdin=b"typed")
        front = box.run(box.front_only("exec", "work", *command), stdin=b"typed")
        if lean.returncode in {126, 127} or "/nowhere" in command:  # nothing has run: told by Python
            assert front.returncode == NOT_HERE, front.stderr
            continue
        assert (front.returncode, front.stdout) == (lean.returncode, lean.stdout), command
        assert front.stderr.split("quarantine")[0] == lean.stderr.split("quarantine")[0], command
        *_, one, other = records(box)
        assert list(one) == list(other), command
        one["findings"], other["findings"] = len(one["findings"]), len(other["findings"])
        assert one == other, command
    assert "as they were written" in box.out("audit", "verify")
    assert not (box.project / ".vscode/tasks.json").exists()


def test_the_first_command_is_lean_already_where_its_sandbox_was_made(box: Box) -> None:
    box.out("create", "--name", "work")
    assert is_lean(box, "exec", "work", "--", "true")
    elsewhere = box.home / "elsewhere"
    elsewhere.mkdir()
    assert not is_lean(box, "exec", "work", "--", "true", cwd=elsewhere), "another directory may have other settings"
    box.run(box.argv("exec", "work", "--", "true"), cwd=elsewhere)
    assert is_lean(box, "exec", "work", "--", "true", cwd=elsewhere)


@pytest.mark.parametrize(
    "words",
    [("--json", "work", "--", "true"), ("work", "--memory", "1G", "--", "true"), ("../work", "true"), ("work",), ("",)],
)
def test_what_is_unusual_is_for_the_full_command_line(box: Box, words: tuple[str, ...]) -> None:
    box.out("create", "--name", "work")
    done = box.run(box.lean_only("exec", *words))
    assert "installation.narrow" in done.stderr


def test_settings_that_change_are_seen(box: Box) -> None:
    box.out("create", "--name", "work")
    assert is_lean(box, "exec", "work", "--", "true")
    settings = box.home / ".config/aisbx/config.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text("[audit]\nargv = false\n")
    assert not is_lean(box, "exec", "work", "--", "true")
    box.out("exec", "work", "--", "true", "hidden")
    assert is_lean(box, "exec", "work", "--", "true", "hidden")
    assert [row["argv"] for row in records(box)][-2:] == [["true"], ["true"]]
    settings.write_text('policies = ["nobody"]\n')
    assert not is_lean(box, "exec", "work", "--", "true")
    box("exec", "work", "--", "true")
    assert not is_lean(box, "exec", "work", "--", "true"), "a policy sees every command"


def test_a_plan_that_others_could_have_written_is_not_used(box: Box) -> None:
    box.out("create", "--name", "work")
    plans = box.state / "sandboxes/work/plans"
    (plan,) = plans.glob("[0-9a-f]*")
    for path, mode in ((plans, 0o770), (plan, 0o604)):
        before = path.stat().st_mode
        path.chmod(mode)
        assert not is_lean(box, "exec", "work", "--", "true"), path
        path.chmod(before)
    assert is_lean(box, "exec", "work", "--", "true")
    plan.write_bytes(plan.read_bytes()[:-100])
    assert not is_lean(box, "exec", "work", "--", "true")
    box.out("exec", "work", "--", "true")
    assert is_lean(box, "exec", "work", "--", "true")


def test_a_sandbox_that_has_ended_is_told_of_by_the_full_command_line(box: Box) -> None:
    import marshal
    import os

    box.out("create", "--name", "work")
    held = marshal.loads((box.state / "sandboxes/work/home/held").read_bytes())[1]
    os.kill(held["tool"][0], 9)
    while box.json("ls", "--json")["sandboxes"][0]["state"] == "running":
        pass
    assert not is_lean(box, "exec", "work", "--", "true")
    if FRONT.exists():
        assert box.run(box.front_only("exec", "work", "--", "true")).returncode == NOT_HERE
    assert "has ended" in box.refused("exec", "work", "--", "true", code="state")
    assert not [row for row in records(box) if row["kind"].startswith("exec")]
    box.out("destroy", "work")
    box.out("create", "--name", "work")
    assert is_lean(box, "exec", "work", "--", "true"), "another of the same name has plans of its own"
