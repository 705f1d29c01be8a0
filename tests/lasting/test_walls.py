"""A command that joins a sandbox stands behind the same walls as one that begins it; the kit attacks it as `joined`."""

import os
import subprocess
import time

from .conftest import Box, sleepers

# Of signals only those that a program can use: the C library's own, 32 and 33, are as its posix_spawn(3) leaves them.
STATE = """
grep -E '^(Cap|NoNew|Seccomp:|Uid|Gid|Groups|SigBlk)' /proc/self/status
echo $((0x$(sed -n 's/^SigIgn:.//p' /proc/self/status) & ~0x180000000))
ulimit -a; ls /proc/self/fd; env | sort; id; umask; cat /proc/self/cgroup
ls -l /proc/self/ns | sed 's/.*-> //; s/[0-9]//g'
"""
# Looks at every process that comes, as often as it can, for what only its own user's tools could see.
SPY = """
import os, time
until, seen = time.time() + 8, set()
while time.time() < until:
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or int(pid) in (1, os.getpid()):
            continue
        place = "/proc/" + pid
        try:
            if b"aisbx" in open(place + "/cmdline", "rb").read():
                seen.add("saw it")
        except OSError:
            continue
        for what, secret in (("environ", b"s3cr3t"), ("maps", b"python")):  # the command has neither
            try:
                if secret in open(place + "/" + what, "rb").read():
                    seen.add("read its " + what)
            except OSError:
                pass
        try:
            if "python" in os.readlink(place + "/exe"):
                seen.add("saw its program")
        except OSError:
            pass
print(sorted(seen))
"""


def test_the_state_of_a_process_is_that_of_run(box: Box) -> None:
    box.out("create", "--name", "work")
    ran, executed = box.out("run", "--", "sh", "-c", STATE), box.out("exec", "work", "--", "sh", "-c", STATE)
    assert executed == ran


def test_what_joins_cannot_be_looked_into(box: Box) -> None:
    """Until it becomes the command it holds what its caller holds: memory, descriptors, variables."""
    box.out("create", "--name", "work", "-p", "python-dev")
    spy = box.start("exec", "work", "--", "python3", "-c", SPY)
    time.sleep(1.5)
    while spy.poll() is None:
        box("exec", "work", "--", "true")
    told = spy.communicate()[0].decode()
    assert told == "['saw it']\n", told


def test_what_is_planted_is_undone_when_the_command_ends(box: Box) -> None:
    subprocess.run(["git", "init", "-q", str(box.project)], check=True, timeout=30)
    box.out("create", "--name", "work")
    plant = (
        "mkdir -p .vscode sub; echo '{}' > .vscode/tasks.json; git init -q sub; echo evil > sub/.git/hooks/pre-commit"
    )
    done = box("exec", "work", "--", "sh", "-c", plant)
    assert not (box.project / "sub/.git/hooks/pre-commit").exists()
    assert not (box.project / ".vscode/tasks.json").exists()
    assert "tasks.json" in done.stderr or ".vscode" in done.stderr
    denied = box("exec", "work", "--", "sh", "-c", "echo x > .git/hooks/pre-commit")
    assert denied.returncode != 0


def test_what_is_planted_after_the_command_is_undone_at_the_end(box: Box) -> None:
    box.out("create", "--name", "work")
    box.out(
        "exec", "work", "--", "sh", "-c", "(sleep 1; mkdir .vscode; echo '{}' > .vscode/tasks.json) > /dev/null 2>&1 &"
    )
    until = time.monotonic() + 20
    while not (box.project / ".vscode/tasks.json").exists() and time.monotonic() < until:
        time.sleep(0.1)
    done = box("destroy", "work")
    assert ".vscode" in done.stderr
    assert not (box.project / ".vscode/tasks.json").exists()


def test_the_command_ends_with_its_client(box: Box) -> None:
    box.out("create", "--name", "work")
    client = box.start("exec", "work", "--", "sleep", "987")
    until = time.monotonic() + 30
    while not sleepers(987) and time.monotonic() < until:
        time.sleep(0.05)
    assert sleepers(987)
    client.kill()
    client.communicate()
    while sleepers(987) and time.monotonic() < until:
        time.sleep(0.05)
    assert not sleepers(987)
    assert box.out("exec", "work", "--", "echo", "here") == "here\n"


def test_a_signal_to_the_client_is_the_commands(box: Box) -> None:
    box.out("create", "--name", "work")
    client = box.start(
        "exec", "work", "--", "sh", "-c", "trap 'echo got it; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
    )
    assert client.stdout is not None
    assert client.stdout.readline() == b"ready\n"
    client.terminate()
    assert client.communicate(timeout=30)[0] == b"got it\n"
    assert client.returncode == 5


def test_memory_and_tasks_are_those_of_the_sandbox(box: Box) -> None:
    done = box("create", "--name", "work", "-p", "python-dev", "--memory", "200M", "--pids", "40")
    if done.returncode == 125:  # no cgroups for this user: then what was asked for is refused, as by run
        assert "not-enforced: limit:memory" in done.stderr
        return
    grab = "a = bytearray(400 << 20); import time; time.sleep(5)"
    outcome = box("exec", "work", "--", "python3", "-c", grab)
    assert outcome.returncode != 0
    many = "import subprocess as s\nfor i in range(60): s.Popen(['sleep', '3'])"
    assert box("exec", "work", "--", "python3", "-c", many).returncode != 0
    time.sleep(3.5)
    assert box.out("exec", "work", "--", "echo", "here") == "here\n"


def test_nothing_is_done_with_what_somebody_else_may_have_written(box: Box) -> None:
    """It names processes to kill and paths to be changed: root, under sudo with the caller's HOME, would do it."""
    place = box.state / "sandboxes"
    kept = box.home / "elsewhere" if os.geteuid() else place
    (kept / "work" / "home").mkdir(parents=True)
    if os.geteuid():
        box.state.mkdir(parents=True)
        place.symlink_to(kept)
    else:
        os.chown(place, 4242, 4242)
    for command in (("exec", "work", "--", "true"), ("destroy", "work"), ("prune",)):
        done = box(*command)
        assert done.returncode == 125
        assert len(done.stderr.splitlines()) == 1
        assert str(place) in done.stderr
    assert (kept / "work" / "home").is_dir()
    if os.geteuid():
        place.unlink()
    else:
        os.chown(place, 0, 0)


# Stops all that it finds, over and over, and starts nothing itself.
STOPPER = """
while :; do for entry in /proc/[0-9]*; do
    case ${entry#/proc/} in 1|$$) ;; *) kill -STOP ${entry#/proc/} 2>/dev/null;; esac
done; done
"""


def test_who_stops_what_joins_keeps_nobody_waiting(box: Box) -> None:
    """Between joining and its own program a command can be signalled from inside, and has nobody to continue it."""
    box.out("create", "--name", "work")
    stopper = box.start("exec", "work", "--", "sh", "-c", f"echo ready; {STOPPER}")
    assert stopper.stdout is not None
    assert stopper.stdout.readline() == b"ready\n"
    try:
        begun = time.monotonic()
        # Looked for in so many places, it takes its time.
        done = box("exec", "-e", "PATH=" + "/a:" * 40_000, "work", "--", "nowhere")
        assert time.monotonic() - begun < 30
        assert done.returncode == 125
        assert "it was kept from starting, by what runs in the sandbox" in done.stderr
    finally:
        stopper.kill()
        stopper.communicate()


def test_the_null_device_that_a_command_holds_stays_the_hosts(box: Box) -> None:
    """Its owner could close it to everybody on the host: fd 0 is on a mount that nothing makes read-only."""
    box.out("create", "--name", "work", "-p", "python-dev")
    change = ["python3", "-c", "import os; print(os.fstat(0).st_rdev == os.makedev(1, 3)); os.fchmod(0, 0o666)"]
    for front in (["exec", "work", "--"], ["run", "-p", "python-dev", "--"]):
        done = subprocess.run(
            box.argv(*front, *change),
            cwd=box.project,
            env=box.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert done.stdout == b"True\n"
        assert b"PermissionError" in done.stderr, done.stderr
