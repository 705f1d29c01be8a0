"""The reader of git's configuration agrees with git, and what it lets through names no program."""

import os
import subprocess
from pathlib import Path

import pytest
from aisbx_linux.protect.gitconfig import parse, serialise
from aisbx_linux.protect.keys import allowed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PIECES = [
    "[core]",
    "[core",
    "]",
    '[a "b"]',
    '[a "b\\"c"]',
    "[x.Y]",
    "[x]",
    "fsmonitor",
    "Key-1",
    "k",
    "=",
    " = ",
    "e v",
    '"',
    "\\",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "#",
    ";",
    "\\\n",
    "\\n",
    "\\t",
    "\\q",
    " ",
    "true",
    "é",
    "\xef\xbb\xbf",
    "\v",
    ".",
    "1",
    '\\"',
    '[a "\\\\"]',
]
TEXT = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
LINES = st.lists(
    st.sampled_from(
        ["[core]\n", '[remote "o"]\n', "\turl = x\n", 'k = "a # b" ; c\n', "fsmonitor\n", "[a]b=c\n", "k = a\\\n  b\n"]
    )
)


def plain(entries: "list[tuple[str, str | None]]") -> "list[tuple[str, str | None]]":
    """Blanks inside a value are kept by git since 2.45 and were spaces before."""
    return [(name, value and value.replace("\t", " ").replace("\r", " ")) for name, value in entries]


def ask_git(path: Path) -> "list[tuple[str, str | None]] | None":
    done = subprocess.run(
        ["git", "config", "--no-includes", "-z", "--list", "-f", path],
        capture_output=True,
        env={"PATH": os.environ["PATH"]},
        check=False,
    )
    if done.returncode:
        return None
    entries: list[tuple[str, str | None]] = []
    for line in done.stdout.decode("latin-1").split("\0")[:-1]:
        name, newline, value = line.partition("\n")
        entries.append((name, value if newline else None))
    return entries


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXT | LINES.map("".join))
def test_git_reads_what_is_read_here_and_what_is_written_here(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_bytes(text.encode())
    ours, theirs = parse(text.encode()), ask_git(file)
    if theirs is None or ours is None:
        assert ours == theirs
        return
    assert plain(ours) == plain(theirs)
    if all("." in name for name, _ in ours):
        file.write_bytes(serialise(ours))
        assert ask_git(file) == ours == parse(serialise(ours))


@pytest.mark.parametrize(
    "name",
    [
        *(
            "core.fsmonitor",
            "core.hooksPath",
            "core.sshCommand",
            "core.pager",
            "core.editor",
            "core.askpass",
            "core.gitproxy",
        ),
        *("core.attributesfile", "core.excludesfile", "core.worktree", "core.alternaterefscommand", "sequence.editor"),
        *(
            "alias.st",
            "filter.f.clean",
            "filter.f.smudge",
            "filter.f.process",
            "diff.external",
            "diff.d.command",
            "diff.d.textconv",
        ),
        *("merge.m.driver", "mergetool.t.cmd", "difftool.t.cmd", "credential.helper", "credential.https://h.helper"),
        *("include.path", "includeif.gitdir:/.path", "gpg.program", "gpg.ssh.program", "gpg.ssh.defaultkeycommand"),
        *(
            "remote.o.uploadpack",
            "remote.o.receivepack",
            "remote.o.vcs",
            "remote.o.proxy",
            "url.x.insteadof",
            "url.x.pushinsteadof",
        ),
        *("http.proxy", "http.sslverify", "http.https://h.extraheader", "protocol.ext.allow", "protocol.allow"),
        *(
            "uploadpack.packobjectshook",
            "sendemail.smtpserver",
            "browser.b.cmd",
            "man.m.cmd",
            "web.browser",
            "init.templatedir",
        ),
        *(
            "pager.log",
            "interactive.difffilter",
            "gc.recentobjectshook",
            "lfs.customtransfer.x.path",
            "lfs.extension.x.clean",
        ),
        *(
            "trailer.t.command",
            "trailer.t.cmd",
            "tar.tar.gz.command",
            "instaweb.httpd",
            "guitool.x.cmd",
            "submodule.s.update",
        ),
        *(
            "branch.b.mergeoptions",
            "pull.twohead",
            "receive.procreceiverefs",
            "imap.tunnel",
            "safe.directory",
            "hook.x.command",
        ),
        *("blame.ignorerevsfile", "commit.template", "diff.orderfile", "fsck.skiplist", "unknown.key", "core", ""),
    ],
)
def test_the_inside_may_not_write(name: str) -> None:
    assert not allowed(name.lower(), "!evil")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("remote.origin.url", "https://example.org/x.git"),
        ("remote.origin.url", "git@example.org:x/y.git"),
        ("remote.origin.url", "ssh://[::1]/x"),
        ("remote.origin.url", "/srv/a::b"),
        ("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"),
        ("branch.a.b.merge", "refs/heads/a.b"),
        ("branch.main.remote", "."),
        ("user.email", "x@example.org"),
        ("core.bare", "false"),
        ("extensions.worktreeconfig", "true"),
        ("submodule.part.update", "rebase"),
    ],
)
def test_the_inside_may_write(name: str, value: str) -> None:
    assert allowed(name, value)


@pytest.mark.parametrize(
    "url", ["ext::sh -c evil", "ext::", "fd::17", "-oProxyCommand=evil", "hg::x", "gcrypt::rsync://x"]
)
def test_an_address_that_runs_a_program_may_not_be_written(url: str) -> None:
    for key in ("remote.o.url", "remote.o.pushurl", "branch.main.remote", "branch.main.pushremote"):
        assert not allowed(key, url)
