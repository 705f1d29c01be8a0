"""Mounts that would undo what the workspace holds."""

import shutil

import pytest

from .conftest import Cli


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
