"""What only looks leaves nothing behind, says what a run would use, and can still try what a driver has to try."""

from pathlib import Path
from typing import Any

import pytest
from aisbx.engine import Engine
from aisbx.engine.scratch import renamed
from aisbx.errors import ConfigError, LaunchError, UsageError
from aisbx.types import RunRequest, WorkspaceMode, WorkspaceRequest


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def made(home: Path, named: str = "", **own: str) -> Engine:
    environ = {"HOME": named or str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", **own}
    return Engine(environ, str(home.with_name("project")))


def request(home: Path, **more: Any) -> RunRequest:
    return RunRequest(command=("true",), cwd=str(home.with_name("project")), **more)


def test_a_preview_leaves_nothing_and_names_what_a_run_would_use(home: Path) -> None:
    shown = made(home).preview(request(home, profile=("python-dev",)))
    assert not shown.refusals
    assert shown.plan is not None
    kept = f"{home}/.cache/aisbx"
    assert len([mount for mount in shown.spec.mounts if mount.source.startswith(f"{kept}/projects/")]) == 1
    assert len([source for source in shown.plan["sources"] if source["path"].startswith(f"{kept}/etc/")]) == 1
    assert ".aisbx-look-" not in str((shown.spec, shown.plan))
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("driver", ["bwrap", "chroot"])
def test_a_failed_launch_over_a_layer_is_explained_and_nothing_is_left(home: Path, driver: str) -> None:
    layered = request(home, driver=driver, workspace=WorkspaceRequest(".", WorkspaceMode.COW))
    found = made(home).explain(layered, LaunchError("it could not"), None)
    assert (type(found), found.message) == (LaunchError, "it could not")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("named", ["/", "/usr", "/usr/sbin", "/dev", "/etc", "/proc/self"])
def test_a_home_that_would_hide_the_runtime_is_refused_by_name(home: Path, named: str) -> None:
    own = {f"XDG_{kind}_HOME": str(home / kind) for kind in ("CONFIG", "STATE", "CACHE")}
    with pytest.raises(ConfigError, match="cannot be the home") as refused:
        made(home, named, **own).preview(request(home))
    assert (refused.value.key, refused.value.code) == ("HOME", "config")


def test_only_whole_paths_of_the_scratch_directory_are_renamed() -> None:
    data = {"paths": [("/s/a", 1), "/s"], "other": ["/sa", "x/s/a", b"/s/a", None]}
    assert renamed(data, "/s", "/real") == {
        "paths": [("/real/a", 1), "/real"],
        "other": ["/sa", "x/s/a", b"/s/a", None],
    }


def test_a_group_of_calls_that_does_not_exist_is_no_reason_to_give_up_the_filter(home: Path) -> None:
    profiles = home / ".config" / "aisbx" / "profiles"
    profiles.mkdir(mode=0o700, parents=True)
    (profiles / "odd.yaml").write_text("extends: base\nsyscalls: [no-such-group]\n")
    with pytest.raises(UsageError, match="no system-call group 'no-such-group'") as refused:
        made(home).preview(request(home, profile=("odd",)))
    assert "lower" not in refused.value.hint
    assert refused.value.hint.startswith("name some of: ")
