"""A guarded workspace: copy-on-write while it runs, applied by itself at the end but for what a person has to see."""

import os
import subprocess
import sys
from pathlib import Path

import aisbx

from .conftest import Box

GUARDED = ("-p", "shell", "-w", ".:guarded")
GIT = r"""
set -e
git config user.name n; git config user.email n@example.org
export GIT_AUTHOR_NAME=n GIT_AUTHOR_EMAIL=n@example.org GIT_COMMITTER_NAME=n GIT_COMMITTER_EMAIL=n@example.org
echo a > a; git add a; git commit -qm one
git worktree add -q ../project/tree -b side; echo b > tree/b; git -C tree add b; git -C tree commit -qm two
git stash -q 2>/dev/null || true
git init -q --bare remote.git; git remote add origin "$PWD/remote.git"; git push -qu origin HEAD
git clone -q remote.git clone; echo c > clone/c; git -C clone add c; git -C clone commit -qm three
"""


def test_a_guarded_run_applies_its_changes_and_keeps_back_what_the_host_would_execute(box: Box) -> None:
    (box.project / "file").write_text("one\n")
    (box.project / ".envrc").write_text("good\n")
    work = "echo two >> file; mkdir -p sub/.git/hooks; echo evil | tee .envrc > sub/.git/hooks/post-commit; id -u > new"
    done = box("run", *GUARDED, "--", "sh", "-c", work)
    assert done.returncode == 0, done.stderr
    assert (box.project / "file").read_text() == "one\ntwo\n"
    assert (box.project / "new").stat().st_uid == os.geteuid()
    assert (box.project / ".envrc").read_text() == "good\n"
    assert not (box.project / "sub/.git/hooks/post-commit").exists()
    (run,) = box.json("ls", "--json")["runs"]
    assert done.stderr.splitlines() == [
        "aisbx: not applied: .envrc: the host would execute it: a shell hook runs it when the directory is entered",
        "aisbx: not applied: sub/.git/hooks/post-commit: the host would execute it: git runs the programs in it",
        f"aisbx: its changes are kept for a review: aisbx diff {run}",
    ]
    assert box.out("diff", run, "--name-only") == ".envrc\nsub/.git/hooks/post-commit\n"
    box.out("apply", run, ".envrc")
    assert (box.project / ".envrc").read_text() == "evil\n"
    box.out("discard", run)
    assert box.json("ls", "--json")["runs"] == []


def test_daily_work_with_git_comes_through_whole(box: Box) -> None:
    subprocess.run(["git", "init", "-q", "."], cwd=box.project, check=True)
    done = box("run", *GUARDED, "--", "sh", "-c", GIT)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert os.listdir(box.state / "layers") == []

    def git(*words: str) -> str:
        command = ["git", "-c", "safe.directory=*", "-C", str(box.project), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert git("log", "--format=%s", "side").split() == ["two", "one"]
    assert git("-C", "tree", "status", "--porcelain") == ""
    assert git("-C", "clone", "log", "-1", "--format=%s") == "three\n"
    assert git("rev-parse", "--abbrev-ref", "HEAD@{upstream}").startswith("origin/")
    assert git("fsck", "--strict") == ""


def test_what_git_would_run_by_a_configuration_is_kept_back_with_it(box: Box) -> None:
    subprocess.run(["git", "init", "-q", "."], cwd=box.project, check=True)
    before = (box.project / ".git/config").read_text()
    attack = (
        "git config core.fsmonitor ./evil; echo ../half > .git/commondir; mkdir -p evil/objects evil/refs half/objects "
        "half/refs w; "
        "echo ref: refs/heads/x > evil/HEAD; printf '[core]\\npager = evil\\n' | tee evil/config > half/config; "
        "ln -s /tmp w/out; echo 'gitdir: w/out/evil' > w/.git; ln -s ../../../out .git/refs/heads/out; "
        "mkdir fine; echo 'gitdir: ../evil' > fine/.git"
    )
    done = box("run", *GUARDED, "--", "sh", "-c", attack)
    for path in (".git/commondir", ".git/config", "evil/config", "w/.git", ".git/refs/heads/out"):
        assert f"not applied: {path}: " in done.stderr
    assert (box.project / ".git/config").read_text() == before
    assert (box.project / "evil/HEAD").exists()
    assert (box.project / "fine/.git").exists()  # what it points to is looked at where it lies
    assert not [path for path in ("evil/config", "w/.git", ".git/commondir") if (box.project / path).exists()]


def test_an_edit_of_the_host_during_a_guarded_run_wins_and_the_runs_own_stays_for_a_review(box: Box) -> None:
    (box.project / "file").write_text("one\n")
    with subprocess.Popen(
        box.argv("run", *GUARDED, "--", "sh", "-c", "echo two >> file; echo; read line; echo $line"),
        cwd=box.project,
        env=box.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout
        running.stdout.readline()
        (box.project / "file").write_text("mine\n")
        _, said = running.communicate(b"go\n", timeout=30)
    assert b"not applied: file: it was changed on the host since" in said
    assert (box.project / "file").read_text() == "mine\n"
    assert box.out("diff", *box.json("ls", "--json")["runs"], "--stat").startswith("M file (5 -> 8 bytes; CONFLICT")


def test_a_killed_launcher_loses_nothing_and_the_next_run_says_so(box: Box) -> None:
    (box.project / "file").write_text("one\n")
    running = box.start("run", *GUARDED, "--", "sh", "-c", "echo two >> file; echo; sleep 1000")
    assert running.stdout
    running.stdout.readline()
    (run,) = os.listdir(box.state / "layers")
    assert "its run goes on" in box.refused("apply", run, code="state")
    running.kill()
    running.communicate()
    assert (box.project / "file").read_text() == "one\n"
    told = box("run", *GUARDED, "--", "true").stderr
    assert told == f"aisbx: the run {run} was cut off: what it changed is kept: aisbx diff {run}\n"
    assert box("run", *GUARDED, "--", "true").stderr == ""
    box.out("apply", run)
    assert (box.project / "file").read_text() == "one\ntwo\n"
    assert os.listdir(box.state / "layers") == []


def test_a_guarded_sandbox_applies_its_changes_when_it_is_destroyed(box: Box) -> None:
    (box.project / "file").write_text("one\n")
    box.out("create", "--name", "work", *GUARDED)
    box.out("exec", "work", "--", "sh", "-c", "echo two >> file; echo evil > .envrc")
    assert (box.project / "file").read_text() == "one\n"
    done = box("destroy", "work")
    assert (box.project / "file").read_text() == "one\ntwo\n"
    assert "not applied: .envrc" in done.stderr
    assert "aisbx diff work" in done.stderr
    assert box.out("diff", "work", "--name-only") == ".envrc\n"
    box.out("destroy", "work", "--discard")
    assert not (box.project / ".envrc").exists()
    assert os.listdir(box.state / "sandboxes") == []


def test_the_kept_plan_guards_as_the_full_path_does(box: Box) -> None:
    fast = Path(aisbx.__file__).parent / "cli" / "fast.py"
    seen: list[str] = []
    for _ in range(2):
        (box.project / ".envrc").unlink(missing_ok=True)
        work = "echo evil > .envrc; echo x >> file"
        command = [sys.executable, "-I", "-S", str(fast), "run", *GUARDED, "--", "sh", "-c", work]
        done = subprocess.run(command, cwd=box.project, env=box.env, capture_output=True, text=True, check=True)
        seen.append(done.stderr.splitlines()[0])
        assert not (box.project / ".envrc").exists()
    assert seen[0] == seen[1]
    assert (box.project / "file").read_text() == "x\nx\n"
    assert os.listdir(box.home / ".cache" / "aisbx" / "plans")
