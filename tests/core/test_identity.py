import os

import pytest
from aisbx import gitconfig
from aisbx.identity import identity

from tests.core.world import World


def test_run_by_root_the_inside_is_another_user_with_the_same_home(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    found = identity(world.environ, world.inputs())
    assert (found.name, found.uid, found.gid, found.home) == ("sandbox", 1000, 1000, str(world.home))


def test_others_keep_their_own_account(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    entry = pwd.struct_passwd(("me", "x", 4242, 4243, "", "/home/me", "/bin/sh"))

    def account(_uid: int) -> pwd.struct_passwd:
        return entry

    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    monkeypatch.setattr(os, "getegid", lambda: 4243)
    monkeypatch.setattr(pwd, "getpwuid", account)
    found = identity(world.environ, world.inputs())
    assert (found.name, found.uid, found.gid) == ("me", 4242, 4243)


def test_a_uid_without_an_account_is_called_sandbox(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 987654)
    assert identity(world.environ, world.inputs()).name == "sandbox"


def user(text: str, world: World) -> tuple[str, str]:
    world.write(world.home / ".gitconfig", text)
    return gitconfig.user(world.inputs())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[user]\n\tname = A B\n\temail = a@b.org\n", ("A B", "a@b.org")),
        ("[User]\nNAME=A\n[core]\nname = wrong\n[user]\nemail = x\n", ("A", "x")),
        ('[user]\nname = "A # B" ; comment\n', ("A # B", "")),
        ("[user]\nname = A # comment\n", ("A", "")),
        ('[user]\nname = " A " \n', (" A ", "")),
        ('[user]\nname = A \\"B\\" \\\\ C\n', ('A "B" \\ C', "")),
        ("[user]\nname = A\\\n B\n", ("A B", "")),
        ("[user] name = A\n", ("A", "")),
        ("[user]\r\nname = A\r\n", ("A", "")),
        ('[user "work"]\nname = wrong\n', ("", "")),
        ("[user]\nname = first\nname = last\n", ("last", "")),
        ("[user]\nname\n", ("", "")),
        ("[user]\nname = A\\nB\x1b[31m\x07\n", ("AB[31m", "")),
        (f"[user]\nname = {'x' * 5000}\n", ("x" * gitconfig.LONGEST, "")),
        ("[user", ("", "")),
        ("", ("", "")),
    ],
)
def test_name_and_email_are_read_as_git_reads_them(text: str, found: tuple[str, str], world: World) -> None:
    assert user(text, world) == found


def test_git_itself_reads_the_same(world: World) -> None:
    import subprocess

    text = '[user]\n\tname = "A # B" C ; x\n\temail = a@b.org # y\n[user]\nname = \\"Q\\"  R \n'
    mine = user(text, world)
    environ = {"HOME": str(world.home), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
    theirs = tuple(
        subprocess.run(
            ["git", "config", "--global", f"user.{key}"], env=environ, capture_output=True, text=True, check=True
        ).stdout.removesuffix("\n")
        for key in ("name", "email")
    )
    assert mine == theirs


def test_no_include_is_followed(world: World) -> None:
    other = world.write(world.home / "other", "[user]\nname = included\n")
    assert user(f"[include]\npath = {other}\n[user]\nemail = a@b\n", world) == ("", "a@b")


def test_the_home_file_wins_over_the_xdg_one_as_in_git(world: World) -> None:
    world.write(world.home / ".config/git/config", "[user]\nname = xdg\nemail = xdg@x\n")
    assert user("[user]\nname = home\n", world) == ("home", "xdg@x")


def test_git_config_global_replaces_both(world: World) -> None:
    world.environ["GIT_CONFIG_GLOBAL"] = str(world.write(world.home / "mine", "[user]\nname = mine\n"))
    assert user("[user]\nname = home\nemail = h@h\n", world) == ("mine", "")


def test_a_gitconfig_of_somebody_else_only_costs_the_name(world: World) -> None:
    file = world.write(world.home / ".gitconfig", "[user]\nname = evil\n", 0o666)
    assert gitconfig.user(world.inputs()) == ("", "")
    assert file.exists()


def test_what_was_looked_at_is_recorded(world: World) -> None:
    inputs = world.inputs()
    identity(world.environ, inputs)
    assert {str(world.home / ".gitconfig"), str(world.home / ".config/git/config")} <= {p for p, _, _ in inputs.paths}
    assert {"HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL"} <= inputs.environ.keys()
