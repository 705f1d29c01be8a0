"""Mounts that would undo what the workspace holds, and those that would leave something on the host."""

import os
import shutil
import subprocess

import pytest

from .conftest import Cli

PLANT = "find /again -type d -name hooks -exec touch {}/pre-push ';'"
# What the host is like, and what is mounted: {deep} holds {project}; {alias} is elsewhere.
ALIASES = {
    "a link to it": ("ln -s {project} {alias}", "{alias}"),
    "a link on the way to it": ("ln -s {deep} {alias}", "{alias}/project"),
    "a link on the way to a part of it": ("ln -s {deep} {alias}", "{alias}/project/.git"),
    "a link to what holds it": ("ln -s {deep} {alias}", "{alias}"),
    "a bind mount of it": ("mkdir {alias}; mount --bind {project} {alias}", "{alias}"),
    "a part of a bind mount of it": ("mkdir {alias}; mount --bind {project} {alias}", "{alias}/.git"),
    "a bind mount of a part of it": ("mkdir {alias}; mount --bind {project}/.git {alias}", "{alias}"),
    "a bind mount of what holds it": ("mkdir {alias}; mount --bind {deep} {alias}", "{alias}"),
    "what holds a bind mount of a part of it": (
        "mkdir -p {alias}/a; mount --bind {project}/.git {alias}/a",
        "{alias}",
    ),
    "what a bind mount in it shows": (
        "mkdir -p sub {alias}/.git/hooks; mount --bind {alias} sub",
        "{alias}",
    ),
}


def in_a_namespace(cli: Cli, setup: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run aisbx on a host with mounts of its own; an ordinary user becomes root of a user namespace for that."""
    words = ["unshare", "--mount", "--propagation", "private", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    return subprocess.run(
        [*words, "sh", "-ec", f'{setup}\nexec "$@"', "sh", *cli.argv(*arguments)],
        cwd=cli.project,
        env={**cli.env, "PATH": cli.env["PATH"] + ":/usr/sbin:/sbin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("alias", ALIASES)
def test_a_writable_mount_that_shows_the_workspace_by_another_name_is_refused(cli: Cli, alias: str) -> None:
    deep = cli.home / "deep"
    cli.project = deep / "project"
    (cli.project / ".git" / "hooks").mkdir(parents=True)
    places = {"deep": deep, "project": cli.project, "alias": cli.home / "alias"}
    setup, source = (text.format(**places) for text in ALIASES[alias])
    done = in_a_namespace(cli, setup, "run", "--mount", f"{source}:/again:rw", "--", "sh", "-c", PLANT)
    assert not list(cli.home.rglob("pre-push")), "it got past the protected files"
    assert done.returncode == 125, done.stdout + done.stderr
    assert "shows the workspace again" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_directory_beside_the_workspace_is_mounted_by_whatever_name(cli: Cli) -> None:
    (cli.home / "data").mkdir()
    (cli.home / "link").symlink_to(cli.home / "data")
    done = cli("run", "--mount", f"{cli.home}/link:/mnt/data:rw", "--", "touch", "/mnt/data/made")
    assert done.returncode == 0, done.stderr
    assert (cli.home / "data" / "made").exists()


@pytest.mark.parametrize("shown", [".", ".config/aisbx"], ids=["the home", "aisbx's own files"])
def test_a_link_does_not_show_what_no_sandbox_gets(cli: Cli, shown: str) -> None:
    cli.config.mkdir(parents=True)
    (cli.home / "link").symlink_to(cli.home / shown)
    line = cli.refused("run", "--mount", "../link:/mnt/x:rw", "--", "touch", "/mnt/x/made", code="usage")
    assert "your home" in line or "aisbx's own files" in line
    assert "/link (really " in line


def test_a_link_does_not_show_the_kernel_s_views(cli: Cli) -> None:
    (cli.home / "link").symlink_to("/proc")
    line = cli.refused("run", "--mount", "../link/sys:/mnt/x", "--", "ls", "/mnt/x", code="usage")
    assert "a view of the kernel's" in line


def test_a_source_that_is_not_there_is_refused_in_one_line(cli: Cli) -> None:
    line = cli.refused("run", "--mount", "missing:/mnt/x", "--", "true", code="usage")
    assert f"{cli.project}/missing cannot be mounted (the request): No such file or directory" in line
    (cli.project / "round").symlink_to("round")
    assert "symbolic links" in cli.refused("run", "--mount", "round/x:/mnt/x", "--", "true", code="usage")


@pytest.mark.parametrize("mode", ["rw", "ro"])
def test_a_mount_in_the_workspace_leaves_nothing_there(cli: Cli, mode: str) -> None:
    (cli.home / "data").mkdir()
    (cli.home / "data" / "file").write_text("seen")
    workspace, target = f"{cli.project}:{mode}", cli.project / "sub"
    line = cli.refused("run", "-w", workspace, "--mount", f"../data:{target}", "--", "true", code="usage")
    assert f"{target} is not there, and what is made there would stay; hint: make it yourself" in line
    assert not list(cli.project.iterdir())
    target.mkdir()
    assert cli("run", "-w", workspace, "--mount", f"../data:{target}", "--", "cat", "sub/file").stdout == "seen"
    assert list(cli.project.rglob("*")) == [target]


def test_a_mount_in_a_writable_mount_leaves_nothing_there_either(cli: Cli) -> None:
    for name in ("data", "more"):
        (cli.home / name).mkdir()
    mounts = ("--mount", "../data:/mnt/data:rw", "--mount", "../more:/mnt/data/deep/er")
    line = cli.refused("run", *mounts, "--", "true", code="usage")
    assert f"{cli.home}/data/deep is not there" in line
    assert not list((cli.home / "data").iterdir())


def test_a_link_that_a_run_puts_where_something_is_mounted_is_not_followed(cli: Cli) -> None:
    """The plan of the first run is kept; the link names the host as the tool sees it while it makes its mounts."""
    (cli.home / "data").mkdir()
    (cli.project / "a" / "sub").mkdir(parents=True)
    mount = ("--mount", f"../data:{cli.project}/a/sub")
    assert cli("run", *mount, "--", "true").returncode == 0
    for attack in (
        f"rmdir a/sub && ln -s /oldroot{cli.home}/made a/sub",
        f"rm a/sub && rmdir a && ln -s /oldroot{cli.home} a",
    ):
        assert cli("run", "--", "sh", "-c", attack).returncode == 0
        assert "is a link" in cli.refused("run", *mount, "--", "true", code="usage")
        assert not (cli.home / "made").exists()
        assert not (cli.home / "sub").exists()


def test_a_file_is_not_mounted_over_a_directory(cli: Cli) -> None:
    (cli.home / "data").mkdir()
    (cli.project / "file").touch()
    line = cli.refused("run", "--mount", f"../data:{cli.project}/file", "--", "true", code="usage")
    assert "one is a directory and one is not" in line


@pytest.mark.parametrize("shown", ["", ".git", ".."], ids=["the workspace", "a part of it", "what holds it"])
def test_a_writable_mount_that_shows_the_workspace_again_is_refused(cli: Cli, shown: str) -> None:
    project = cli.project / "inner"
    (project / ".git" / "hooks").mkdir(parents=True)
    source = (project / shown).resolve()
    attack = "find /again -type d -name hooks -exec touch {}/pre-push ';'"
    done = cli("run", "--mount", f"{source}:/again:rw", "--", "sh", "-c", attack, cwd=project)
    assert done.returncode == 125, done.stdout + done.stderr
    assert "shows the workspace again" in done.stderr
    assert not list(cli.project.rglob("pre-push"))


def test_a_read_only_mount_of_it_is_not(cli: Cli) -> None:
    (cli.project / "file").write_text("seen")
    assert cli("run", "--mount", f"{cli.project}:/again", "--", "cat", "/again/file").stdout == "seen"


@pytest.mark.parametrize("where", ["the workspace", "a mount"])
def test_a_bubblewrap_that_the_command_could_write_is_not_used(cli: Cli, where: str) -> None:
    """The settings may name one anywhere; the host executes it for the next run."""
    folder = cli.project if where == "the workspace" else cli.home / "build"
    folder.mkdir(exist_ok=True)
    tool = shutil.copy("/usr/bin/bwrap", folder / "bwrap")
    cli.config.mkdir(parents=True)
    (cli.config / "config.toml").write_text(f'[drivers.bwrap]\npath = "{tool}"\n')
    mount = [] if where == "the workspace" else ["--mount", f"{folder}:/mnt:rw"]
    line = cli.refused("run", *mount, "--", "touch", "here", code="driver-unavailable")
    assert f"the command could write {tool}" in line
    assert not (cli.project / "here").exists()
    reading = ["-w", f"{cli.project}:ro"] if where == "the workspace" else ["--mount", f"{folder}:/mnt"]
    assert cli("run", *reading, "--", "true").returncode == 0


SHOWN = {
    "the home": ("mkdir {alias}; mount --bind {home} {alias}; cd {alias}", ""),
    "a part of the home as the cache": ("mkdir -p c {home}/.cache; mount --bind c {home}/.cache", "aisbx's own"),
    "the state": (
        "mkdir -p {home}/.local/state {alias}; mount --bind {home}/.local/state {alias}; cd {alias}",
        "aisbx's own",
    ),
}


@pytest.mark.parametrize("shown", SHOWN)
def test_a_workspace_that_shows_by_another_name_what_no_sandbox_gets_is_refused(cli: Cli, shown: str) -> None:
    setup, why = SHOWN[shown]
    places = {"home": cli.home, "alias": cli.home.parent / "alias"}
    done = in_a_namespace(cli, setup.format(**places), "run", "--", "touch", "inside")
    assert not list(cli.home.parent.rglob("inside"))
    assert done.returncode == 125, done.stdout + done.stderr
    assert done.stderr.startswith("aisbx: workspace: ")
    assert f"shows {why}" in done.stderr
    assert "by another name" in done.stderr


def test_a_workspace_that_is_a_bind_mount_of_a_project_is_a_workspace(cli: Cli) -> None:
    setup = f"mkdir {cli.home}/alias; mount --bind . {cli.home}/alias; cd {cli.home}/alias"
    done = in_a_namespace(cli, setup, "run", "--", "touch", "inside")
    assert not done.stderr.startswith("aisbx: workspace: "), done.stderr
    # A user namespace in which an ordinary user is root has no uid to spare for a sandbox.
    assert (cli.project / "inside").exists() == (os.geteuid() == 0), done.stderr
