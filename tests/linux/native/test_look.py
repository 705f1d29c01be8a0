"""The look at the workspace in C: it holds just where Python's comparison finds nothing."""

import os
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aisbx_linux.protect.remember import packed, store
from aisbx_linux.protect.scan import FORMAT, RACY, State, compare, parse, recall, scan

from .conftest import NATIVE, Ask

Same = Callable[[], bool]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that is old enough to be believed."""
    work = tmp_path_factory.mktemp("model") / "work"
    (work / "a" / "b").mkdir(parents=True)
    (work / os.fsdecode(b"\xff\xc3\xbc") / "c").mkdir(parents=True)
    (work / "a" / ".envrc").write_text("x")
    (work / "a" / "plain").write_text("x")
    subprocess.run(["git", "init", "-q", str(work)], check=True)
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
    "a file appears": "touch a/b/new",
    "a file goes": "rm a/plain",
    "a directory is moved away": "mv a c",
    "a directory is another": "mv a/b a/c; mkdir a/b",
    "a file is replaced": "cp a/plain a/x; mv a/x a/plain",
    "a protected file is written in place": "echo y >> a/.envrc",
    "a configuration is written in place": "echo '[x]' >> .git/config",
    "a protected file gets another mode": "chmod 777 a/.envrc",
    "the user's configuration changes": "echo '[x]' >> ../gitconfig",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_it_sees_what_python_sees(change: str, model: Path, tmp_path: Path, pieces: str) -> None:
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
    with looking(pieces, cache, work) as (covered, same):
        assert covered != "no"
        assert same()
        subprocess.run(["/bin/sh", "-ec", change], cwd=work, check=True)
        assert not python(work, cache)
        assert not same()
    with looking(pieces, cache, work) as (covered, _):
        assert covered == "no"


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
    assert (python(work, cache), ask("look", cache, work)) == (False, "no")


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
