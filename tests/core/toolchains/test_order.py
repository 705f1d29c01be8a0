"""Which Python is found where there are several, and what of the host is shown for it."""

from pathlib import Path

import pytest
from aisbx.errors import ProfileError
from aisbx.toolchains import BIN, discover, python

from tests.core.toolchains.pythons import find, forbid_processes, install, sources, stale, venv
from tests.core.world import World


@pytest.fixture(autouse=True)
def nothing_is_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_processes(monkeypatch)


def pyenv(world: World, version: str) -> Path:
    return install(world.home / ".pyenv/versions" / version, ".".join(version.split(".")[:2]))


def uv(world: World, version: str) -> Path:
    import os

    name = f"cpython-{version}-linux-{os.uname().machine}-gnu"
    return install(world.home / ".local/share/uv/python" / name, ".".join(version.split(".")[:2]))


@pytest.fixture
def system(world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system without a `python`, only `python3`."""
    directory = world.home.parent / "usr/bin"
    world.write(directory / "python3", "", 0o755)
    monkeypatch.setattr(python, "SYSTEM_PATH", (str(directory),))
    return directory


def test_every_source_in_its_turn(world: World, system: Path) -> None:
    assert sources(find(world)) == []
    newest = uv(world, "3.13.1")
    uv(world, "3.9.20")
    assert sources(find(world)) == [str(newest)]
    chosen = pyenv(world, "3.11.7")
    world.write(world.home / ".pyenv/version", "3.11.7\n")
    assert sources(find(world)) == [str(chosen)]
    local = pyenv(world, "3.10.13")
    world.write(world.project / ".python-version", "3.10.13\n")
    assert sources(find(world)) == [str(local)]
    world.environ["PYENV_VERSION"] = "3.11.7"
    assert sources(find(world)) == [str(chosen)]
    base = install(world.home / "opt/python")
    mine = venv(world.home / "venvs/mine", base / "bin")
    world.environ["VIRTUAL_ENV"] = str(mine)
    assert sources(find(world)) == [str(mine), str(base)]
    venv(world.project / "venv", local / "bin")
    assert sources(find(world)) == [str(local)]
    hidden = venv(world.project / ".venv", chosen / "bin")
    found = find(world)
    assert sources(found) == [str(chosen)]
    assert found.path == (str(hidden / "bin"),)
    assert found.environment == {"VIRTUAL_ENV": str(hidden)}
    assert system.exists()


def test_both_names_are_in_reach_where_the_system_has_only_python3(world: World, system: Path) -> None:
    found = find(world)
    assert found.links == {f"{BIN}/python": f"{system}/python3"}
    assert BIN in found.path


def test_nothing_of_usr_is_mounted_because_it_is_there_already(world: World) -> None:
    world.environ["PYENV_VERSION"] = "system"
    assert sources(find(world)) == []


def test_system_as_a_version_skips_pyenv_and_uv(world: World, system: Path) -> None:
    pyenv(world, "3.11.7")
    uv(world, "3.13.1")
    world.write(world.project / ".python-version", "system\n")
    assert sources(find(world)) == []
    assert system.exists()


def test_only_the_prefix_is_shown_never_pyenv_itself(world: World) -> None:
    chosen = pyenv(world, "3.11.7")
    pyenv(world, "3.12.1")
    world.write(world.home / ".pyenv/version", "3.11.7")
    found = find(world)
    assert sources(found) == [str(chosen)]
    assert found.path == (str(chosen / "bin"),)


@pytest.mark.parametrize(
    ("asked", "found"),
    [("3.11", "3.11.10"), ("3", "3.12.1"), ("3.11.7", "3.11.7"), ("3.12.1\n# old\n3.11.7", "3.12.1")],
)
def test_a_version_is_the_newest_that_fits_as_in_pyenv(asked: str, found: str, world: World) -> None:
    for version in ("3.11.7", "3.11.10", "3.11.9", "3.12.1"):
        pyenv(world, version)
    world.write(world.project / ".python-version", asked)
    assert sources(find(world)) == [str(world.home / ".pyenv/versions" / found)]


def test_a_version_that_only_uv_has_is_uvs(world: World) -> None:
    pyenv(world, "3.11.7")
    chosen = uv(world, "3.12.8")
    uv(world, "3.13.1")
    world.write(world.project / ".python-version", "3.12")
    assert sources(find(world)) == [str(chosen)]


def test_pyenvs_own_version_file_may_be_a_link_into_the_users_dotfiles(world: World) -> None:
    chosen = pyenv(world, "3.11.7")
    world.write(world.home / "dotfiles/version", "3.11.7\n")
    (world.home / ".pyenv/version").symlink_to(world.home / "dotfiles/version")
    assert sources(find(world)) == [str(chosen)]


def test_other_places_of_pyenv_and_uv_are_honoured(world: World) -> None:
    world.environ |= {"PYENV_ROOT": str(world.home / "p"), "UV_PYTHON_INSTALL_DIR": str(world.home / "u")}
    (world.home / ".pyenv").mkdir()
    chosen = install(world.home / "p/versions/3.11.7", "3.11")
    world.write(world.home / "p/version", "3.11.7")
    assert sources(find(world)) == [str(chosen)]


def test_a_version_that_is_not_installed_is_an_error_not_another_python(world: World, system: Path) -> None:
    pyenv(world, "3.11.7")
    file = world.write(world.project / ".python-version", "3.9\n")
    with pytest.raises(ProfileError, match=r"asks for Python 3.9, which neither pyenv nor uv has") as caught:
        find(world)
    assert caught.value.file == str(file)
    assert system.exists()


def test_where_nothing_is_found_the_error_says_where_it_looked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python, "SYSTEM_PATH", (str(world.home / "nowhere"),))
    with pytest.raises(ProfileError, match=r"\.venv.*VIRTUAL_ENV.*\.pyenv.*uv.*nowhere"):
        find(world)


def test_a_stale_virtual_env_is_an_error_not_another_python(world: World) -> None:
    world.environ["VIRTUAL_ENV"] = str(world.home / "gone")
    with pytest.raises(ProfileError, match="is not a virtual environment"):
        find(world)


def test_a_pyenv_virtualenv_brings_the_python_it_was_made_from(world: World) -> None:
    base = pyenv(world, "3.11.7")
    mine = venv(base / "envs/mine", base / "bin")
    (world.home / ".pyenv/versions/mine").symlink_to(mine)
    world.environ["PYENV_VERSION"] = "mine"
    assert sources(find(world)) == [str(mine), str(base)]


def test_links_on_the_way_to_the_interpreter_exist_inside_too(world: World) -> None:
    base = uv(world, "3.12.8")
    alias = base.with_name(base.name.replace("3.12.8", "3.12"))
    alias.symlink_to(base.name)
    (world.home / ".local/bin").mkdir(parents=True)
    handy = world.home / ".local/bin/python3.12"
    handy.symlink_to(alias / "bin/python3.12")
    venv(world.project / ".venv", alias / "bin", handy)
    found = find(world)
    assert sources(found) == [str(base)]
    assert found.links == {str(alias): base.name, str(handy): str(alias / "bin/python3.12")}


def test_a_venv_of_copies_needs_its_base_too(world: World) -> None:
    base = pyenv(world, "3.11.7")
    mine = venv(world.project / ".venv", base / "bin")
    (mine / "bin/python").unlink()
    world.write(mine / "bin/python", "", 0o755)
    assert sources(find(world)) == [str(base)]


def test_without_a_workspace_only_the_users_own_pythons_count(world: World) -> None:
    base = pyenv(world, "3.11.7")
    world.write(world.home / ".pyenv/version", "3.11.7")
    venv(world.project / ".venv", install(world.home / "opt/python") / "bin")
    assert sources(find(world, workspace=False)) == [str(base)]


def test_whatever_appears_or_changes_later_makes_a_plan_stale(world: World, system: Path) -> None:
    base = pyenv(world, "3.11.7")

    def check(change: object) -> None:
        inputs = world.inputs()
        find(world, inputs)
        assert not stale(inputs)
        change()  # type: ignore[operator]  # pyright: ignore[reportCallIssue]
        assert stale(inputs), change

    check(lambda: world.write(world.home / ".pyenv/version", "3.11.7"))
    check(lambda: world.write(world.project / ".python-version", "3.11.7"))
    check(lambda: venv(world.project / "venv", base / "bin"))
    check(lambda: venv(world.project / ".venv", base / "bin"))
    check(lambda: world.write(world.project / ".venv/pyvenv.cfg", f"home = {base}/bin\n# changed\n"))
    check(lambda: (base / "bin/python3.11").write_text("other"))
    check(lambda: ((world.project / ".venv/bin/python").unlink(), (world.project / ".venv/bin/python").symlink_to("x")))
    assert system.exists()


def test_a_link_on_the_way_that_changes_makes_a_plan_stale_though_it_leads_to_the_same(world: World) -> None:
    base = install(world.home / "opt/python")
    alias = world.home / "alias"
    alias.symlink_to(base)
    venv(world.project / ".venv", alias / "bin", base / "bin/python3")
    inputs = world.inputs()
    assert find(world, inputs).links == {str(alias): str(base)}
    assert not stale(inputs)
    alias.unlink()
    alias.symlink_to("opt/python")
    assert stale(inputs)


def test_a_newer_python_of_uvs_makes_a_plan_stale(world: World) -> None:
    uv(world, "3.12.8")
    inputs = world.inputs()
    find(world, inputs)
    assert not stale(inputs)
    uv(world, "3.13.1")
    assert stale(inputs)


@pytest.mark.parametrize(
    "name", ["VIRTUAL_ENV", "PYENV_VERSION", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"]
)
def test_every_variable_that_decides_is_recorded(name: str, world: World, system: Path) -> None:
    inputs = world.inputs()
    find(world, inputs)
    assert name in inputs.environ
    assert system.exists()


def test_a_toolchain_that_is_unknown_is_an_error(world: World) -> None:
    with pytest.raises(ProfileError, match="no toolchain 'cobol'"):
        discover(["cobol"], None, world.environ, world.inputs())


def test_no_toolchain_asked_for_is_nothing(world: World) -> None:
    assert discover([], None, world.environ, world.inputs()).mounts == ()
