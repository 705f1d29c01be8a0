"""A plan is used only while everything that it was made from is the same, and only if nobody else can have made it."""

import marshal
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aisbx.plan import recall

from .conftest import FRONT, NOT_LEAN, World


@pytest.fixture
def warm(world_of: Callable[[str], World]) -> World:
    world = world_of("lean")
    (world.home / ".config" / "aisbx" / "profiles").mkdir(parents=True)
    (world.home / ".config" / "aisbx" / "config.toml").write_text("[logs]\nkeep_output = 1000\n")
    world.warm()
    assert lean(world) == 0
    return world


def lean(world: World, *command: str, environ: dict[str, str] | None = None, cwd: Path | None = None) -> int:
    done = subprocess.run(
        world.lean("--", *(command or ("true",))),
        cwd=cwd or world.project,
        env={**world.environ, **(environ or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode


def the_plan(world: World) -> Path:
    (found,) = world.plans.glob("[0-9a-f]*")
    return found


def test_all_code_that_a_plan_carries_is_looked_at_again(warm: World) -> None:
    entry = marshal.loads(the_plan(warm).read_bytes())
    seen = {path for path, _, _ in entry["paths"]}
    assert {name for name, *_ in entry["code"]} >= {"aisbx_linux.protect.scan", "aisbx_linux.protect.undo"}
    unseen = [file for _, file, _, _ in entry["code"] if file not in seen and "-packages" not in file]
    assert not unseen


def configure(world: World) -> None:
    (world.home / ".config" / "aisbx" / "config.toml").write_text("driver = 'auto'\n")


def add_profile(world: World) -> None:
    (world.home / ".config" / "aisbx" / "profiles" / "base.yaml").write_text("description: mine\n")


def add_project_file(world: World) -> None:
    (world.project / "aisbx.toml").write_text("profile = 'base'\n")


def add_project_directory(world: World) -> None:
    (world.project / ".aisbx").mkdir()


def set_git_identity(world: World) -> None:
    (world.home / ".gitconfig").write_text("[user]\n\tname = Somebody\n")


def replace_workspace(world: World) -> None:
    world.project.rename(world.project.with_name("old"))
    world.project.mkdir()


CHANGES = [configure, add_profile, add_project_file, add_project_directory, set_git_identity, replace_workspace]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_of_what_it_was_made_from_makes_it_stale(warm: World, change: Callable[[World], None]) -> None:
    change(warm)
    assert lean(warm) == NOT_LEAN


@pytest.mark.parametrize("name", ["AISBX_PROFILE", "AISBX_LOGS__KEEP_OUTPUT", "XDG_CONFIG_HOME", "XDG_STATE_HOME"])
def test_a_variable_that_mattered_makes_it_stale(warm: World, name: str) -> None:
    assert lean(warm, environ={name: str(warm.home / "elsewhere")}) == NOT_LEAN


def test_another_directory_has_a_plan_of_its_own(warm: World) -> None:
    other = warm.project / "below"
    other.mkdir()
    assert lean(warm, cwd=other) == NOT_LEAN


def test_other_options_have_a_plan_of_their_own(warm: World) -> None:
    done = subprocess.run(
        warm.lean("-t", "5s", "--", "true"),
        cwd=warm.project,
        env=warm.environ,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == NOT_LEAN


def test_a_variable_for_the_command_is_neither_part_of_the_plan_nor_in_it(warm: World) -> None:
    secret = "a-value-that-must-not-be-kept"
    done = subprocess.run(
        warm.lean("-e", f"TOKEN={secret}", "--", "sh", "-c", "echo $TOKEN"),
        cwd=warm.project,
        env=warm.environ,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.decode().strip() == secret
    kept = [
        path for top in (warm.plans, warm.state) for path in top.rglob("*") if path.is_file() and path.suffix != ".log"
    ]
    assert kept
    assert not [path for path in kept if secret.encode() in path.read_bytes()]


def open_to_others(warm: World) -> None:
    the_plan(warm).chmod(0o644)


def directory_open_to_others(warm: World) -> None:
    warm.plans.chmod(0o755)


def a_link_in_its_place(warm: World) -> None:
    plan = the_plan(warm)
    plan.rename(warm.home / "moved")
    plan.symlink_to(warm.home / "moved")


def a_link_for_the_directory(warm: World) -> None:
    warm.plans.rename(warm.home / "plans")
    warm.plans.symlink_to(warm.home / "plans")


def a_second_name(warm: World) -> None:
    os.link(the_plan(warm), warm.home / "other-name")


def cut_short(warm: World) -> None:
    plan = the_plan(warm)
    plan.write_bytes(plan.read_bytes()[:-100])


def not_a_plan(warm: World) -> None:
    the_plan(warm).write_bytes(marshal.dumps({"format": 1}))


def another_plan_under_its_name(warm: World) -> None:
    plan = the_plan(warm)
    entry = marshal.loads(plan.read_bytes())
    entry["name"] = "0" * 32
    plan.write_bytes(marshal.dumps(entry))


def a_fifo(warm: World) -> None:
    plan = the_plan(warm)
    plan.unlink()
    os.mkfifo(plan, 0o600)


POISON = [
    open_to_others,
    directory_open_to_others,
    a_link_in_its_place,
    a_link_for_the_directory,
    a_second_name,
    cut_short,
    not_a_plan,
    another_plan_under_its_name,
    a_fifo,
]


@pytest.mark.parametrize("poison", POISON, ids=lambda poison: poison.__name__)
def test_a_plan_that_others_could_have_made_or_that_is_damaged_is_not_used(
    warm: World, poison: Callable[[World], None]
) -> None:
    poison(warm)
    assert lean(warm) == NOT_LEAN


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away; nobody else can make one for another")
def test_a_plan_of_another_user_is_not_used(warm: World) -> None:
    os.chown(the_plan(warm), 1, 1)
    assert lean(warm) == NOT_LEAN


def test_both_ways_record_the_same(world_of: Callable[[str], World]) -> None:
    world = world_of("full")
    options = ("-t", "20s", "--output", "10k")
    for argv in (world.full(*options, "--", "echo", "hi"), world.lean(*options, "--", "echo", "hi")):
        done = subprocess.run(argv, cwd=world.project, env=world.environ, capture_output=True, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (0, b"hi\n"), done.stderr
    full, short = world.records()
    for record in (full, short):
        for varying in ("time", "run", "duration", "usage", "seq", "mac"):
            assert record.pop(varying)
    assert full == short


def test_only_the_newest_plans_are_kept(warm: World) -> None:
    kept = 400 if FRONT.exists() else 200  # with a native form beside each
    for number in range(kept + 30):
        old = warm.plans / f"{number:032d}"
        old.write_bytes(b"")
        os.utime(old, (number, number))
    newest = the_plan_of(warm)
    warm.warm("-t", "7s")
    left = list(warm.plans.iterdir())
    assert len(left) == kept
    assert newest in left
    assert lean(warm) == 0


def the_plan_of(world: World) -> Path:
    return max(world.plans.glob("[0-9a-f]*"), key=lambda path: path.stat().st_mtime)


def _cache(world: World, place: str) -> Path:
    """Give a cache directory: beside the workspace, in it, or by a link that leads into it."""
    if place == "beside":
        return world.home / "other"
    inside = world.project / ".cache"
    if place == "in":
        return inside
    link = world.home / "link"
    link.symlink_to(inside)
    return link


@pytest.mark.parametrize("options", [(), ("-w", "{}"), ("-w", "{}:rw")])
@pytest.mark.parametrize("place", ["beside", "in", "linked"])
def test_a_plan_that_a_command_could_have_written_is_not_used(
    world_of: Callable[[str], World], place: str, options: tuple[str, ...]
) -> None:
    world = world_of("lean")
    options = tuple(option.format(world.project) for option in options)
    world.warm(*options)
    [kept] = world.plans.glob("[0-9a-f]*")
    cache = _cache(world, place)
    environ = {**world.environ, "XDG_CACHE_HOME": str(cache)}
    entry = marshal.loads(kept.read_bytes())
    known = {name.encode(): value.encode() for name, value in environ.items()}
    entry["environment"] = recall.environment_digest(known, entry["variables"], entry["prefixes"])
    plans = (world.project / ".cache" if place == "linked" else cache) / "aisbx" / "plans"
    plans.mkdir(parents=True)
    plans.chmod(0o700)
    (plans / kept.name).touch(0o600)
    (plans / kept.name).write_bytes(marshal.dumps(entry))
    done = subprocess.run(
        world.lean(*options, "--", "true"), cwd=world.project, env=environ, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == (0 if place == "beside" else NOT_LEAN), done.stderr


@pytest.mark.parametrize("name", ["PATH", "VIRTUAL_ENV"])
def test_two_environments_each_keep_their_plan(world_of: Callable[[str], World], name: str) -> None:
    one = world_of("lean")
    other = replace(one, environ={**one.environ, name: "/opt/none:/usr/local/bin:/usr/bin:/bin"})
    for world in (one, other):
        world.warm()
    assert len(list(one.plans.glob("[0-9a-f]*"))) == 2
    for world in (one, other, one):
        assert world.execute(world.lean("--", "true")).returncode == 0
