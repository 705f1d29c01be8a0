"""From `create` to `destroy`, and what is refused on the way."""

import os
import time

import pytest
from aisbx_linux.lasting.identity import started

from .conftest import Box, sleepers


def test_what_one_command_leaves_the_next_one_finds(box: Box) -> None:
    assert box.out("create", "--name", "work") == "work\n"
    box.out("exec", "work", "--", "sh", "-c", "echo kept > /tmp/note; echo shared > note")
    assert box.out("exec", "work", "--", "cat", "/tmp/note") == "kept\n"
    assert (box.project / "note").read_text() == "shared\n"
    assert not os.path.exists("/tmp/note")


def test_a_command_that_was_left_running_goes_on_and_is_not_waited_for(box: Box) -> None:
    box.out("create", "--name", "work")
    begun = time.monotonic()
    assert box.out("exec", "work", "--", "sh", "-c", "sleep 321 & echo on") == "on\n"
    assert time.monotonic() - begun < 60
    assert "sleep 321" in box.out("exec", "work", "--", "ps", "ax")
    box.out("destroy", "work")
    assert not sleepers(321)


def test_what_ended_is_reaped(box: Box) -> None:
    box.out("create", "--name", "work")
    box.out("exec", "work", "--", "sh", "-c", "for i in 1 2 3 4 5; do (true &); done")
    assert "defunct" not in box.out("exec", "work", "--", "ps", "ax")


def test_no_signal_from_inside_ends_it(box: Box) -> None:
    box.out("create", "--name", "work")
    box("exec", "work", "--", "sh", "-c", "kill -9 1; kill -9 -1")
    assert box.out("exec", "work", "--", "echo", "here") == "here\n"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("sh", "-c", "exit 7"), 7),
        (("sh", "-c", "kill -9 $$"), 137),
        (("no-such-command",), 127),
        (("/etc/hosts",), 126),
    ],
)
def test_exit_codes_are_those_of_run(box: Box, command: tuple[str, ...], code: int) -> None:
    box.out("create", "--name", "work")
    ran, executed = box("run", "--", *command), box("exec", "work", "--", *command)
    assert executed.returncode == code
    assert (executed.returncode, executed.stderr) == (ran.returncode, ran.stderr)


def test_streams_are_byte_for_byte(box: Box) -> None:
    data = bytes(range(256)) * 5000
    box.out("create", "--name", "work")
    done = box("exec", "work", "--", "sha256sum", stdin=data)
    import hashlib

    assert done.stdout.split()[0] == hashlib.sha256(data).hexdigest()
    assert box.out("exec", "work", "--", "sh", "-c", "echo out; echo err >&2") == "out\n"


def test_variables_of_the_sandbox_and_of_the_command(box: Box) -> None:
    box.out("create", "--name", "work", "-e", "A=of the sandbox", "-e", "B=b")
    show = ("sh", "-c", 'echo "$A, $B, ${SECRET-none}"')
    assert box.out("exec", "work", "--", *show) == "of the sandbox, b, none\n"
    assert box.out("exec", "work", "-e", "A=own", "--", *show) == "own, b, none\n"
    assert "of the sandbox" not in (box.state / "sandboxes/work/sandbox.json").read_text()
    assert "of the sandbox" not in box.out("inspect", "work", "--json")


def test_a_command_has_a_time_limit_and_a_directory_of_its_own(box: Box) -> None:
    box.out("create", "--name", "work")
    done = box("exec", "work", "-t", "1s", "--", "sleep", "50")
    assert done.returncode == 124
    assert box.out("exec", "work", "--cwd", "/tmp", "--", "pwd") == "/tmp\n"
    assert box.out("exec", "--cwd", "/tmp", "work", "-t", "9s", "--", "pwd") == "/tmp\n"
    assert "/nowhere" in box.refused("exec", "work", "--cwd", "/nowhere", "--", "pwd", code="launch")
    assert box.out("exec", "work", "--", "pwd") == f"{box.project}\n"


def test_a_limit_of_a_command_narrows_the_sandboxs_and_never_widens_it(box: Box) -> None:
    box.out("create", "--name", "work", "-t", "1s", "--output", "10")
    show = ("sh", "-c", "echo 0123456789abcdef; sleep 50")
    for wider in ((), ("-t", "40s", "--output", "1M")):
        done = box("exec", "work", *wider, "--", *show)
        assert (done.returncode, done.stdout) == (124, "0123456789")
    assert box("exec", "work", "--output", "4", "--", "echo", "0123456789").stdout == "0123"


def test_run_can_name_a_sandbox(box: Box) -> None:
    box.out("create", "--name", "work")
    box.out("exec", "work", "--", "touch", "/dev/shm/there")
    assert box.out("run", "-s", "work", "--", "ls", "/dev/shm") == "there\n"
    for option in (("-p", "shell"), ("-w", "."), ("--network", "none"), ("--mount", "/usr:/mnt"), ("-d", "bwrap")):
        assert "--sandbox" in box.refused("run", "-s", "work", *option, "--", "true", code="usage")


def test_outcome_as_json(box: Box) -> None:
    box.out("create", "--name", "work")
    outcome = box.json("exec", "work", "--json", "--", "sh", "-c", "echo hi; exit 0")
    assert outcome["stdout"]["text"] == "hi\n"
    assert outcome["enforcement"]["fs:host-hidden"]["level"] == "full"


def test_what_there_is(box: Box) -> None:
    box.out("create", "--name", "a", "-w", f"{box.project}:ro")
    box.out("create", "--name", "b", "--ttl", "90m")
    rows = {row["name"]: row for row in box.json("ls", "--json")["sandboxes"]}
    assert rows["a"]["state"] == rows["b"]["state"] == "running"
    assert rows["a"]["mode"] == "ro"
    assert rows["a"]["until"] is None
    assert 5300 < rows["b"]["until"] - time.time() <= 5400
    assert box.json("inspect", "a", "--json")["enforcement"]["proc:no-survivors"]["level"] == "partial"
    assert box.out("ls").splitlines()[1].startswith("a ")
    assert box.json("inspect", "a", "--json")["enforcement"]["sys:filter"]["level"] == "full"


def test_it_ends_with_its_time_to_live(box: Box) -> None:
    box.out("create", "--name", "short", "--ttl", "2s")
    time.sleep(2.5)
    assert box.json("ls", "--json")["sandboxes"][0]["state"] == "ended"
    assert "has ended" in box.refused("exec", "short", "--", "true", code="state")
    assert box.out("prune") == "short\n"
    assert box.json("ls", "--json")["sandboxes"] == []


def test_a_second_destroy_is_quiet(box: Box) -> None:
    box.out("create", "--name", "work")
    for _ in range(2):
        done = box("destroy", "work")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_wrong_names(box: Box) -> None:
    box.out("create", "--name", "work")
    assert "already" in box.refused("create", "--name", "work", code="state")
    for name in ("../up", "-x", ".hidden", "A", "a/b", "a" * 64, "a\nb"):
        box.refused("create", f"--name={name}", code="usage")
    assert "no sandbox" in box.refused("exec", "other", "--", "true", code="state")
    assert "no sandbox" in box.refused("inspect", "other", code="state")
    assert box.json("ls", "--json")["sandboxes"][0]["state"] == "running"


def test_a_made_up_name_is_told(box: Box) -> None:
    name = box.out("create").strip()
    assert box.out("exec", name, "--", "echo", "x") == "x\n"


def test_every_command_has_a_record(box: Box) -> None:
    box.out("create", "--name", "work", "-e", "KEY=of-the-box")
    box.out("exec", "work", "-e", "OWN=of-the-command", "--", "true")
    box.out("destroy", "work")
    text = (box.state / "audit.jsonl").read_text()
    assert [line.split('"kind":"')[1].split('"')[0] for line in text.splitlines()] == [
        "sandbox.create",
        "exec.end",
        "sandbox.destroy",
    ]
    assert '"sandbox":"work"' in text
    shown = box.out("audit", "show").splitlines()
    assert [line.split()[-2 if "exit" not in line else -3] for line in shown[1:]] == ["created", "exit", "destroyed"]
    assert "of-the-" not in text


def test_what_a_command_printed_is_kept_like_a_runs(box: Box) -> None:
    box.out("create", "--name", "work")
    box.out("exec", "work", "--", "echo", "to be kept")
    (run,) = box.json("logs", "--json")["runs"]
    assert run["kind"] == "exec.end"
    assert box.out("logs", run["run"]) == "to be kept\n"


def test_a_state_of_another_start_of_the_machine_is_no_sandbox(box: Box) -> None:
    """What has a sandbox's numbers after a reboot is somebody else."""
    import marshal

    box.out("create", "--name", "work")
    held = box.state / "sandboxes/work/home/held"
    version, row = marshal.loads(held.read_bytes())
    first = row["first"][0]
    held.write_bytes(marshal.dumps((version, {**row, "boot": b"another"})))
    assert box.json("ls", "--json")["sandboxes"][0]["state"] == "ended"
    box.refused("exec", "work", "--", "true", code="state")
    box.out("destroy", "work")
    assert os.path.exists(f"/proc/{first}"), "somebody else's process was ended"
    os.kill(row["tool"][0], 9)


@pytest.mark.parametrize("which", ["the sandbox", "its plan"])
def test_a_sandbox_of_another_version_takes_no_command_and_can_be_ended(box: Box, which: str) -> None:
    """A new aisbx is installed while one lives: what it would say of it is somebody else's layout."""
    import marshal

    box.out("create", "--name", "work")
    box.out("exec", "work", "--", "true")  # a plan that is kept
    held = box.state / "sandboxes/work/home/held"
    version, row = marshal.loads(held.read_bytes())
    if which == "the sandbox":
        held.write_bytes(marshal.dumps((version - 1, row)))
    else:
        held.write_bytes(marshal.dumps((version, {**row, "plan": {**row["plan"], "format": 1}})))
    for _ in range(2):
        assert "another version of aisbx" in box.refused("exec", "work", "--", "true", code="launch")
    assert "another version" in box("ls").stdout + box("inspect", "work").stdout
    done = box("destroy", "work")
    assert done.returncode == 0, done.stderr
    assert not any(started(row[name][0]) for name in ("first", "tool"))
    assert not any(os.path.exists(group) for group in row["groups"])
