import stat
import subprocess
import sys
from pathlib import Path

import pytest
from aisbx import project, settings, trust
from aisbx.errors import UsageError, WorkspaceError

from tests.core.world import World


@pytest.mark.parametrize(
    ("names", "kinds", "profile"),
    [
        (["pyproject.toml"], ("python",), "python-dev"),
        (["requirements.txt", "package.json"], ("python", "node"), "python-dev"),
        (["package.json"], ("node",), "node-dev"),
        (["go.mod"], ("go",), "go-dev"),
        (["Cargo.toml"], ("rust",), "rust-dev"),
        (["pom.xml"], ("java",), "java-dev"),
        (["build.gradle.kts"], ("java",), "java-dev"),
        (["Makefile"], ("shell",), "shell"),
        (["package.json", "Makefile"], ("node", "shell"), "node-dev"),
        (["run.py"], ("python",), "python-dev"),
        (["run.sh"], ("shell",), "shell"),
        (["Cargo.toml", "helper.py"], ("rust",), "rust-dev"),
        ([".hidden.py"], (), "base"),
        ([], (), "base"),
    ],
)
def test_a_project_is_known_by_its_files(
    names: list[str], kinds: tuple[str, ...], profile: str, tmp_path: Path
) -> None:
    for name in names:
        (tmp_path / name).write_text("not even valid")
    found = project.detect(str(tmp_path))
    assert (found.kinds, found.profile) == (kinds, profile)
    assert found.evidence.keys() == set(kinds)


def test_every_profile_that_is_suggested_comes_with_aisbx() -> None:
    import aisbx_profiles

    assert {*project.PROFILES.values(), "base"} <= aisbx_profiles.NAMES


def test_a_directory_that_cannot_be_listed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="cannot be listed"):
        project.detect(str(tmp_path / "no"))


def test_what_is_written_can_be_trusted_and_then_counts(world: World) -> None:
    path = project.write_aisbx_toml(str(world.project), "python-dev")
    assert stat.S_IMODE(Path(path).stat().st_mode) & 0o022 == 0
    trust.trust(str(world.project), world.inputs())
    assert settings.load(world.environ, str(world.project), world.inputs()).profile == "python-dev"


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "aisbx.toml").write_text("mine")
    with pytest.raises(UsageError, match="exists already") as caught:
        project.write_aisbx_toml(str(tmp_path), "base")
    assert "--force" in caught.value.hint
    assert (tmp_path / "aisbx.toml").read_text() == "mine"
    project.write_aisbx_toml(str(tmp_path), "base", force=True)
    assert 'profile = "base"' in (tmp_path / "aisbx.toml").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["aisbx.toml"]


@pytest.mark.parametrize("force", [False, True])
def test_a_planted_link_is_never_written_through(tmp_path: Path, *, force: bool) -> None:
    victim = tmp_path / "victim"
    (tmp_path / "project").mkdir()
    (tmp_path / "project/aisbx.toml").symlink_to(victim)
    if force:
        project.write_aisbx_toml(str(tmp_path / "project"), "base", force=True)
        assert not (tmp_path / "project/aisbx.toml").is_symlink()
    else:
        with pytest.raises(UsageError):
            project.write_aisbx_toml(str(tmp_path / "project"), "base")
    assert not victim.exists()


def test_a_disk_that_is_full_leaves_nothing_half_written(tmp_path: Path) -> None:
    # A limit of 0 bytes per file stands in for the full disk (setrlimit(2), EFBIG).
    program = """
import resource, signal, sys
from aisbx import project
from aisbx.errors import WorkspaceError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
for force in (False, True):
    try:
        project.write_aisbx_toml(sys.argv[1], "base", force=force)
    except WorkspaceError:
        continue
    sys.exit("written")
"""
    run = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False, timeout=60)
    assert run.returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("profile", ['base"\nlower = ["x"]', "a\\b", "x\n", 'x"'])
def test_a_profiles_name_cannot_become_another_setting(profile: str, world: World) -> None:
    with pytest.raises(UsageError, match="not a profile's name"):
        project.write_aisbx_toml(str(world.project), profile)
    assert list(world.project.iterdir()) == []


def test_a_directory_in_the_files_place_is_an_error_that_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "aisbx.toml/inner").mkdir(parents=True)
    with pytest.raises(WorkspaceError, match="cannot be written"):
        project.write_aisbx_toml(str(tmp_path), "base", force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["aisbx.toml"]


def test_names_that_are_composed_are_written_as_they_are(world: World) -> None:
    path = project.write_aisbx_toml(str(world.project), "python-dev+offline")
    assert 'profile = "python-dev+offline"\n' in Path(path).read_text()
