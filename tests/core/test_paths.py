import os
import stat
from pathlib import Path

import pytest
from aisbx import paths
from aisbx.errors import ConfigError, StateError
from aisbx.inputs import Inputs

from tests.core.world import STRANGER, World


def test_directories_are_those_of_the_xdg_specification(world: World) -> None:
    inputs = world.inputs()
    assert paths.config_dir(inputs) == world.home / ".config/aisbx"
    assert paths.state_dir(inputs) == world.home / ".local/state/aisbx"
    assert paths.cache_dir(inputs) == world.home / ".cache/aisbx"
    assert {"HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"} <= inputs.environ.keys()


def test_xdg_variables_are_honoured_and_an_empty_one_counts_as_unset(world: World) -> None:
    world.environ |= {"XDG_CONFIG_HOME": "/elsewhere", "XDG_STATE_HOME": ""}
    assert paths.config_dir(world.inputs()) == Path("/elsewhere/aisbx")
    assert paths.state_dir(world.inputs()) == world.home / ".local/state/aisbx"


@pytest.mark.parametrize("variable", ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"])
def test_a_relative_xdg_value_is_refused_because_it_would_follow_the_current_directory(
    variable: str, world: World
) -> None:
    world.environ[variable] = "here"
    with pytest.raises(ConfigError, match=f"{variable}: 'here' is not an absolute path"):
        paths.own_dirs(world.inputs())


def test_a_relative_home_is_refused() -> None:
    with pytest.raises(ConfigError, match="HOME"):
        paths.home(Inputs({"HOME": "there"}))


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="accounts are POSIX")
def test_without_home_the_accounts_home_counts() -> None:
    import pwd

    assert str(paths.home(Inputs({}))) == pwd.getpwuid(os.geteuid()).pw_dir


def test_private_directories_are_made_for_the_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = paths.ensure_private(tmp_path / "a/b/aisbx")
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (made, made.parent, made.parent.parent)] == [0o700] * 3


def test_a_private_directory_that_others_may_enter_is_closed(tmp_path: Path) -> None:
    (tmp_path / "aisbx").mkdir(mode=0o755)
    paths.ensure_private(tmp_path / "aisbx")
    assert stat.S_IMODE((tmp_path / "aisbx").stat().st_mode) == 0o700


def test_a_link_in_place_of_a_private_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o755)
    (tmp_path / "aisbx").symlink_to("theirs")
    with pytest.raises(StateError, match="not a directory of its own"):
        paths.ensure_private(tmp_path / "aisbx")
    assert stat.S_IMODE((tmp_path / "theirs").stat().st_mode) == 0o755


def test_another_users_directory_is_refused_as_under_sudo_with_the_callers_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "aisbx").mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    with pytest.raises(StateError, match=f"not to you .uid {STRANGER}."):
        paths.ensure_private(tmp_path / "aisbx")


@pytest.mark.parametrize("link", ["", ".cache"])
def test_root_makes_nothing_in_another_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: str) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    if link:
        (home / ".cache").symlink_to(elsewhere)
    if os.geteuid() == 0:
        for path in home, *home.iterdir():
            os.chown(path, STRANGER, STRANGER, follow_symlinks=False)
    else:  # then whoever runs the tests is the other user
        monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(StateError, match=r"belongs to uid \d+, not to you"):
        paths.ensure_private(home / ".cache" / "aisbx")
    assert [path.name for path in home.iterdir()] == [link] * bool(link)
    assert not list(elsewhere.iterdir())


def test_a_place_that_cannot_be_made_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be made"):
        paths.ensure_private(tmp_path / "file/aisbx")


@pytest.mark.parametrize("mode", [0o666, 0o602])
def test_a_configuration_that_everybody_may_write_is_refused(mode: int, world: World) -> None:
    file = world.write(world.home / "file", "x", mode)
    with pytest.raises(ConfigError, match="can be written by everybody"):
        paths.read_own(file, world.inputs())


def test_a_configuration_that_belongs_to_somebody_else_is_refused(world: World) -> None:
    file = world.write(world.home / "file", "x")
    assert paths.read_own(file, world.inputs()) == b"x"
    world.give_away(file)
    with pytest.raises(ConfigError, match="belongs to"):
        paths.read_own(file, world.inputs())


def test_a_fifo_in_place_of_a_file_is_refused_and_does_not_hang(world: World) -> None:
    os.mkfifo(world.home / "file")
    with pytest.raises(ConfigError, match="not a plain file"):
        paths.read_own(world.home / "file", world.inputs())


def test_a_file_that_is_too_large_is_refused(world: World) -> None:
    with pytest.raises(ConfigError, match="larger than"):
        paths.read_own(world.write(world.home / "file", b"x" * (paths.LARGEST + 1)), world.inputs())


def test_an_absent_file_is_noted_and_is_none(world: World) -> None:
    inputs = world.inputs()
    assert paths.read_own(world.home / "no", inputs) is None
    assert (str(world.home / "no"), None, True) in inputs.paths


def test_writing_replaces_a_link_instead_of_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "file").symlink_to("victim")
    paths.write_own(tmp_path / "file", b"new")
    assert (tmp_path / "victim").read_text() == "precious"
    assert (tmp_path / "file").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "file").lstat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "victim"]
