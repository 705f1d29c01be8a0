"""`diff`, `apply`, `discard`: what a sandbox changed reaches the workspace as it is looked at, or not at all."""

import os
import time
from pathlib import Path

import pytest

from .conftest import Box

WORK = r"""
echo two >> text
printf 'a\033]0;title\007b' > "$(printf 'esc\033[31m')"
head -c 2000 /dev/zero > binary
rm gone; rm -r folder; mkdir folder; echo new > folder/fresh
chmod 750 script
ln -s text link; ln text twin
mkdir .vscode closed; echo '{}' > .vscode/tasks.json; echo x > closed/inner; chmod 555 closed
mkfifo pipe
"""


@pytest.fixture
def work(box: Box) -> Box:
    for name, text in {"text": "one\n", "gone": "g\n", "folder/old": "o\n", "script": "#!/bin/sh\n"}.items():
        (box.project / name).parent.mkdir(exist_ok=True)
        (box.project / name).write_text(text)
    box.out("create", "--name", "work", "-p", "shell", "-w", ".:cow")
    return box


def test_a_diff_shows_names_kinds_modes_texts_and_what_the_host_would_execute(work: Box) -> None:
    work.out("exec", "work", "--", "sh", "-c", WORK)
    shown = work.out("diff", "work")
    assert "M text (4 -> 8 bytes)\n--- text\n+++ text\n@@ -1 +1,2 @@\n one\n+two\n" in shown
    assert "A binary (2000 bytes)\n  (binary)\n" in shown
    assert "D gone (2 bytes)\n--- gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-g\n" in shown
    assert "D folder/old (2 bytes)" in shown
    assert "A folder/fresh (4 bytes)" in shown
    assert "M script (mode 0644 -> 0750; 10 -> 10 bytes; executable)\n" in shown
    assert "A link (link)\n" in shown
    assert "A .vscode/tasks.json (3 bytes; THE HOST WOULD EXECUTE IT: an editor reads" in shown
    # What a terminal would act on is not printed.
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "A esc\\x1b[31m (" in shown
    assert work.out("diff", "work", "--name-only", "folder") == "folder/fresh\nfolder/old\n"
    (row,) = work.json("diff", "work", "script", "--json")["changes"]
    assert row == {
        "path": "script",
        "action": "modified",
        "kind": "file",
        "was_kind": "file",
        "size": 10,
        "was_size": 10,
        "mode": "0750",
        "was_mode": "0644",
        "executable": True,
    }
    work.refused("diff", "work", "../other", code="usage")
    work.refused("diff", "nobody", code="state")
    assert "mistyped: nothing there was changed" in work.refused("apply", "work", "text", "mistyped", code="state")
    assert (work.project / "text").read_text() == "one\n"


@pytest.mark.parametrize("ended", [False, True], ids=["it runs", "it has ended"])
def test_apply_takes_over_all_but_what_the_host_would_execute(work: Box, *, ended: bool) -> None:
    work.out("exec", "work", "--", "sh", "-c", WORK)
    if ended:
        _end(work)
    error = work("apply", "work")
    assert error.returncode == 125
    assert "not applied: .vscode/tasks.json: the host would execute it" in error.stderr
    project = work.project
    assert (project / "text").read_text() == "one\ntwo\n"
    assert not (project / "gone").exists()
    assert sorted(os.listdir(project / "folder")) == ["fresh"]
    assert (project / "script").stat().st_mode & 0o7777 == 0o750
    assert os.readlink(project / "link") == "text"
    assert (project / "twin").read_text() == "one\ntwo\n"
    assert (project / "closed").stat().st_mode & 0o7777 == 0o555
    assert (project / "pipe").is_fifo()
    assert not (project / ".vscode").exists()
    assert all(path.lstat().st_uid == os.geteuid() for path in project.rglob("*"))
    assert not [attribute for path in project.rglob("*") for attribute in os.listxattr(path, follow_symlinks=False)]
    # To name the file is enough, and nothing less is.
    work.refused("destroy", "work", code="state")
    assert work("apply", "work", ".").returncode == 125
    work.out("apply", "work", ".vscode")
    assert (project / ".vscode" / "tasks.json").read_text() == "{}\n"
    assert work.out("diff", "work") == ""
    work.out("destroy", "work")
    (project / "closed").chmod(0o755)


def test_what_was_edited_on_the_host_meanwhile_is_reported_and_never_overwritten(work: Box) -> None:
    change = "echo two >> text; echo x > script; rm gone; echo n > new; echo d > folder/new"
    work.out("exec", "work", "--", "sh", "-c", change)
    project = work.project
    (project / "text").write_text("mine\n")
    (project / "gone").write_text("mine\n")
    (project / "new").write_text("mine\n")
    os.rename(project / "folder", project / "away")
    os.mkdir(project / "old-folder")
    os.rename(project / "old-folder", project / "folder")
    done = work("apply", "work")
    assert done.returncode == 125
    for name in ("text", "gone", "new"):
        assert f"not applied: {name}: it was changed on the host since" in done.stderr
        assert (project / name).read_text() == "mine\n"
    assert done.stdout.splitlines()[-1] == "M script (10 -> 2 bytes)"
    assert "CONFLICT" in work.out("diff", "work", "--stat")
    # Twice is no conflict with ourselves.
    work.out("exec", "work", "--", "sh", "-c", "echo again > script")
    work.out("apply", "work", "script")
    assert (project / "script").read_text() == "again\n"
    # A person may decide for the sandbox's own, by name.
    work.refused("apply", "work", "--force", code="usage")
    work.out("apply", "work", "--force", "text")
    assert (project / "text").read_text() == "one\ntwo\n"
    work.out("destroy", "work", "--discard")
    assert (project / "new").read_text() == "mine\n"


def test_discard_leaves_nothing_and_a_sandbox_with_changes_is_not_destroyed_by_mistake(work: Box) -> None:
    work.out("exec", "work", "--", "sh", "-c", "echo two >> text; rm -r folder; mkdir deep; chmod 000 deep")
    error = work.refused("destroy", "work", code="state")
    assert "aisbx diff work" in error
    assert work.json("inspect", "work", "--json")["state"] == "running"
    assert "in use" in work.refused("discard", "work", code="state")
    _end(work)
    assert work.out("prune") == ""
    work.out("discard", "work", "text")
    assert "text" not in work.out("diff", "work", "--name-only")
    work.out("discard", "work")
    assert (work.project / "text").read_text() == "one\n"
    assert work.out("prune") == "work\n"
    assert os.listdir(work.state / "sandboxes") == []


def test_where_it_has_ended_files_move_and_where_it_runs_they_are_copied(work: Box) -> None:
    work.out("exec", "work", "--", "sh", "-c", "echo two >> text; truncate -s 100G sparse")
    upper = work.state / "sandboxes" / "work" / "home" / "layer" / "upper"
    work.out("apply", "work", "sparse")
    copied = (work.project / "sparse").stat()
    assert copied.st_size == 100 << 30
    assert copied.st_blocks < 1000
    inode = (upper / "text").stat().st_ino
    _end(work)
    work.out("apply", "work", "text")
    assert (work.project / "text").stat().st_ino == inode
    assert (work.project / "text").stat().st_nlink == 1
    work.out("destroy", "--discard", "work")


def test_every_decision_is_in_the_log(work: Box) -> None:
    work.out("exec", "work", "--", "sh", "-c", "echo two >> text")
    work.out("apply", "work")
    log = (work.state / "audit.jsonl").read_text()
    assert '"sandbox.apply"' in log
    assert '"paths":["text"],"changes":1,"left":0' in log


def _end(box: Box) -> None:
    """End all processes as a restart of the machine would, or the end of its time."""
    first = _first(box.state / "sandboxes" / "work" / "home")
    os.kill(first, 9)
    until = time.monotonic() + 10
    while box.json("inspect", "work", "--json")["state"] != "ended":
        assert time.monotonic() < until


def _first(home: Path) -> int:
    import marshal

    return int(marshal.loads((home / "held").read_bytes())[1]["first"][0])
