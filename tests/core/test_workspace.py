import os
from collections.abc import Callable
from pathlib import Path

import pytest
from aisbx import places, workspace
from aisbx.errors import AisbxError, PolicyError, WorkspaceError
from aisbx.types import Profile, RunRequest, Workspace, WorkspaceMode, WorkspaceRequest

from tests.core.world import World

BASE = Profile(name="base")


def choose(world: World, path: str | Path, mode: WorkspaceMode | None = None, profile: Profile = BASE) -> Workspace:
    request = RunRequest(command=("true",), cwd=str(world.project), workspace=WorkspaceRequest(str(path), mode))
    return workspace.choose(request, profile, world.inputs())


def test_the_current_directory_is_the_workspace(world: World) -> None:
    found = workspace.choose(RunRequest(command=("true",), cwd=str(world.project)), BASE, world.inputs())
    assert found == Workspace(str(world.project), WorkspaceMode.RW)


def test_a_named_directory_counts_from_the_current_one(world: World) -> None:
    (world.project / "sub").mkdir()
    assert choose(world, "sub").path == str(world.project / "sub")
    assert choose(world, "..").path == str(world.project.parent)


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("/", "root of the file system"),
        ("//", "root of the file system"),
        ("/proc/self/root", "root of the file system"),
        ("/etc", "system's"),
        ("/etc/ssl", "system's /etc"),
        ("/usr", "system's"),
        ("/usr/lib", "system's /usr"),
        ("/usr/src", "system's /usr"),
        ("/bin", "system's"),
        ("/proc", "system's"),
        ("/proc/self", "system's /proc"),
        ("/sys", "system's"),
        ("/dev", "system's"),
        ("/dev/shm", "system's /dev"),
        ("/run", "system's"),
        ("/var", "system's|contains the home"),
        ("/var/lib", "system's /var|contains the home"),
        ("/boot", "system's"),
        ("/tmp", "shared|contains the home"),
        ("/opt", "shared"),
    ],
)
def test_a_place_of_the_systems_is_refused(place: str, why: str, world: World) -> None:
    with pytest.raises(WorkspaceError, match=why) as caught:
        choose(world, place)
    assert "--workspace" in caught.value.hint


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("", "is a home directory"),
        ("..", "contains the home directory"),
        (".ssh", "keys and logins"),
        (".ssh/inner", "keys and logins"),
        (".config", "keys and logins"),
        (".config/aisbx", "keys and logins"),
        (".local/share", "keys and logins"),
    ],
)
def test_the_home_what_contains_it_and_its_secrets_are_refused(where: str, why: str, world: World) -> None:
    (world.home / where).mkdir(parents=True, exist_ok=True)
    with pytest.raises(WorkspaceError, match=why):
        choose(world, world.home / where)


def test_every_accounts_home_is_refused_not_only_the_callers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    theirs = world.project.parent / "theirs"
    (theirs / "project").mkdir(parents=True)
    assert choose(world, theirs)
    entry = pwd.struct_passwd(("eve", "x", 4242, 4242, "", str(theirs), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwall", lambda: [entry])
    with pytest.raises(WorkspaceError, match="is a home directory"):
        choose(world, theirs)
    with pytest.raises(WorkspaceError, match="contains the home directory"):
        choose(world, theirs.parent)
    assert choose(world, theirs / "project")


@pytest.mark.parametrize("variable", ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"])
@pytest.mark.parametrize("where", ["base", "base/aisbx", "base/aisbx/deep", "."])
def test_what_contains_or_lies_in_aisbx_own_directories_is_refused(variable: str, where: str, world: World) -> None:
    place = world.project / where
    place.mkdir(parents=True, exist_ok=True)
    assert choose(world, place)
    world.environ[variable] = str(world.project / "base")
    with pytest.raises(WorkspaceError, match="aisbx's own"):
        choose(world, place)


def test_a_link_to_a_forbidden_place_is_refused_under_its_real_name(world: World) -> None:
    (world.project / "innocent").symlink_to(world.home)
    with pytest.raises(WorkspaceError, match=rf"innocent \(really {world.home}\)"):
        choose(world, "innocent")


def test_own_directories_are_recognised_behind_links(world: World) -> None:
    (world.project / "data").mkdir()
    (world.home / "link").symlink_to(world.project / "data")
    world.environ["XDG_STATE_HOME"] = str(world.home / "link")
    with pytest.raises(WorkspaceError, match="aisbx's own"):
        choose(world, world.project)


def test_the_real_path_is_the_workspace_and_the_links_on_the_way_are_noted(world: World) -> None:
    link = world.home / "link"
    link.symlink_to(world.project.parent)
    inputs = world.inputs()
    request = RunRequest(command=("true",), cwd="/", workspace=WorkspaceRequest(str(link / "project")))
    assert workspace.choose(request, BASE, inputs).path == str(world.project)
    assert str(link) in {path for path, _, _ in inputs.paths}


def test_the_workspace_itself_is_not_noted_because_every_run_changes_it(world: World) -> None:
    inputs = world.inputs()
    workspace.choose(RunRequest(command=("true",), cwd=str(world.project)), BASE, inputs)
    assert str(world.project) not in {path for path, _, _ in inputs.paths}


@pytest.mark.parametrize("place", ["/usr/src/app", "/var/www/site", "/usr/local/src/x", "/var/tmp/x", "/srv/x"])
def test_places_below_the_systems_where_people_work_are_accepted(place: str, world: World) -> None:
    assert places.forbidden(place, world.inputs()) == ""


def test_a_project_below_the_users_own_home_in_var_is_accepted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    monkeypatch.setattr(pwd, "getpwall", list[pwd.struct_passwd])
    world.environ["HOME"] = "/var/home/me"
    assert places.forbidden("/var/home/me/project", world.inputs()) == ""
    assert places.forbidden("/var/home/me", world.inputs()) == "is a home directory"
    assert places.forbidden("/var/home/other/project", world.inputs()) == "lies in the system's /var"


def nothing(path: Path) -> None:
    del path


def a_file(path: Path) -> None:
    path.write_text("")


def a_loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make", [nothing, a_file, a_loop, os.mkfifo])
def test_what_is_no_directory_is_refused(make: Callable[[Path], None], world: World) -> None:
    make(world.project / "x")
    with pytest.raises(WorkspaceError):
        choose(world, "x")


def test_a_nul_byte_in_the_path_is_refused(world: World) -> None:
    with pytest.raises(WorkspaceError, match="NUL"):
        choose(world, "x\0y")


def test_the_request_decides_the_mode_then_the_profile_then_rw(world: World) -> None:
    careful = Profile(name="careful", workspace_mode=WorkspaceMode.COW)
    assert choose(world, ".", WorkspaceMode.RO, careful).mode is WorkspaceMode.RO
    assert choose(world, ".", WorkspaceMode.RW, careful).mode is WorkspaceMode.RW
    assert choose(world, ".", None, careful).mode is WorkspaceMode.COW
    assert choose(world, ".").mode is WorkspaceMode.RW


@pytest.mark.parametrize("asked", [WorkspaceMode.COW, WorkspaceMode.GUARDED, WorkspaceMode.RW])
def test_no_request_goes_beyond_the_mode_of_a_restriction(asked: WorkspaceMode, world: World) -> None:
    readonly = Profile(name="readonly", restriction=True, workspace_mode=WorkspaceMode.RO)
    profile = Profile(name="base+readonly", workspace_mode=WorkspaceMode.RO, ceiling=readonly)
    assert choose(world, ".", WorkspaceMode.RO, profile).mode is WorkspaceMode.RO
    with pytest.raises(PolicyError, match="as ro at most"):
        choose(world, ".", asked, profile)


def test_a_directory_the_user_cannot_write_is_refused_unless_read_only(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write everywhere, so the answer is access(2)'s for an ordinary user.
    def access(_path: str, mode: int, **_: bool) -> bool:
        return not mode & os.W_OK

    monkeypatch.setattr(os, "access", access)
    with pytest.raises(WorkspaceError, match="cannot be written by you") as caught:
        choose(world, ".")
    assert caught.value.hint.endswith(":ro")
    assert choose(world, ".", WorkspaceMode.RO).mode is WorkspaceMode.RO


def test_refusals_are_single_lines_with_a_hint(world: World) -> None:
    with pytest.raises(AisbxError) as caught:
        choose(world, "/")
    assert "\n" not in caught.value.message + caught.value.hint
    assert caught.value.hint
