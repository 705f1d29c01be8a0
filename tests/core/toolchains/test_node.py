"""Which Node.js is found, by the layouts of those who install it (recorded), and what of the host is shown for it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from aisbx.errors import ProfileError
from aisbx.toolchains import installed

from tests.core.toolchains.installs import NODE, find, install, mounted
from tests.core.toolchains.pythons import forbid_processes, stale
from tests.core.world import World


@pytest.fixture(autouse=True)
def nothing_is_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_processes(monkeypatch)


@pytest.fixture(autouse=True)
def system(world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system whose own directories hold no Node.js yet."""
    directory = world.home.parent / "usr/bin"
    directory.mkdir(parents=True)
    monkeypatch.setattr(installed, "SYSTEM_PATH", (str(directory),))
    return directory


def nvm(world: World, version: str) -> Path:
    return install(world.home / ".nvm/versions/node" / f"v{version}", NODE)


def fnm(world: World, version: str) -> Path:
    return install(world.home / ".local/share/fnm/node-versions" / f"v{version}" / "installation", NODE)


def volta(world: World, version: str) -> Path:
    return install(world.home / ".volta/tools/image/node" / version, NODE)


def nodenv(world: World, version: str) -> Path:
    return install(world.home / ".nodenv/versions" / version, NODE)


def asdf(world: World, version: str) -> Path:
    return install(world.home / ".asdf/installs/nodejs" / version, NODE)


def mise(world: World, version: str) -> Path:
    return install(world.home / ".local/share/mise/installs/node" / version, NODE)


Install = Callable[[World, str], Path]
ALL = [nvm, fnm, volta, nodenv, asdf, mise]


@pytest.mark.parametrize("manager", ALL)
def test_a_managers_newest_is_found_and_nothing_else_of_it_is_shown(manager: Install, world: World) -> None:
    manager(world, "9.11.2")
    newest = manager(world, "20.11.0")
    found = find(world, "node")
    assert mounted(found) == [str(newest)]
    assert found.path == (f"{newest}/bin",)
    assert found.offline == {"npm_config_offline": "true"}


@pytest.mark.parametrize("manager", ALL)
@pytest.mark.parametrize(("file", "text"), [(".nvmrc", "v18\n"), (".node-version", "18.20"), (".tool-versions", "")])
def test_a_version_file_of_the_workspace_selects_among_what_is_installed(
    file: str, text: str, manager: Install, world: World
) -> None:
    manager(world, "20.11.0")
    manager(world, "18.2.0")
    chosen = manager(world, "18.20.3")
    world.write(world.project / file, text or "python 3.12.1\nnodejs 18.20.3 # LTS\n")
    assert mounted(find(world, "node")) == [str(chosen)]


def test_a_version_file_asks_for_what_nobody_installed(world: World) -> None:
    nvm(world, "20.11.0")
    world.write(world.project / ".nvmrc", "16")
    with pytest.raises(ProfileError, match=r"Node.js 16, which is not installed \(nvm\)") as caught:
        find(world, "node")
    assert caught.value.hint


def test_without_a_manager_a_version_file_is_only_a_wish(world: World, system: Path) -> None:
    world.write(world.project / ".nvmrc", "16")
    world.write(system / "node", "", 0o755)
    install(system.parent, NODE)
    assert mounted(find(world, "node")) == [str(system.parent)]


@pytest.mark.parametrize("word", ["../../x", "/etc", "..", "a b/..", "$(id)", "x" * 99, "lts/../../../.ssh"])
def test_a_version_file_never_becomes_a_path(word: str, world: World) -> None:
    nvm(world, "20.11.0")
    world.write(world.project / ".nvmrc", word)
    with pytest.raises(ProfileError, match=r"not a version's name|not installed"):
        find(world, "node")


def test_a_version_file_that_is_a_link_is_refused(world: World) -> None:
    nvm(world, "20.11.0")
    (world.project / ".nvmrc").symlink_to("/etc/passwd")
    with pytest.raises(ProfileError, match="cannot be read"):
        find(world, "node")


def test_the_managers_own_default_comes_before_its_newest(world: World) -> None:
    nvm(world, "22.1.0")
    chosen = nvm(world, "20.11.0")
    world.write(world.home / ".nvm/alias/default", "lts/*\n")
    world.write(world.home / ".nvm/alias/lts/*", "lts/iron\n")
    world.write(world.home / ".nvm/alias/lts/iron", "v20.11.0\n")
    assert mounted(find(world, "node")) == [str(chosen)]


def test_voltas_platform_and_fnms_default_are_read(world: World) -> None:
    volta(world, "22.1.0")
    chosen = volta(world, "20.11.0")
    world.write(world.home / ".volta/tools/user/platform.json", '{"node":{"runtime":"20.11.0","npm":null}}')
    assert mounted(find(world, "node")) == [str(chosen)]
    fnm(world, "22.1.0")
    other = fnm(world, "21.0.0")
    (world.home / ".local/share/fnm/aliases").mkdir()
    (world.home / ".local/share/fnm/aliases/default").symlink_to(other)
    assert mounted(find(world, "node")) == [str(other)]


def test_other_places_of_the_managers_are_honoured(world: World) -> None:
    world.environ["NVM_DIR"] = str(world.home / "n")
    chosen = install(world.home / "n/versions/node/v20.1.0", NODE)
    assert mounted(find(world, "node")) == [str(chosen)]


def test_the_one_on_path_comes_before_a_default(world: World) -> None:
    nvm(world, "22.1.0")
    chosen = nvm(world, "20.11.0")
    world.environ["PATH"] = f"{chosen}/bin:/usr/bin"
    assert mounted(find(world, "node")) == [str(chosen)]


def test_a_program_of_the_workspace_on_path_is_passed_over(world: World) -> None:
    chosen = nvm(world, "20.11.0")
    install(world.project / "node_modules", ("bin/node", "include/node/node.h"))
    world.environ["PATH"] = f"{world.project}/node_modules/bin:node_modules/bin:{chosen}/bin"
    assert mounted(find(world, "node")) == [str(chosen)]
    link = world.home / "bin/node"
    link.parent.mkdir()
    link.symlink_to(world.project / "node_modules/bin/node")
    world.environ["PATH"] = f"{link.parent}:{chosen}/bin"
    assert mounted(find(world, "node")) == [str(chosen)]


def test_the_stand_ins_of_managers_are_passed_over(world: World) -> None:
    chosen = volta(world, "20.11.0")
    world.write(world.home / ".volta/bin/volta-shim", "", 0o755)
    (world.home / ".volta/bin/node").symlink_to("volta-shim")
    world.write(world.home / ".asdf/shims/node", "#!/bin/sh\n", 0o755)
    world.environ["PATH"] = f"{world.home}/.volta/bin:{world.home}/.asdf/shims"
    assert mounted(find(world, "node")) == [str(chosen)]


@pytest.mark.parametrize("missing", ["include/node/node.h", "bin/node"])
def test_a_directory_without_the_landmarks_is_no_node(missing: str, world: World) -> None:
    where = install(world.home / "opt/node", NODE[:2])
    world.environ["PATH"] = f"{where}/bin"
    assert mounted(find(world, "node")) == [str(where)]
    (where / missing).unlink()
    with pytest.raises(ProfileError, match=r"not an installed node|no Node\.js was found"):
        find(world, "node")


def test_a_node_that_lies_in_the_home_itself_does_not_have_it_shown(world: World) -> None:
    install(world.home, NODE)
    world.environ["PATH"] = f"{world.home}/bin"
    with pytest.raises(ProfileError, match="is a home directory"):
        find(world, "node")


@pytest.mark.parametrize("part", ["opt", "opt/node", "opt/node/bin", "opt/node/bin/node"])
def test_a_node_that_others_can_write_at_any_level_is_refused(part: str, world: World) -> None:
    where = install(world.home / "opt/node", NODE)
    world.environ["PATH"] = f"{where}/bin"
    (world.home / part).chmod(0o777)
    with pytest.raises(ProfileError, match="written by everybody"):
        find(world, "node")


def test_what_npm_installed_globally_is_shown_and_no_token_of_its_settings(world: World) -> None:
    chosen = nvm(world, "20.11.0")
    world.write(world.home / ".npmrc", "//registry/:_authToken=secret\nprefix=${HOME}/.npm-global\n")
    world.write(world.home / ".npm-global/bin/tsc", "", 0o755)
    world.write(world.home / ".npm-global/lib/node_modules/typescript/package.json", "{}")
    install(world.home / ".npm-global", ())
    found = find(world, "node")
    assert mounted(found) == [
        str(chosen),
        str(world.home / ".npm-global/bin"),
        str(world.home / ".npm-global/lib/node_modules"),
    ]
    assert "secret" not in repr(found)


def test_a_prefix_that_is_a_home_or_the_workspace_shows_nothing(world: World) -> None:
    chosen = nvm(world, "20.11.0")
    for prefix in (world.project, Path("/usr")):
        world.environ["NPM_CONFIG_PREFIX"] = str(prefix)
        (world.project / "bin").mkdir(exist_ok=True)
        (world.project / "lib/node_modules").mkdir(parents=True, exist_ok=True)
        assert mounted(find(world, "node")) == [str(chosen)]


def test_no_node_at_all_says_where_it_was_looked_for(world: World) -> None:
    with pytest.raises(ProfileError, match=r"no Node\.js was found: not on PATH, with nvm") as caught:
        find(world, "node")
    assert caught.value.hint == "install nodejs"


def test_what_was_looked_at_tells_when_it_changes(world: World) -> None:
    from aisbx.toolchains import discover
    from aisbx.types import Workspace

    nvm(world, "20.11.0")
    inputs = world.inputs()
    discover(["node"], Workspace(str(world.project)), world.environ, inputs)
    assert not stale(inputs)
    world.write(world.project / ".nvmrc", "20")
    assert stale(inputs)
