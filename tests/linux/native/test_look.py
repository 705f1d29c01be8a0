"""The look at the workspace in C: it holds just where Python's comparison finds nothing."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aisbx_linux.protect.remember import packed, store
from aisbx_linux.protect.scan import FORMAT, RACY, State, compare, parse, recall, scan
from aisbx_linux.protect.settle import settle

from .conftest import NATIVE, Ask

Same = Callable[[], bool]
_COMMIT = ("-c", "user.name=x", "-c", "user.email=x@example.org", "commit")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that is old enough to be believed."""
    work = tmp_path_factory.mktemp("model") / "work"
    (work / "a" / "b").mkdir(parents=True)
    (work / os.fsdecode(b"\xff\xc3\xbc") / "c").mkdir(parents=True)
    (work / "a" / ".envrc").write_text("x")
    (work / "a" / "plain").write_text("x")
    subprocess.run(["git", "init", "-q", str(work)], check=True)
    subprocess.run(["git", "-C", str(work), *_COMMIT, "-qm", "x", "--allow-empty"], check=True)
    subprocess.run(["mkfifo", str(work / "a" / "pipe")], check=True)
    time.sleep(RACY / 1e9 + 0.1)
    return work


@pytest.fixture
def known(model: Path, tmp_path: Path) -> Path:
    """What is known of it."""
    cache = tmp_path / "scan"
    scan(str(model), str(cache))
    return cache


@contextmanager
def looking(pieces: str, cache: Path, work: Path) -> Generator[tuple[str, Same]]:
    """Have C look: what it is to cover or "no", and a function that has it look again."""
    with subprocess.Popen(
        [pieces, "look", str(cache), str(work)],
        env={"ASAN_OPTIONS": "detect_leaks=0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        write, read = process.stdin, process.stdout

        def again() -> bool:
            write.write("\n")
            write.flush()
            return read.readline() == "same\n"

        yield read.readline().rstrip("\n"), again
    assert process.returncode == 0


def python(work: Path, cache: Path) -> bool:
    state = recall(str(work), str(cache))
    return state is not None and compare(state) is None


def test_an_unchanged_tree_is_known_and_covered_as_python_covers_it(known: Path, model: Path, ask: Ask) -> None:
    state = recall(str(model), str(known))
    assert state is not None
    kinds = ((0, state.pins), (1, state.mounts), (2, state.sockets))
    said = "".join(f"{kind} {path} " for kind, paths in kinds for path in paths).rstrip()
    assert state.mounts
    assert state.pins
    assert ask("look", known, model).rstrip() == said
    made = ask("look", known, model, state.pins[0])
    assert made.rstrip() == said.replace(f"0 {state.pins[0]} ", ""), "a pin of the plan's is not made again"


CHANGES = {
    "a directory appears": "mkdir a/b/new",
    "a protected name appears": "touch a/b/.bashrc",
    "one in capitals": "touch a/b/.BashRC",
    "one by its ending": "touch a/x.code-workspace",
    "one as a link": "ln -s plain a/.vscode",
    "one that may fold to another": "touch a/.v\u017fcode",
    "a socket": f"{sys.executable} -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"a/socket\")'",
    "what makes a directory look like a repository": "touch a/HEAD",
    "a file says where a repository is": "echo gitdir: b > a/b/.git",
    "a protected file goes": "rm a/.envrc",
    "one is a link now": "mv a/.envrc a/x; ln -s x a/.envrc",
    "an ignored file beside a link of a repository": "ln -s x .git/new",
    "hooks appear in a repository": "mv .git/hooks .git/x; mkdir .git/hooks",
    "a configuration appears in it": "touch .git/config.worktree",
    "a directory that is called so": "mkdir .git/Config",
    "a hook": "touch .git/hooks/post-commit",
    "a branch of a new group": "mkdir .git/refs/heads/x",
    "a directory that can't be read": "chmod 300 a",
    "a directory is moved away": "mv a c",
    "a directory is another": "mv a/b a/c; mkdir a/b",
    "a protected file is written in place": "echo y >> a/.envrc",
    "a configuration is written in place": "echo '[x]' >> .git/config",
    "a protected file gets another mode": "chmod 777 a/.envrc",
    "the user's configuration changes": "echo '[x]' >> ../gitconfig",
}


WORK = {
    "a file appears": "touch a/b/new",
    "a file goes": "rm a/plain",
    "a file is replaced": "cp a/plain a/x; mv a/x a/plain",
    "a link appears, another goes": "ln -s plain a/link",
    "a pipe goes": "rm a/pipe",
    "the work of git": f"git add -A && git {' '.join(_COMMIT)} -qm y",
    "a branch": "git branch other; git update-ref refs/heads/third HEAD; git pack-refs --all",
    "data in a repository": "mkdir .git/rr-cache .git/objects/ff",
}


def before(model: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Copy the model to a workspace of its own, known as if nothing of it were new; gives it and the cache."""
    work, cache = tmp_path / "work", tmp_path / "scan"
    subprocess.run(["cp", "-a", str(model), str(work)], check=True)
    (tmp_path / "gitconfig").write_text("")
    state = scan(str(work))
    # Known as if nothing of it were new: what a run must see is a change of the moment just after.
    state.cache = str(cache)
    for path, known in state.dirs.items():
        state.dirs[path] = (*known[:2], os.lstat(path).st_ctime_ns, known[3])
    state.files = {path: state.stamp(path) for path in state.files}
    state.others = {str(tmp_path / "gitconfig"): state.stamp(str(tmp_path / "gitconfig")), str(tmp_path / "none"): None}
    store(state)
    assert python(work, cache)
    return work, cache


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_it_sees_what_python_sees(change: str, model: Path, tmp_path: Path, pieces: str) -> None:
    work, cache = before(model, tmp_path)
    with looking(pieces, cache, work) as (covered, same):
        assert covered != "no"
        assert same()
        subprocess.run(["/bin/sh", "-ec", change], cwd=work, check=True)
        assert not python(work, cache)
        assert not same()
    with looking(pieces, cache, work) as (covered, _):
        assert covered == "no"


@pytest.mark.parametrize("change", WORK.values(), ids=WORK)
def test_ordinary_files_come_and_go(change: str, model: Path, tmp_path: Path, pieces: str) -> None:
    work, cache = before(model, tmp_path)
    with looking(pieces, cache, work) as (covered, same):
        subprocess.run(["/bin/sh", "-ec", change], cwd=work, check=True)
        assert same()
    with looking(pieces, cache, work) as (again, _):
        assert again == covered != "no"
    assert not python(work, cache), "the test does not test it"
    assert_finds_the_same(work, cache)


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
    *(".config", "node_modules", "commondir", "info", "logs", "modules", "Config", "git-rebase-todo"),
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
        work, cache = before(source, place)
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
    work, cache = before(source, tmp_path)
    with looking(pieces, cache, work) as (covered, same):
        assert covered != "no"
        assert same()
        (work / "tools" / "x").touch()
        assert not same()


def test_a_link_with_a_protected_name_may_lead_to_what_appears(model: Path, tmp_path: Path, pieces: str) -> None:
    source = tmp_path / "source"
    subprocess.run(["cp", "-a", str(model), str(source)], check=True)
    (source / ".bashrc").symlink_to("a/x")
    work, cache = before(source, tmp_path)
    with looking(pieces, cache, work) as (_, same):
        assert same()
        (work / "a" / "x").touch()
        assert not same()


def test_what_appears_where_there_was_none_and_what_a_link_leads_to_is_seen(
    model: Path, known: Path, tmp_path: Path, ask: Ask
) -> None:
    state = recall(str(model), str(known))
    assert state is not None
    outside, link = tmp_path / "outside", tmp_path / "link"
    outside.write_text("x")
    link.symlink_to("outside")
    state.others = {str(link): state.stamp(str(link)), str(tmp_path / "none"): None}
    store(state)
    assert ask("look", known, model) != "no"
    (tmp_path / "none").symlink_to("dangling")
    assert ask("look", known, model) != "no", "a link to nothing is as nothing, to Python as well"
    assert python(model, known)
    (tmp_path / "none").unlink()
    outside.write_text("longer")
    assert (python(model, known), ask("look", known, model)) == (False, "no")


def test_what_is_too_new_to_be_believed_is_not_known(tmp_path: Path, ask: Ask) -> None:
    work, cache = tmp_path / "work", tmp_path / "scan"
    work.mkdir()
    scan(str(work), str(cache))
    assert not python(work, cache)
    assert ask("look", cache, work) == "", "its entries are looked at"
    (work / ".envrc").touch()
    assert ask("look", cache, work) == "no"


def test_what_is_known_of_another_or_could_be_anybodys_is_not_used(known: Path, model: Path, ask: Ask) -> None:
    assert ask("look", known, model) != "no"
    assert ask("look", known, model / "a") == "no"
    for mode in (0o640, 0o602, 0o400):
        known.chmod(mode)
        assert (python(model, known), ask("look", known, model)) == (False, "no")
    known.chmod(0o600)
    known.rename(known.with_name("real"))
    known.symlink_to("real")
    assert (python(model, known), ask("look", known, model)) == (False, "no")
    known.unlink()
    os.mkfifo(known, 0o600)
    assert ask("look", known, model) == "no"


def test_a_workspace_that_a_link_stands_for_is_not_known(model: Path, known: Path, tmp_path: Path, ask: Ask) -> None:
    state = recall(str(model), str(known))
    assert state is not None
    state.workspace = str(tmp_path / "link")
    (tmp_path / "link").symlink_to(model)
    known.write_bytes(packed(state))
    assert (python(tmp_path / "link", known), ask("look", known, tmp_path / "link")) == (False, "no")


def test_a_damaged_file_breaks_nothing(known: Path, model: Path, ask: Ask) -> None:
    data = known.read_bytes()
    for cut in (0, 8, 112, len(data) // 2, len(data) - 1):
        assert parse(data[:cut], str(model), None) is None
    held = int(ask("fuzz", "look", known, 3000, "", model))
    assert 0 <= held < 3000


def test_both_sides_have_the_same_format() -> None:
    assert f"#define LOOK_FORMAT {FORMAT}\n" in (NATIVE / "look.h").read_text()


def test_python_reads_what_it_wrote(known: Path, model: Path) -> None:
    one, other = recall(str(model), str(known)), scan(str(model))
    assert one is not None
    one.unpack()
    assert [getattr(one, name) for name in ("dirs", *State.FOUND)] == [
        getattr(other, name) for name in ("dirs", *State.FOUND)
    ]
