"""A login on a machine with systemd and cgroup v2: refused as it stands, held by the kernel after what is advised."""

import json
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from .boot import Result, boot

FAST = str(Path(__file__).parents[2] / "aisbx-core/src/aisbx/cli/fast.py")
AISBX = (sys.executable, "-I", "-S", FAST)
SCOPE = ("systemd-run", "--user", "--scope", "--quiet", "-p", "Delegate=yes", "--")
HOLD = """import os, time
for _ in range(3):
    if not os.fork():
        held = b"x" * (40 << 20)
        time.sleep(2)
        os._exit(0)
for _ in range(3):
    os.wait()
"""
FORKS = """import os, time
made = 0
try:
    while made < 40:
        if not os.fork():
            time.sleep(4)
            os._exit(0)
        made += 1
except BlockingIOError:
    pass
print(made)
"""
BURN = """import time
begin, before = time.monotonic(), time.process_time()
while time.monotonic() - begin < 3:
    pass
print(time.process_time() - before)
"""
LOWER = "AISBX_LOWER=priv:not-root"
"""The machine's files are on an overlay, which has no idmapped mounts."""
GROUPS = "find /sys/fs/cgroup -name 'aisbx-*'"
LEAVE = f"""
"$@" run -- sh -c 'echo ready; sleep 60' > out & launcher=$!
while ! grep -q ready out; do sleep 0.1; done
kill -9 $launcher
echo left: $({GROUPS})
wait
sleep 0.5
"$@" run -- true
echo swept: $({GROUPS})
"""

PAUSE = """
set -e
"$@" create --name work > /dev/null
"$@" exec work -d -- sh -c 'i=0; while :; do i=$((i+1)); echo $i > count; sleep 0.05; done' > /dev/null
until [ -s count ]; do sleep 0.05; done
"$@" pause work
echo $(find /sys/fs/cgroup -path '*/aisbx-*' -not -path '*/aisbx-0/*' -name cgroup.freeze -exec cat {} + | sort -u)
before=$(cat count); sleep 0.5; [ "$before" = "$(cat count)" ] && echo stands
ps -eo stat,args | grep -c '^T.*echo [$]i' || true
"$@" resume work
while [ "$before" = "$(cat count)" ]; do sleep 0.05; done; echo goes on
"$@" destroy work; rm count
"""
TIMED = """
cut -d' ' -f1 /proc/uptime > ~/began
"$@" create --name timed --ttl 20s > /dev/null
"""
OWN = f"""
set -e
"$@" create --name own > /dev/null
"$@" exec own --json --memory 64M -- python3 -c {shlex.quote(HOLD)} || true
"$@" exec own --json --pids 12 -- python3 -c {shlex.quote(FORKS)}
"$@" exec own --json -- true
"$@" destroy own
{GROUPS}
"""
BY_PROGRAM = f"""
from aisbx import Sandbox
with Sandbox.attach("whole") as box:
    for _ in range(2):
        print(box.exec(["true"]).code, box.exec(["python3", "-c", {HOLD!r}]).oom_killed, box.exec(["true"]).code)
"""
WHOLE = f"""
set -e
"$@" create --name whole --memory 64M > /dev/null
"$@" exec whole -d -- sleep 60 > /dev/null
"$@" exec whole --json -- python3 -c {shlex.quote(HOLD)} || true
"$@" exec whole --json -- true
{sys.executable} -c {shlex.quote(BY_PROGRAM)}
"$@" exec whole -- ps -eo args | grep -c 'sleep 60'
"$@" destroy whole
{GROUPS}
"""
ROWS = 'import json, sys; print(*[row["state"] for row in json.load(sys.stdin)["sandboxes"]])'
STATE = f""""$@" ls --json | python3 -c '{ROWS}'"""
ENDED = f"""
until [ "$({STATE})" = ended ]; do sleep 0.3; done
python3 -c 'print(float(open("/proc/uptime").read().split()[0]) - float(open("../began").read()))'
"$@" destroy timed
"""


def held(program: str, *options: str) -> tuple[str, ...]:
    return (*SCOPE, *AISBX, "run", "--json", *options, "--", "python3", "-c", program)


STEPS = (
    ("login", "guest", (*AISBX, "run", "--cpus", "1", "--", "touch", "ran")),
    ("doctor of a login", "guest", (*AISBX, "doctor", "--json")),
    ("ran", "guest", ("ls",)),
    ("memory", "guest", held(HOLD, "--memory", "64M")),
    ("pids", "guest", held(FORKS, "--pids", "12")),
    ("cpus", "guest", held(BURN, "--cpus", "0.1")),
    ("cpus by the kept plan", "guest", held(BURN, "--cpus", "0.1")),
    ("enough", "guest", held(HOLD + FORKS + BURN, "--memory", "512M", "--pids", "100", "--cpus", "1")),
    ("doctor of a scope", "guest", (*SCOPE, *AISBX, "doctor", "--json")),
    ("killed launcher", "guest", (*SCOPE, "sh", "-c", LEAVE, "sh", *AISBX)),
    ("root", "root", ("env", LOWER, *AISBX, "run", "--json", "--pids", "12", "--", "python3", "-c", FORKS)),
    ("left", "root", ("sh", "-c", GROUPS)),
    ("own limits", "guest", (*SCOPE, "sh", "-c", OWN, "sh", *AISBX)),
    ("memory of a sandbox", "guest", (*SCOPE, "sh", "-c", WHOLE, "sh", *AISBX)),
    ("paused", "guest", (*SCOPE, "sh", "-c", PAUSE, "sh", *AISBX)),
    ("timed", "guest", (*SCOPE, "sh", "-c", TIMED, "sh", *AISBX)),
    ("forward", "root", ("date", "-s", "+3 days")),
    ("state after three days more", "guest", ("sh", "-c", STATE, "sh", *AISBX)),
    ("back", "root", ("date", "-s", "-6 days")),
    ("state after six days less", "guest", ("sh", "-c", STATE, "sh", *AISBX)),
    ("ended", "guest", ("sh", "-c", ENDED, "sh", *AISBX)),
    ("open", "guest", (*AISBX, "run", "--", "touch", "ran")),
    ("ran while open", "guest", ("sh", "-c", "ls; rm ran")),
    ("close", "root", ("sh", "-c", "echo 0 > /proc/sys/kernel/unprivileged_userns_clone")),
    ("closed, by the kept plan", "guest", (*AISBX, "run", "--", "touch", "ran")),
    ("closed, anew", "guest", (*AISBX, "run", "--", "touch", "ran")),
    ("closed, the doctor", "guest", (*AISBX, "doctor", "--json")),
    ("ran while closed", "guest", ("ls",)),
)
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("machine")]


@pytest.fixture(scope="module")
def told() -> Iterator[Mapping[str, Result]]:
    # Not pytest's own folder: the machine's ordinary user is somebody else.
    with tempfile.TemporaryDirectory(prefix="aisbx-machine-") as folder:
        os.chmod(folder, 0o755)
        yield boot(Path(folder), STEPS)


def outcome(result: Result) -> dict[str, Any]:
    _, stdout, stderr = result
    assert stdout, stderr
    return json.loads(stdout)


def flags(result: Result) -> list[str]:
    told = outcome(result)
    return [name for name in ("timed_out", "oom_killed", "pids_limited", "output_truncated") if told[name]]


def printed(result: Result) -> list[float]:
    return [float(word) for word in outcome(result)["stdout"]["text"].split()]


def limits(result: Result) -> dict[str, dict[str, str]]:
    """Give what the doctor says of each limit that counts all processes together."""
    rows = json.loads(result[1])["rows"]
    return {row["name"]: row for row in rows if row["name"] in {"limit:memory", "limit:pids", "limit:cpus"}}


def test_a_login_that_owns_no_cgroup_is_refused_and_told_what_helps(told: Mapping[str, Result]) -> None:
    code, _, stderr = told["login"]
    advice = "systemd-run --user --scope -p Delegate=yes -- aisbx"
    assert code == 125
    assert "limit:cpus cannot be enforced here" in stderr
    assert "is in a cgroup that is not its user's to share out" in stderr
    assert advice in stderr.partition("; hint: ")[2]
    assert told["ran"] == (0, "", "")
    rows = limits(told["doctor of a login"])
    assert {name: row["state"] for name, row in rows.items()} == {
        "limit:memory": "partial",
        "limit:pids": "ok",
        "limit:cpus": "missing",
    }
    assert advice in rows["limit:cpus"]["remedy"]
    assert advice in rows["limit:memory"]["remedy"]


def test_in_a_scope_of_the_user_each_limit_is_the_kernels(told: Mapping[str, Result]) -> None:
    for control, row in limits(told["doctor of a scope"]).items():
        assert (row["state"], row["detail"][:11]) == ("ok", "cgroup v2, "), control
    for name in ("memory", "pids", "cpus"):
        state = outcome(told[name])["enforcement"][f"limit:{name}"]
        assert (state["level"], state["mechanism"][:11]) == ("full", "cgroup v2, ")


def test_processes_that_each_stay_below_the_memory_cap_are_ended_together(told: Mapping[str, Result]) -> None:
    assert flags(told["memory"]) == ["oom_killed"]
    assert outcome(told["memory"])["exit_code"] == 137
    assert flags(told["enough"]) == []


def test_no_more_tasks_are_made_than_the_cap(told: Mapping[str, Result]) -> None:
    assert printed(told["pids"]) == [11]  # and the one that made them
    assert flags(told["pids"]) == ["pids_limited"]
    assert printed(told["enough"])[0] == 40


@pytest.mark.parametrize("run", ["cpus", "cpus by the kept plan"])
def test_a_tenth_of_a_processor_is_a_tenth(run: str, told: Mapping[str, Result]) -> None:
    assert printed(told[run])[0] < 0.6
    assert printed(told["enough"])[1] > 0.9


def test_what_a_killed_launcher_leaves_the_next_run_removes(told: Mapping[str, Result]) -> None:
    code, stdout, stderr = told["killed launcher"]
    left, swept = stdout.splitlines()
    assert (code, swept) == (0, "swept:"), stderr
    assert "/app.slice/aisbx-" in left
    assert told["left"] == (0, "", "")


def test_root_in_a_service_of_the_system_needs_no_scope(told: Mapping[str, Result]) -> None:
    assert outcome(told["root"])["enforcement"]["limit:pids"]["mechanism"] == "cgroup v2, pids controller"
    assert (printed(told["root"]), flags(told["root"])) == ([11], ["pids_limited"])


def test_a_command_of_a_sandbox_that_lasts_has_a_group_below_the_sandboxs(told: Mapping[str, Result]) -> None:
    code, stdout, stderr = told["own limits"]
    assert code == 0, stderr
    memory, pids, plain = (json.loads(line) for line in stdout.splitlines())  # and no group is left
    assert (memory["exit_code"], memory["oom_killed"]) == (137, True)
    assert (pids["pids_limited"], pids["stdout"]["text"]) == (True, "11\n")
    assert (plain["exit_code"], plain["oom_killed"], plain["pids_limited"]) == (0, False, False)


def test_a_sandbox_whose_memory_runs_out_loses_a_process_and_goes_on(told: Mapping[str, Result]) -> None:
    code, stdout, stderr = told["memory of a sandbox"]
    lines = stdout.splitlines()
    assert code == 0, stdout + stderr
    assert [json.loads(line)["oom_killed"] for line in lines[:2]] == [True, False]
    assert lines[2:] == ["0 True 0", "0 True 0", "1"], stdout  # and no group is left


def test_a_pause_is_the_cgroups_freezer(told: Mapping[str, Result]) -> None:
    code, stdout, stderr = told["paused"]
    # No process of it has been stopped by a signal, which it could see.
    assert (code, stdout.splitlines()) == (0, ["1", "stands", "0", "goes on"]), stderr


def test_a_clock_that_is_set_ends_no_sandbox_early_or_late(told: Mapping[str, Result]) -> None:
    assert (told["forward"][0], told["back"][0]) == (0, 0), told["forward"]
    for when in ("three days more", "six days less"):
        assert told[f"state after {when}"][1] == "running\n", told[f"state after {when}"]
    code, stdout, stderr = told["ended"]
    assert code == 0, stderr
    assert 20 <= float(stdout.splitlines()[0]) < 40


def test_debians_switch_for_user_namespaces_is_told_with_and_without_a_plan(told: Mapping[str, Result]) -> None:
    assert (told["open"], told["ran while open"][1].split()) == ((0, "", ""), ["out", "ran"])
    for run in ("closed, by the kept plan", "closed, anew"):
        code, stdout, stderr = told[run]
        assert (code, stdout, stderr.count("\n")) == (125, "", 1)
        assert "No permissions to create new namespace" in stderr
        assert "; hint: sysctl kernel.unprivileged_userns_clone=1" in stderr
    code, stdout, _ = told["closed, the doctor"]
    report = json.loads(stdout)
    assert (code, report["ready"]) == (125, False)
    assert "sysctl kernel.unprivileged_userns_clone=1" in [row["remedy"] for row in report["rows"]]
    assert told["ran while closed"][1].split() == ["out"]
