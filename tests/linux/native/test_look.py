"""The look at the workspace in C: it holds just where Python's comparison finds nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from aisbx_linux.protect.remember import packed, store
from aisbx_linux.protect.scan import FORMAT, State, parse, recall, scan

from .conftest import NATIVE, Ask
from .looks import known, known_before, looking, model, python

__all__ = ["known", "model"]


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
    "what git keeps for itself": "mkdir .git/rr-cache",
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


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_it_sees_what_python_sees(change: str, model: Path, tmp_path: Path, pieces: str) -> None:
    work, cache = known_before(model, tmp_path)
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
