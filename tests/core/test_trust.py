import fcntl
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from aisbx import repository, trust
from aisbx.errors import StateError, TrustError
from aisbx.repository import RepositoryInput

from tests.core.world import World


def project_input(world: World) -> RepositoryInput:
    found = repository.read(str(world.project), world.inputs())
    assert found is not None
    return found


def trusted(world: World) -> bool:
    return trust.is_trusted(project_input(world), world.inputs())


@pytest.fixture
def accepted(world: World) -> World:
    world.write(world.project / "aisbx.toml", 'profile = "base"\n')
    world.write(world.project / ".aisbx/profiles/mine.yaml", "extends: base\n")
    world.write(world.project / ".aisbx/notes/a.txt", "note")
    (world.project / ".aisbx/link").symlink_to("notes/a.txt")
    assert not trusted(world)
    trust.trust(str(world.project), world.inputs())
    assert trusted(world)
    return world


CHANGES: list[Callable[[Path], object]] = [
    lambda project: (project / "aisbx.toml").write_text('profile = "basf"\n'),
    lambda project: (project / "aisbx.toml").unlink(),
    lambda project: (project / "aisbx.toml").chmod(0o755),
    lambda project: (project / ".aisbx/profiles/mine.yaml").write_text("extends: basf\n"),
    lambda project: (project / ".aisbx/profiles/more.yaml").write_text(""),
    lambda project: (project / ".aisbx/profiles/mine.yaml").rename(project / ".aisbx/profiles/minf.yaml"),
    lambda project: (project / ".aisbx/notes/a.txt").unlink(),
    lambda project: (project / ".aisbx/empty").mkdir(),
    lambda project: (project / ".aisbx/notes").chmod(0o700),
    lambda project: ((project / ".aisbx/link").unlink(), (project / ".aisbx/link").symlink_to("notes/b.txt")),
    lambda project: ((project / ".aisbx/link").unlink(), (project / ".aisbx/link").write_text("notes/a.txt")),
]


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_of_content_names_modes_or_links_takes_trust_back(
    change: Callable[[Path], object], accepted: World
) -> None:
    change(accepted.project)
    assert not trusted(accepted)


def test_trust_comes_back_with_the_content_it_was_given_to(accepted: World) -> None:
    file = accepted.project / "aisbx.toml"
    before = file.read_text()
    file.write_text("")
    assert not trusted(accepted)
    file.write_text(before)
    assert trusted(accepted)


def test_other_files_of_the_project_do_not_matter(accepted: World) -> None:
    (accepted.project / "main.py").write_text("print()")
    assert trusted(accepted)


def test_the_same_content_elsewhere_is_not_trusted(accepted: World) -> None:
    copy = accepted.project.with_name("copy")
    accepted.project.rename(copy)
    found = repository.read(str(copy), accepted.inputs())
    assert found is not None
    assert not trust.is_trusted(found, accepted.inputs())


def test_bytes_moved_between_name_mode_and_content_give_another_hash(world: World) -> None:
    hashes: set[str] = set()
    for name, content in (("a", "644b"), ("a644", "b")):
        file = world.write(world.project / f".aisbx/{name}", content, 0o644)
        hashes.add(project_input(world).sha256)
        file.unlink()
    assert len(hashes) == 2


def test_trust_can_be_taken_back(accepted: World) -> None:
    assert trust.projects(accepted.inputs()).keys() == {str(accepted.project)}
    assert trust.distrust(str(accepted.project), accepted.inputs())
    assert not trusted(accepted)
    assert not trust.distrust(str(accepted.project), accepted.inputs())


def test_without_repository_input_there_is_nothing_to_trust(world: World) -> None:
    assert repository.read(str(world.project), world.inputs()) is None
    with pytest.raises(TrustError, match=r"neither aisbx.toml nor .aisbx/"):
        trust.trust(str(world.project), world.inputs())


@pytest.mark.parametrize("name", ["aisbx.toml", ".aisbx"])
@pytest.mark.parametrize("target", ["elsewhere", "/etc/passwd", "nowhere"])
def test_a_link_in_place_of_the_input_is_refused(name: str, target: str, world: World) -> None:
    world.write(world.project / "elsewhere", "x")
    (world.project / name).symlink_to(target)
    with pytest.raises(TrustError, match="not a plain"):
        project_input(world)


def test_a_link_inside_is_hashed_as_text_and_never_read(world: World) -> None:
    world.write(world.project / "secret.yaml", "extends: base")
    (world.project / ".aisbx/profiles").mkdir(parents=True)
    (world.project / ".aisbx/profiles/x.yaml").symlink_to(world.project / "secret.yaml")
    assert project_input(world).files == {}


def test_a_fifo_in_the_folder_is_refused_and_does_not_hang(world: World) -> None:
    (world.project / ".aisbx").mkdir()
    os.mkfifo(world.project / ".aisbx/pipe")
    with pytest.raises(TrustError, match="not a plain"):
        project_input(world)


def many(folder: Path) -> None:
    for number in range(repository.MOST + 1):
        (folder / f"{number:04}").write_text("")


def large(folder: Path) -> None:
    (folder / "large").write_bytes(b"x" * (repository.LARGEST + 1))


def deep(folder: Path) -> None:
    (folder / "/".join("d" * (repository.DEEPEST + 2))).mkdir(parents=True)


@pytest.mark.parametrize("fill", [many, large, deep])
def test_a_folder_that_is_too_much_to_hash_is_refused(fill: Callable[[Path], None], world: World) -> None:
    folder = world.project / ".aisbx"
    folder.mkdir()
    fill(folder)
    with pytest.raises(TrustError):
        project_input(world)


def test_everything_that_was_hashed_is_noted(world: World) -> None:
    world.write(world.project / ".aisbx/profiles/mine.yaml", "extends: base\n")
    inputs = world.inputs()
    repository.read(str(world.project), inputs)
    noted = {path for path, _, _ in inputs.paths}
    names = ("aisbx.toml", ".aisbx", ".aisbx/profiles", ".aisbx/profiles/mine.yaml")
    assert {str(world.project / name) for name in names} <= noted


def test_the_record_is_for_the_owner_only(accepted: World) -> None:
    file = accepted.home / ".local/state/aisbx/trust.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        "[" * 100_000,
        '{"version": 2, "projects": {}}',
        '{"version": 1, "projects": []}',
        '{"version": 1, "projects": {"/x": {"sha256": 7, "time": 0}}}',
    ],
)
def test_a_damaged_record_is_an_error_and_never_trust(content: str, accepted: World) -> None:
    (accepted.home / ".local/state/aisbx/trust.json").write_text(content)
    with pytest.raises(StateError, match=r"trust.json"):
        trusted(accepted)


def test_a_record_that_others_could_have_written_is_an_error_and_never_trust(accepted: World) -> None:
    (accepted.home / ".local/state/aisbx/trust.json").chmod(0o666)
    with pytest.raises(StateError, match="written by everybody"):
        trusted(accepted)


def test_a_name_that_is_not_utf8_can_be_trusted(world: World) -> None:
    odd = Path(os.fsdecode(os.fsencode(world.project) + b"\xff"))
    world.write(odd / "aisbx.toml", "")
    trust.trust(str(odd), world.inputs())
    found = repository.read(str(odd), world.inputs())
    assert found is not None
    assert trust.is_trusted(found, world.inputs())


def test_of_two_that_trust_at_once_both_count(world: World) -> None:
    for name in ("first", "second"):
        world.write(world.project / name / "aisbx.toml", "")
    trust.trust(str(world.project / "first"), world.inputs())
    program = "import sys; from aisbx import trust; from aisbx.inputs import Inputs; trust.trust(sys.argv[1], Inputs())"
    environ = {**os.environ, "HOME": str(world.home)} | dict.fromkeys(("XDG_STATE_HOME", "XDG_CONFIG_HOME"), "")
    with (world.home / ".local/state/aisbx/trust.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        other = subprocess.Popen([sys.executable, "-c", program, str(world.project / "second")], env=environ)
        with pytest.raises(
            subprocess.TimeoutExpired
        ):  # it waits for its turn instead of reading what is about to change
            other.wait(3)
    assert other.wait(60) == 0
    assert trust.projects(world.inputs()).keys() == {str(world.project / name) for name in ("first", "second")}
    assert json.loads((world.home / ".local/state/aisbx/trust.json").read_text())["version"] == 1
