"""What is put back in a configuration leaves every other byte as it was found."""

import time

import pytest
from aisbx_linux.protect.gitconfig import parse
from aisbx_linux.protect.keys import allowed
from aisbx_linux.protect.reconcile import reconcile
from hypothesis import given, settings

from tests.linux.protect.conftest import Lab
from tests.linux.protect.test_gitconfig import LINES, TEXT

# As people write it: comments, blanks, tabs, an order of their own, a section that comes twice.
USERS = """\
# Mine: do not touch.
[core]
\trepositoryformatversion = 0
    bare = false   ; not bare
\teditor = "vi -c 'set tw=72'" # quoted
[alias]
\tlg = log --graph --oneline \\
\t     --decorate

\t# the best one
\tst = status -sb
[user]
\tname = T

[core]
\tpager = less -F
[remote "origin"]
\turl = https://example.org/x.git
\tfetch = +refs/heads/*:refs/remotes/origin/*
\tuploadpack = /opt/git/upload-pack
"""

# What happens inside, and what it leaves of the user's text: nothing but what may be written is seen afterwards.
CHANGES = {
    "a key is added to a section": ("git config core.fsmonitor /e", ""),
    "a section is added": ("git config filter.f.clean /e; git config filter.f.smudge /e", ""),
    "a value is changed": ("git config alias.st '!evil'", ""),
    "the first of a section is changed": ("git config alias.lg '!evil'", ""),
    "a key is removed": ("git config --unset core.editor", ""),
    "a section is removed": ("git config --remove-section alias", "-# the best one"),
    "a line is added to a section's head": ("echo '[core] FsMonitor = /e' >> .git/config", ""),
    "a section is put first": ("(echo '[alias]'; echo 'x = !e'; cat .git/config) > c; cp c .git/config", ""),
    "the order of two is changed": ("git config --unset alias.lg; git config alias.lg 'log --graph'", ""),
    "a section is added beside a remote": (
        "git config core.sshCommand /e; git remote add o /o; git config core.hooksPath /h",
        "git remote add o /o",
    ),
    "a branch is tracked": (
        "git config branch.main.remote origin; git config alias.x '!e'; git config branch.main.merge refs/heads/main",
        "git config branch.main.remote origin; git config branch.main.merge refs/heads/main",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_only_what_may_not_be_written_is_undone(lab: Lab, change: str) -> None:
    attack, honest = CHANGES[change]
    found: list[str] = []
    for script in (attack, honest):
        lab.fresh()
        assert lab.host("git init -q .").returncode == 0
        (lab.workspace / ".git" / "config").write_text(USERS)
        ran = lab.run(script if not script.startswith("-") else "true")
        assert ran.code == 0, ran.output
        assert [line.partition(" (")[0] for line in ran.lines] == ["restored .git/config"] * (script is attack)
        found.append((lab.workspace / ".git" / "config").read_text())
    kept = found[1]
    if honest.startswith("-"):  # git itself removes the comments of a section that it removes
        kept = "".join(line for line in kept.splitlines(keepends=True) if honest[1:] not in line and line != "\n")
        found[0] = "".join(line for line in found[0].splitlines(keepends=True) if line != "\n")
    assert found[0] == kept


@pytest.mark.parametrize("text", [USERS, USERS.rstrip("\n"), USERS.replace("\n", "\r\n"), "\ufeff" + USERS])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pager = less -F", "pager = evil"),
        ("\tuploadpack = /opt/git/upload-pack", ""),
        ("[user]", '[filter "f"]\n\tclean = evil\n[user]'),
        ("[user]", '[filter "f"] clean = evil\n[user]'),
        ("[user]", "[user][alias] x = !evil\n[user]"),
        ("st = status -sb", "st = status -sb\n\tx = !evil"),
    ],
)
def test_every_way_to_end_a_line_is_left_as_it_is(text: str, old: str, new: str) -> None:
    before = text.encode()
    result = reconcile(before, before.replace(old.encode(), new.encode()), allowed)
    assert result is not None
    assert parse(result[0]) == parse(before)
    for line in before.splitlines():
        assert line.strip() in result[0]


@settings(max_examples=400, deadline=None)
@given(before=TEXT | LINES.map("".join), now=TEXT | LINES.map("".join))
def test_whatever_the_texts_the_result_says_what_it_has_to(before: str, now: str) -> None:
    result = reconcile(before.encode(), now.encode(), allowed)
    was, found = parse(before.encode()), parse(now.encode())
    if found is None:
        assert before == now or result == (before.encode(), [])
        return
    entries = found if result is None else parse(result[0])
    assert entries is not None
    if not all("." in name for name, _ in was or []):
        return  # git would not take the text that was there before
    assert [entry for entry in entries if not allowed(*entry)] == [e for e in was or [] if not allowed(*e)]
    assert [entry for entry in entries if allowed(*entry)] == [entry for entry in found if allowed(*entry)]


def test_a_section_under_another_name_is_put_back_and_its_comments_stay() -> None:
    result = reconcile(USERS.encode(), USERS.replace("[alias]", "[pager]").encode(), allowed)
    assert result is not None
    assert sorted(result[0].decode().splitlines()) == sorted(USERS.splitlines())


def test_a_text_of_a_million_entries_takes_no_longer_than_reading_it() -> None:
    before = ("[core]\n" + "pager = x\n" * 2_000).encode()
    for now in ("[a]\n" + "b\n" * 500_000, "[a]b\n" * 200_000, "[core]\n" + "pager = y\n" * 100_000):
        start = time.monotonic()
        parse(now.encode())
        reading = time.monotonic() - start
        result = reconcile(before, now.encode(), allowed)
        assert result is not None
        assert parse(result[0]) == parse(before)
        assert time.monotonic() - start < 20 * reading + 1
