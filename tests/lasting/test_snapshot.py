"""Snapshots, restore and forks of sandboxes that last: what they keep, who can write to it, what is left of them."""

import json
import os
import random
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import aisbx_linux
import pytest
from aisbx import Sandbox
from aisbx.errors import StateError, UsageError
from aisbx_linux.lasting.identity import recall
from aisbx_linux.lasting.pause import changing

from .conftest import Box, eventually


@pytest.fixture(autouse=True)
def here(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process where the box's commands are."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in box.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(box.project)


@pytest.fixture
def work(box: Box) -> Iterator[Sandbox]:
    """A sandbox over a workspace with a few files; all that came of it is destroyed."""
    (box.project / "old").mkdir()
    for name in ("plain", "gone", "old/one", "old/two"):
        (box.project / name).write_text(f"{name}\n")
    with closing(Sandbox.create("work", mode="cow")) as made:
        yield made
    box("destroy", "--all", "--discard")
    assert Sandbox.names() == []
    assert list(box.state.glob("frozen/*")) == [], "a layer is left that nothing stands on"


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """What is let go at the end."""
    with ExitStack() as stack:
        yield stack


SHOW = r"""
import hashlib, os, stat
for folder, directories, files in os.walk("."):
    for name in sorted((*directories, *files)):
        path = os.path.join(folder, name)
        status = os.lstat(path)
        row = [path, stat.filemode(status.st_mode), sorted(os.listxattr(path, follow_symlinks=False))]
        if stat.S_ISLNK(status.st_mode):
            row.append(os.readlink(path))
        elif stat.S_ISREG(status.st_mode):
            try:
                row += [status.st_nlink, open(path, "rb").read()]
            except PermissionError:
                row.append("shut")
        print(row)
"""


def shown(sandbox: Sandbox) -> list[str]:
    """Give all that the workspace shows inside."""
    return sorted(sandbox.exec(["/usr/bin/python3", "-I", "-S", "-c", SHOW], check=True).text.splitlines())


def sh(sandbox: Sandbox, script: str) -> str:
    return sandbox.exec(["sh", "-ec", script], check=True).text


def home(box: Box, name: str = "work") -> Path:
    return box.state / "sandboxes" / name / "home"


CHANGES = """
echo new > plain; chmod 640 plain; rm gone; rm -r old; mkdir old; echo anew > old/fresh
mkdir -p deep/er; echo x > deep/er/file; ln deep/er/file deep/second; ln -s nowhere link; mkfifo pipe
python3 -c 'import os; os.setxattr("plain", "user.note", b"kept")'
"""


def test_a_fork_and_its_origin_go_their_own_ways(box: Box, work: Sandbox, opened: ExitStack) -> None:
    sh(work, CHANGES)
    before = shown(work)
    assert work.snapshot().mechanism == "overlay"
    fork = opened.enter_context(closing(work.fork("fork")))
    assert shown(fork) == before == shown(work)
    sh(fork, "echo fork > plain; rm -r deep; mkdir deep; echo only > deep/fork")
    sh(work, "echo origin >> plain; rm old/fresh; mkdir gone")
    assert sh(work, "cat plain; ls deep; ls old").split() == ["new", "origin", "er", "second"]
    assert sh(fork, "cat plain; ls deep; ls old").split() == ["fork", "fork", "fresh"]
    again = opened.enter_context(closing(fork.fork("again", ttl=60)))
    assert shown(again) == shown(fork) != shown(work)
    first = opened.enter_context(closing(work.fork("first", tag="1")))
    assert shown(first) == before
    assert sorted(os.listdir(box.project)) == ["gone", "old", "plain"], "a fork wrote to the workspace"
    assert (box.project / "plain").read_text() == "plain\n"
    # What a stack shows is what of it is applied.
    left = box("apply", "again", "--json")
    assert json.loads(left.stdout)["left"] == []
    assert sorted(path for path in os.listdir(box.project) if not path.startswith(".")) == sorted(
        sh(again, "ls").split()
    )
    assert (box.project / "deep" / "fork").read_text() == "only\n"
    assert json.loads(box("diff", "again", "--json").stdout)["changes"] == []


def test_restore_brings_back_what_was_and_keeps_what_is_private(work: Sandbox) -> None:
    sh(work, CHANGES + "echo mine > /tmp/private")
    before = shown(work)
    assert [work.snapshot("before").tag, *(one.tag for one in work.snapshots())] == ["before", "before"]
    sh(work, "rm -r plain old deep; echo made > gone")
    work.restore("before")
    assert shown(work) == before
    sh(work, "echo after >> plain")
    work.restore("before")
    assert shown(work) == before
    assert sh(work, "cat /tmp/private") == "mine\n"
    with pytest.raises(StateError, match="no snapshot 'other'"):
        work.restore("other")
    with pytest.raises(StateError, match="there is a snapshot 'before' already"):
        work.snapshot("before")
    with pytest.raises(StateError, match="has snapshots: before"):
        work.destroy()
    work.remove_snapshot("before")
    assert work.snapshots() == []
    assert shown(work) == before, "a layer went with a snapshot, and the sandbox stands on it"


def test_what_runs_stands_still_and_is_copied(box: Box, work: Sandbox, opened: ExitStack) -> None:
    sh(work, CHANGES + "chmod 0 plain" if os.geteuid() else CHANGES)
    (count := box.project / "count").write_text("")
    counting = "n=0; while sleep 0.02; do n=$((n+1)); echo $n >> count; done"
    assert box("exec", "work", "-d", "--", "sh", "-c", counting).returncode == 0
    assert eventually(lambda: sh(work, "wc -l < count").strip() != "0")
    snapshot = work.snapshot()
    assert snapshot.mechanism in {"copy", "reflink"}
    with pytest.raises(StateError, match="something in it uses the workspace"):
        work.restore(snapshot.tag)
    fork = opened.enter_context(closing(work.fork("fork")))  # of what runs: copied too
    taken = opened.enter_context(closing(work.fork("taken", tag=snapshot.tag)))
    numbers = sh(taken, "cat count").split()
    assert numbers == [str(n + 1) for n in range(len(numbers))], "it was copied while it was written to"
    assert len(sh(fork, "cat count").split()) >= len(numbers) > 0
    ran = int(sh(work, "wc -l < count"))
    assert eventually(lambda: int(sh(work, "wc -l < count")) > ran)
    assert count.read_text() == ""
    rows = [row for row in shown(taken) if "./count" not in row]
    assert rows == [row for row in shown(work) if "./count" not in row]
    assert "deep/second" in str(rows)
    assert "[2, b'x" in str(rows) or ", 2, b'x" in str(rows), "a hard link became two files"


def test_nobody_who_still_has_it_writes_to_what_is_frozen(box: Box, work: Sandbox) -> None:
    """The old mount is read-only afterwards; while a file on it is open for writing nothing is exchanged."""
    sh(work, "echo before > file; mkdir folder")
    held = recall(str(home(box)))
    assert held is not None
    root = f"/proc/{held['first'][0]}/root{box.project}"
    folder = os.open(f"{root}/folder", os.O_RDONLY | os.O_DIRECTORY)  # as something that hid from us would have it
    with open(f"{root}/file", "a", encoding="ascii") as file:
        assert work.snapshot("copied").mechanism in {"copy", "reflink"}
        file.write("late\n")
    assert work.snapshot("put-below").mechanism == "overlay"
    with pytest.raises(OSError, match="Read-only"):
        os.open("planted", os.O_WRONLY | os.O_CREAT, dir_fd=folder)
    os.close(folder)
    assert sh(work, "ls folder; cat file") == "before\nlate\n"
    work.restore("copied")
    assert sh(work, "cat file") == "before\n"


CUT = """
import os, sys
sys.path.insert(0, {root!r})
from aisbx_linux.layer import snapshot, stack, swap
point, home, kept, place = sys.argv[1:]
def dies():
    os.killpg(0, 9)  # with the child that has entered the sandbox's mounts
owner, name, when = point.split(" ")
owner = {{"stack": stack, "snapshot": snapshot, "swap": swap.Swap}}[owner]
real = getattr(owner, name)
def cut(*arguments, **options):
    if when == "after":
        real(*arguments, **options)
    dies()
setattr(owner, name, cut)
snapshot.take(home, kept, place) if len(os.listdir(place)) == 0 else snapshot.restore(home, kept, place)
"""
POINTS = (
    *(
        "snapshot _mark after",
        "stack make after",
        "swap __init__ after",
        "stack exchange before",
        "stack exchange after",
        "swap commit before",
    ),
    *("swap commit after", "stack put_away before", "stack put_away after", "stack unmark after"),
)


def test_what_was_cut_off_anywhere_is_finished_or_taken_back_by_the_next_command(box: Box, work: Sandbox) -> None:
    (box.project / "n").write_text("0\n")
    sh(work, "echo 1 > n")
    work.snapshot("first")
    kept = home(box).parent / "snapshots" / "first" / "kept"
    program = CUT.format(root=str(Path(aisbx_linux.__file__).parents[1]))
    for point in POINTS:
        for restores in (False, True):
            sh(work, "echo 2 > n; echo more > new")
            place = box.home / "place"
            place.mkdir()
            arguments = [point, str(home(box)), str(box.state), str(kept if restores else place)]
            done = subprocess.run(
                [sys.executable, "-I", "-S", "-c", program, *arguments], start_new_session=True, check=False
            )
            assert done.returncode == -9, f"{point} was not reached"
            assert changing(str(home(box))), point
            text = sh(work, "cat n; echo on >> n; cat n")
            assert text in ({"2\n2\non\n", "1\n1\non\n"} if restores else {"2\n2\non\n"}), point
            assert not changing(str(home(box)))
            assert not (home(box) / "next").exists()
            place.rmdir()
    assert len(work.snapshots()) == 1
    work.restore("first")
    assert sh(work, "cat n; ls") == "1\ngone\nn\nold\nplain\n"


def test_whatever_is_done_in_many_layers_is_shown_and_applied_as_it_was(box: Box, work: Sandbox) -> None:
    """Names become files, directories and nothing, again and again, with a snapshot now and then."""
    seed = random.Random(7)
    names = ("a", "b", "old", "d/a", "d/b", "d/e/f", "old/one", "plain")
    for _ in range(6):
        script: list[str] = []
        for _ in range(10):
            name = seed.choice(names)
            above = os.path.dirname(name) or "."
            script.append(
                seed.choice(
                    (
                        f"rm -rf {name}",
                        f"mkdir -p {name} 2>/dev/null || :",
                        f"mkdir -p {above} 2>/dev/null && echo {seed.random()} 2>/dev/null > {name} || :",
                        f"rm -rf {name}; mkdir -p {name} 2>/dev/null || :",
                    )
                )
            )
        sandbox = work.exec(["sh", "-c", "\n".join(script)])
        assert sandbox.code in {0, 1}, sandbox.errors
        assert work.snapshot().mechanism == "overlay"
    expected = shown(work)
    work.fork("fork").close()
    assert json.loads(box("apply", "fork", "--json").stdout)["left"] == []
    box("destroy", "fork")
    assert json.loads(box("diff", "work", "--json").stdout)["changes"] == []
    plain = Sandbox.create("look", mode="ro")
    assert shown(plain) == expected
    plain.destroy()


def test_what_has_no_layer_says_so_and_what_has_ended_is_forked_all_the_same(box: Box, work: Sandbox) -> None:
    sh(work, "echo kept > file")
    with closing(Sandbox.create("live")) as live:
        for refused in (live.snapshot, live.fork):
            with pytest.raises(UsageError, match="no layer of its own to be kept: its workspace is rw"):
                refused("other")
    assert "other" not in Sandbox.names()
    (box.home / "mounted").mkdir()
    options = {str(box.home / "mounted"): str(box.project / "old")}
    with closing(Sandbox.create("mounts", mode="cow", mounts=options)) as mounts:
        sh(mounts, "echo there > file")
        assert mounts.snapshot("copied").mechanism in {"copy", "reflink"}
        with pytest.raises(StateError, match="other mounts are tied to its workspace"):
            mounts.restore("copied")
    held = recall(str(home(box)))
    assert held is not None
    os.kill(held["tool"][0], 9)
    assert eventually(lambda: not os.path.exists(f"/proc/{held['first'][0]}"))
    work.snapshot("at-the-end")
    with closing(work.fork("revived")) as revived:
        assert sh(revived, "cat file") == "kept\n"
    done = box("fork", "work", "second", "--snapshot", "at-the-end")
    assert (done.stdout, done.stderr) == ("second\n", "")
    assert stat.S_IMODE(os.stat(box.state / "frozen").st_mode) == 0o700
    log = [json.loads(line) for line in (box.state / "audit.jsonl").read_text().splitlines()]
    told = [(row["kind"], row.get("origin"), row.get("tag")) for row in log if row["kind"] != "exec.end"]
    assert ("sandbox.fork", "work", "at-the-end") in told
    assert ("sandbox.snapshot", None, "at-the-end") in told
