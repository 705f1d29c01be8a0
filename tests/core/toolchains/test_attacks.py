"""A hostile repository tries to have a path of the host shown inside, or to have something executed outside."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from aisbx.errors import ProfileError
from aisbx.toolchains import trail

from tests.core.toolchains.pythons import find, forbid_processes, install, sources, venv
from tests.core.world import World


@pytest.fixture(autouse=True)
def nothing_is_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_processes(monkeypatch)


@pytest.fixture
def base(world: World) -> Path:
    return install(world.home / "opt/python")


def refused(world: World, match: str) -> None:
    with pytest.raises(ProfileError, match=match) as caught:
        find(world)
    assert "\n" not in caught.value.message


def test_the_honest_venv_is_accepted(world: World, base: Path) -> None:
    venv(world.project / ".venv", base / "bin")
    assert sources(find(world)) == [str(base)]


def test_home_cannot_name_a_directory_that_is_no_python(world: World) -> None:
    (world.home / ".ssh/bin").mkdir(parents=True)
    venv(world.project / ".venv", world.home / ".ssh/bin", "/usr/bin/python3")
    refused(world, "no python3 in")


def test_home_cannot_have_the_users_home_mounted_though_a_python_is_installed_in_it(world: World) -> None:
    install(world.home)
    venv(world.project / ".venv", world.home / "bin")
    refused(world, "is a home directory")


def test_home_cannot_have_a_directory_mounted_that_holds_aisbx_own_files(world: World) -> None:
    install(world.home / ".local")
    venv(world.project / ".venv", world.home / ".local/bin")
    refused(world, "may not be shown")


def test_home_cannot_name_the_workspace_or_what_contains_it(world: World) -> None:
    venv(world.project / ".venv", install(world.project / "python") / "bin")
    refused(world, "in the workspace")


def test_a_python_installed_around_the_workspace_is_not_shown(world: World) -> None:
    venv(world.project / ".venv", install(world.project.parent) / "bin")
    refused(world, "contains the workspace")


def test_a_python_without_its_library_is_none(world: World, base: Path) -> None:
    (base / "lib/python3.12/os.py").unlink()
    venv(world.project / ".venv", base / "bin")
    refused(world, "not an installed Python")


def test_a_planted_landmark_that_is_a_link_does_not_count(world: World, base: Path) -> None:
    (base / "lib/python3.12/os.py").unlink()
    (base / "lib/python3.12/os.py").symlink_to("/etc/passwd")
    venv(world.project / ".venv", base / "bin")
    refused(world, "not an installed Python")


@pytest.mark.parametrize("part", ["opt", "opt/python", "opt/python/bin", "opt/python/bin/python3.12"])
@pytest.mark.parametrize("mode", [0o777, 0o757])
def test_a_base_that_others_can_write_at_any_level_is_refused(part: str, mode: int, world: World, base: Path) -> None:
    venv(world.project / ".venv", base / "bin")
    (world.home / part).chmod(mode)
    refused(world, "written by everybody")


@pytest.mark.parametrize("part", ["opt", "opt/python", "opt/python/bin/python3.12", "opt/python/bin/python3"])
def test_a_base_of_somebody_elses_at_any_level_is_refused(part: str, world: World, base: Path) -> None:
    venv(world.project / ".venv", base / "bin")
    world.give_away(world.home / part)
    refused(world, "belongs to")


def test_the_users_own_virtual_env_is_checked_in_the_same_way(world: World, base: Path) -> None:
    mine = venv(world.home / "venvs/mine", base / "bin")
    world.environ["VIRTUAL_ENV"] = str(mine)
    assert sources(find(world)) == [str(mine), str(base)]
    (world.home / "venvs").chmod(0o777)
    refused(world, "written by everybody")


def test_a_pyenv_that_others_can_write_is_refused(world: World) -> None:
    install(world.home / ".pyenv/versions/3.12.1")
    world.write(world.home / ".pyenv/version", "3.12.1")
    assert find(world)
    (world.home / ".pyenv/versions").chmod(0o777)
    refused(world, "written by everybody")


@pytest.mark.parametrize("target", ["/etc/passwd", "/etc/shadow", "~/.ssh/id_ed25519"])
def test_an_interpreter_that_leads_to_any_other_file_is_refused(target: str, world: World, base: Path) -> None:
    secret = world.write(world.home / ".ssh/id_ed25519", "secret", 0o600)
    venv(world.project / ".venv", base / "bin", secret if target.startswith("~") else target)
    refused(world, "not an installed Python|Permission")


def test_an_interpreter_of_another_python_than_home_names_is_refused(world: World, base: Path) -> None:
    other = install(world.home / "opt/other")
    venv(world.project / ".venv", base / "bin", other / "bin/python3")
    refused(world, "its interpreter is in .*other, but pyvenv.cfg names")


def test_a_venv_that_is_a_link_out_of_the_workspace_is_refused(world: World, base: Path) -> None:
    outside = venv(world.home / "venvs/other", base / "bin")
    (world.project / ".venv").symlink_to(outside)
    with pytest.raises(ProfileError, match="leads out of the workspace") as caught:
        find(world)
    assert f"VIRTUAL_ENV={outside}" in caught.value.hint


def test_a_venv_that_is_a_link_within_the_workspace_is_accepted(world: World, base: Path) -> None:
    venv(world.project / "environments/dev", base / "bin")
    (world.project / ".venv").symlink_to("environments/dev")
    found = find(world)
    assert found.path == (str(world.project / "environments/dev/bin"),)
    assert found.links == {}


def as_link(file: Path) -> None:
    file.unlink()
    file.symlink_to("/etc/passwd")


def as_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def as_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def as_too_large(file: Path) -> None:
    file.write_bytes(b"#" * 100_000)


def as_binary(file: Path) -> None:
    file.write_bytes(b"home = /x\0y\n")


def as_relative(file: Path) -> None:
    file.write_text("home = ../../python/bin\n")


def as_empty(file: Path) -> None:
    file.write_text("")


SPOILED = [as_link, as_fifo, as_directory, as_too_large, as_binary, as_relative, as_empty]


@pytest.mark.parametrize("spoil", SPOILED)
def test_a_pyvenv_cfg_that_is_not_a_small_plain_file_with_an_absolute_home_is_refused(
    spoil: Callable[[Path], None], world: World, base: Path
) -> None:
    spoil(venv(world.project / ".venv", base / "bin") / "pyvenv.cfg")
    refused(world, "cannot be read|not a plain file|larger than|absolute|is missing")


def test_a_pyvenv_cfg_that_is_a_link_is_refused_though_it_would_lead_to_an_honest_one(world: World, base: Path) -> None:
    file = venv(world.project / ".venv", base / "bin") / "pyvenv.cfg"
    file.rename(world.home / "honest.cfg")
    file.symlink_to(world.home / "honest.cfg")
    refused(world, "cannot be read")


def test_a_python_version_that_is_a_link_is_refused_though_it_would_lead_to_an_honest_one(world: World) -> None:
    install(world.home / ".pyenv/versions/3.12.1")
    honest = world.write(world.home / "honest", "3.12.1")
    (world.project / ".python-version").symlink_to(honest)
    refused(world, "cannot be read")


@pytest.mark.parametrize(
    "text", ["../../../etc", "/etc", "3.12/../..", "..", ".", "a b", "x" * 100, "3.12\0", "$(id)", "~/x", "-c"]
)
def test_a_python_version_selects_by_name_and_never_becomes_a_path(text: str, world: World) -> None:
    install(world.home / ".pyenv/versions/3.12.1")
    world.write(world.project / ".python-version", text)
    refused(world, "not a version's name")


@pytest.mark.parametrize("spoil", [as_link, as_fifo, as_directory])
def test_a_python_version_that_is_no_plain_file_is_refused_and_does_not_hang(
    spoil: Callable[[Path], None], world: World
) -> None:
    spoil(world.write(world.project / ".python-version", "3.12"))
    refused(world, "cannot be read|not a plain file|not a version")


def test_a_loop_of_links_is_refused(world: World, base: Path) -> None:
    mine = venv(world.project / ".venv", base / "bin", world.project / ".venv/bin/python3")
    assert os.path.islink(mine / "bin/python")
    refused(world, "more than 40 links")


def test_as_many_links_as_the_kernel_follows_are_followed_and_not_one_more(world: World) -> None:
    (world.home / "link0").mkdir()
    for number in range(1, trail.MOST_LINKS + 2):
        (world.home / f"link{number}").symlink_to(world.home / f"link{number - 1}")
    last = str(world.home / f"link{trail.MOST_LINKS}")
    assert trail.follow(last, world.inputs()).real == os.path.realpath(last)
    os.stat(last)
    with pytest.raises(ProfileError, match="more than 40 links"):
        trail.follow(str(world.home / f"link{trail.MOST_LINKS + 1}"), world.inputs())
    with pytest.raises(OSError, match="symbolic links"):
        os.stat(world.home / f"link{trail.MOST_LINKS + 1}")


@pytest.mark.parametrize("way", ["/proc/self/root", "/proc/self/cwd", "/dev/fd/0"])
def test_a_way_through_the_kernels_own_links_is_refused(way: str, world: World, base: Path) -> None:
    venv(world.project / ".venv", base / "bin", f"{way}{base}/bin/python3")
    refused(world, "links are not what they seem")


def test_a_link_in_between_that_belongs_to_somebody_else_is_refused(world: World, base: Path) -> None:
    (world.home / "alias").symlink_to(base)
    venv(world.project / ".venv", world.home / "alias/bin")
    assert find(world).links == {str(world.home / "alias"): str(base)}
    world.give_away(world.home / "alias")
    refused(world, "belongs to")


def test_a_name_with_dots_is_resolved_as_the_kernel_does(world: World, base: Path) -> None:
    (world.home / "deep/er").mkdir(parents=True)
    (world.home / "link").symlink_to(world.home / "deep/er")
    # Lexically this is ~/opt; the kernel goes to ~/deep/opt.
    install(world.home / "deep/opt/python")
    found = trail.follow(f"{world.home}/link/../opt/python/bin", world.inputs())
    assert found.real == str(world.home / "deep/opt/python/bin")
    assert base.exists()


def test_what_lies_in_the_workspace_may_be_anybodys_because_the_sandbox_can_change_it_anyway(
    world: World, base: Path
) -> None:
    venv(world.project / ".venv", base / "bin")
    (world.project / ".venv").chmod(0o777)
    assert sources(find(world)) == [str(base)]
