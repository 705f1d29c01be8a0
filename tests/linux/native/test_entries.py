"""The entries of directories that changed, in C: it takes for the same only what Python does."""

import random
import subprocess
import time
from pathlib import Path

import pytest
from aisbx_linux.protect.scan import State, recall, scan
from aisbx_linux.protect.settle import settle

from .looks import COMMIT, known_before, looking, model, python

__all__ = ["model"]

WORK = {
    "a file appears": "touch a/b/new",
    "a file goes": "rm a/plain",
    "a file is replaced": "cp a/plain a/x; mv a/x a/plain",
    "a link appears, another goes": "ln -s plain a/link",
    "a pipe goes": "rm a/pipe",
    "the work of git": f"git add -A && git {' '.join(COMMIT)} -qm y",
    "a branch": "git branch other; git update-ref refs/heads/third HEAD; git pack-refs --all",
    "data in a repository": "mkdir .git/lfs .git/objects/ff",
}


@pytest.mark.parametrize("change", WORK.values(), ids=WORK)
def test_ordinary_files_come_and_go(change: str, model: Path, tmp_path: Path, pieces: str) -> None:
    work, cache = known_before(model, tmp_path)
    with looking(pieces, cache, work) as (covered, same):
        subprocess.run(["/bin/sh", "-ec", change], cwd=work, check=True)
        assert same()
    with looking(pieces, cache, work) as (again, _):
        assert again == covered != "no"
    assert not python(work, cache), "the test does not test it"
    assert_finds_the_same(work, cache)


def test_what_was_read_once_is_believed_until_it_changes_again(model: Path, tmp_path: Path, pieces: str) -> None:
    work, cache = known_before(model, tmp_path)
    with looking(pieces, cache, work) as (_, same):
        (work / "a/new").touch()
        assert same()
        time.sleep(2.1)  # until then it could change again and have the same time
        (work / "a/b").chmod(0o755)
        assert same(), "it is read again, and believed from now on"
        assert same()
        (work / "a/.bashrc").touch()
        assert not same()
        (work / "a/.bashrc").unlink()
        assert same()
        (work / "a/.bashrc").touch()
        assert not same()


def assert_finds_the_same(work: Path, cache: Path) -> None:
    """Python, which reads what has changed, finds what it had found, and nothing to undo."""
    was, now = recall(str(work), str(cache)), scan(str(work))
    assert was is not None
    assert was.files.keys() == now.files.keys()
    for state in was, now:
        state.items = {path: items for path, items in state.items.items() if items}
    found = [name for name in State.FOUND if name not in {"files", "others"}]  # compared as they are, by both
    assert {name: getattr(was, name) for name in found} == {name: getattr(now, name) for name in found}
    assert settle(str(work), was, "/nonexistent") == []


NAMES = (
    *("x", "y.txt", "HEAD", "head", "objects", "refs", "config", "hooks", ".git", ".envrc", ".vscode", "x.ipr", "fish"),
    *(".config", "node_modules", "rr-cache", "commondir", "info", "logs", "modules", "Config", "git-rebase-todo"),
)
DOINGS = (
    "touch {}",
    "mkdir {}",
    "ln -s x {}",
    "mkfifo {}",
    "rm -rf {}",
    "rm -f {0}; echo x > {0}",
    "mv {} z",
    "mv z {}",
)
WITHIN = ("", "a/", "a/b/", ".git/", ".git/refs/", ".git/logs/", ".git/info/", ".git/hooks/", "repo.git/", "a/.config/")


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_what_it_takes_for_the_same_python_does(
    seed: int, model: Path, tmp_path: Path, pieces: str
) -> None:
    chance = random.Random(seed)
    source = tmp_path / "source"
    subprocess.run(["cp", "-a", str(model), str(source)], check=True)
    subprocess.run(["git", "init", "-q", "--bare", str(source / "repo.git")], check=True)
    (source / "a" / ".config" / "fish").mkdir(parents=True)
    same_ones = 0
    for attempt in range(12):
        place = tmp_path / f"{attempt}"
        place.mkdir()
        work, cache = known_before(source, place)
        with looking(pieces, cache, work) as (_, same):
            for _ in range(chance.choice((1, 1, 2, 4))):
                doing = chance.choice(DOINGS).format(chance.choice(WITHIN) + chance.choice(NAMES))
                subprocess.run(["/bin/sh", "-c", doing], cwd=work, stderr=subprocess.DEVNULL, check=False)
            if same():
                same_ones += 1
                assert_finds_the_same(work, cache)
    assert same_ones, "the test does not test it"


@pytest.mark.parametrize("named", ["core.hooksPath tools/x", "include.path ../tools", "filter.x.clean tools/x"])
def test_where_a_configuration_names_what_is_not_there_nothing_may_appear(
    named: str, model: Path, tmp_path: Path, pieces: str
) -> None:
    source = tmp_path / "source"
    subprocess.run(["cp", "-a", str(model), str(source)], check=True)
    (source / "tools").mkdir()
    subprocess.run(["git", "-C", str(source), "config", *named.split()], check=True)
    work, cache = known_before(source, tmp_path)
    with looking(pieces, cache, work) as (covered, same):
        assert covered != "no"
        assert same()
        (work / "tools" / "x").touch()
        assert not same()


def test_a_link_with_a_protected_name_may_lead_to_what_appears(model: Path, tmp_path: Path, pieces: str) -> None:
    source = tmp_path / "source"
    subprocess.run(["cp", "-a", str(model), str(source)], check=True)
    (source / ".bashrc").symlink_to("a/x")
    work, cache = known_before(source, tmp_path)
    with looking(pieces, cache, work) as (_, same):
        assert same()
        (work / "a" / "x").touch()
        assert not same()
