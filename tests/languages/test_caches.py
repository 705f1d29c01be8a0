"""What a run leaves in its cache reaches later runs of the same project and profile, and no other."""

import os
import subprocess

import pytest

from .conftest import Project

POISON = "mkdir -p /var/cache/npm; echo poison > /var/cache/npm/planted"
LOOK = "cat /var/cache/npm/planted 2>/dev/null || echo clean"
KEEPERS = ["python-dev", "node-dev"]


@pytest.fixture(autouse=True)
def node_is_there(project: Project) -> None:
    """These tests are about caches: any Node.js will do, and a machine need not have one."""
    prefix = project.home / "node"
    for name in ("bin/node", "include/node/node.h"):
        (prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (prefix / name).write_text("#!/bin/sh\n")
        (prefix / name).chmod(0o755)
    project.environ["PATH"] = f"{prefix}/bin:{project.environ['PATH']}"


@pytest.mark.parametrize("profile", KEEPERS)
def test_a_cache_survives_the_run_that_filled_it(profile: str, project: Project) -> None:
    project.say(profile, "sh", "-c", POISON)
    assert project.say(profile, "sh", "-c", LOOK) == "poison\n"
    assert project.say(profile, "sh", "-c", 'echo "$XDG_CACHE_HOME"') == "/var/cache\n"


@pytest.mark.parametrize("profile", KEEPERS)
def test_no_project_can_poison_the_cache_of_another(profile: str, project: Project) -> None:
    project.say(profile, "sh", "-c", POISON)
    assert project.another("victim").say(profile, "sh", "-c", LOOK) == "clean\n"


def test_no_profile_can_poison_the_cache_of_another(project: Project) -> None:
    project.say("node-dev", "sh", "-c", POISON)
    for other in ("python-dev", "python-dev+node-dev"):
        assert project.say(other, "sh", "-c", LOOK) == "clean\n"


def test_a_project_that_takes_the_place_of_another_does_not_get_its_cache(project: Project) -> None:
    project.say("node-dev", "sh", "-c", POISON)
    project.directory.rename(project.directory.with_name("was"))
    project.directory.mkdir()
    assert project.say("node-dev", "sh", "-c", LOOK) == "clean\n"


def test_a_directory_inside_another_workspace_has_a_cache_of_its_own(project: Project) -> None:
    project.say("node-dev", "sh", "-c", POISON)
    inner = project.directory / "inner"
    inner.mkdir()
    assert Project(project.home, inner, project.environ).say("node-dev", "sh", "-c", LOOK) == "clean\n"


def test_other_caches_and_what_aisbx_keeps_beside_them_are_out_of_reach(project: Project) -> None:
    project.say("node-dev", "sh", "-c", POISON)
    script = 'ls -a /var/cache/..; ls -a "$0" 2>&1; find / -name planted -not -path "/proc/*" 2>/dev/null; true'
    beside = project.home / ".cache/aisbx"
    assert (beside / "projects").is_dir()
    said = project.another("victim").say("node-dev", "sh", "-c", script, str(beside))
    assert "planted" not in said
    assert "projects" not in said


def test_a_restriction_shares_the_cache_of_what_it_restricts(project: Project) -> None:
    project.say("node-dev", "sh", "-c", POISON)
    assert project.say("node-dev+offline", "sh", "-c", LOOK) == "poison\n"


@pytest.mark.parametrize("how", [("node-dev+readonly",), ("node-dev", "-w", ".:ro")])
def test_a_run_that_may_write_nothing_has_a_cache_of_its_own_for_that_run_alone(
    how: tuple[str, ...], project: Project
) -> None:
    project.say("node-dev", "sh", "-c", POISON)
    profile, *options = how
    script = f"{LOOK}; {POISON}; {LOOK}"
    assert project.say(profile, "sh", "-c", script.replace("planted", "new"), options=options) == "clean\npoison\n"
    assert project.say("node-dev", "sh", "-c", LOOK) == "poison\n"
    assert project.say("node-dev", "sh", "-c", LOOK.replace("planted", "new")) == "clean\n"


def test_a_base_profile_keeps_nothing(project: Project) -> None:
    assert project.run("base", "sh", "-c", POISON).returncode != 0


@pytest.mark.parametrize("profile", KEEPERS)
def test_what_is_in_a_cache_belongs_to_whoever_the_project_belongs_to(profile: str, project: Project) -> None:
    project.say(profile, "sh", "-c", POISON)
    (kept,) = (project.home / ".cache/aisbx/projects").iterdir()
    mine = project.directory.stat()
    assert {kept.stat().st_uid, (kept / "npm/planted").stat().st_uid} == {mine.st_uid}
    assert kept.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user has no projects of somebody else's")
def test_root_keeps_the_cache_of_somebody_elses_project_as_theirs(project: Project) -> None:
    os.chown(project.directory, 4242, 4242)
    project.say("node-dev", "sh", "-c", POISON)
    assert project.say("node-dev", "sh", "-c", LOOK) == "poison\n"
    (kept,) = (project.home / ".cache/aisbx/projects").iterdir()
    assert kept.stat().st_uid == (kept / "npm/planted").stat().st_uid == 4242


@pytest.mark.parametrize("planted", ["link", "file"])
def test_what_is_not_the_directory_that_was_made_is_refused(planted: str, project: Project) -> None:
    project.say("node-dev", "sh", "-c", POISON)
    (kept,) = (project.home / ".cache/aisbx/projects").iterdir()
    kept.rename(project.home / "elsewhere")
    if planted == "link":
        kept.symlink_to(project.home / "elsewhere")
    else:
        kept.write_text("")
    done = project.run("node-dev", "true")
    assert done.returncode == 125
    assert done.stderr.count("\n") == 1
    assert "is not the cache that aisbx made" in done.stderr


def test_a_cache_that_was_removed_is_made_anew(project: Project) -> None:
    project.say("node-dev", "sh", "-c", POISON)
    subprocess.run(["rm", "-rf", project.home / ".cache/aisbx/projects"], check=True)
    assert project.say("node-dev", "sh", "-c", LOOK) == "clean\n"


def test_another_mount_at_its_place_is_refused(project: Project) -> None:
    done = project.run("node-dev", "true", options=("--mount", f"{project.home}/node:/var/cache"))
    assert done.returncode == 125
    assert "/var/cache is mounted twice" in done.stderr
