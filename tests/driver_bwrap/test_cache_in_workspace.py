"""What aisbx keeps, in a place where a command can have written it: none of it is read, and nothing is made there."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import World

EVIL = "tabnanny"
"""A module that nothing here imports by itself; the poisoned table makes it every plugin and its distribution."""


def poisoned(world: World, cache: Path) -> None:
    """Let an honest run keep its results, and put them into `cache` with another table of plugins."""
    world.warm()
    known = cache / "aisbx" / "known"
    known.mkdir(parents=True)
    tables = 0
    for file in (world.home / ".cache" / "aisbx" / "known").iterdir():
        entry = json.loads(file.read_text())
        if isinstance(entry["result"], list):
            tables += 1
            entry["result"] = [[kind, name, EVIL, "1", EVIL] for kind, name, *_ in entry["result"]]
        (known / file.name).write_text(json.dumps(entry))
        (known / file.name).chmod(0o600)
    assert tables == 1
    for directory in (known, cache / "aisbx", cache):
        directory.chmod(0o700)


def told(world: World, cache: Path, *arguments: str) -> tuple[int, str]:
    """Give exit code and all that `aisbx ARGUMENTS` says with that cache."""
    done = subprocess.run(
        [*world.full()[:-1], *arguments],
        cwd=world.project,
        env={**world.environ, "XDG_CACHE_HOME": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("place", ["in", "linked"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--", "true"),
        ("run", "--dry-run", "--", "true"),
        ("doctor",),
        ("profile", "show", "base"),
        ("plugin", "list"),
    ],
)
def test_a_table_of_plugins_that_a_command_could_have_written_is_not_read(
    world_of: Callable[[str], World], place: str, arguments: tuple[str, ...]
) -> None:
    world = world_of("full")
    cache = world.project / ".cache"
    poisoned(world, cache)
    if place == "linked":
        link = world.home / "link"
        link.symlink_to(cache)
        cache = link
    code, said = told(world, cache, *arguments)
    assert EVIL not in said, "the host loads what a command named"
    if arguments[0] == "run":
        assert (code, said.startswith("aisbx: workspace: ")) == (125, True), said


def test_the_same_table_beside_the_workspace_is_read(world_of: Callable[[str], World]) -> None:
    """The attack works: what is not looked for in the workspace is looked for elsewhere."""
    world = world_of("full")
    cache = world.home / "other"
    poisoned(world, cache)
    code, said = told(world, cache, "run", "--", "true")
    assert code == 125
    assert f"{EVIL} has no hook" in said, "it was imported"


@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"])
@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--json",)])
def test_a_run_that_is_refused_for_its_workspace_makes_nothing_there(
    world_of: Callable[[str], World], variable: str, options: tuple[str, ...]
) -> None:
    world = world_of("full")
    before = sorted(world.project.rglob("*"))
    done = subprocess.run(
        world.full(*options, "--", "true"),
        cwd=world.project,
        env={**world.environ, variable: str(world.project / "xdg")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 125, done.stderr
    assert "aisbx's own" in done.stderr + done.stdout
    assert sorted(world.project.rglob("*")) == before
    made = sorted(path.name for path in world.home.rglob("aisbx"))
    assert made in ([], ["aisbx", "aisbx"]), "no more than the log and its key, elsewhere"
    assert bool(made) is (variable == "XDG_CACHE_HOME" and options != ("--dry-run",))
    if made and not options:
        assert json.loads((world.state / "audit.jsonl").read_text())["error"]["code"] == "workspace"


def test_the_log_is_not_written_through_a_link_that_a_command_put_there(world_of: Callable[[str], World]) -> None:
    world = world_of("full")
    victim = world.home / "victim"
    (victim / "aisbx").mkdir(parents=True, mode=0o700)
    (world.project / "state").symlink_to(victim)
    done = subprocess.run(
        world.full("--", "true"),
        cwd=world.project,
        env={**world.environ, "XDG_STATE_HOME": str(world.project / "state")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not list((victim / "aisbx").iterdir())
    assert done.returncode == 125, done.stderr
    assert "holds a link that leads to aisbx's own" in done.stderr
