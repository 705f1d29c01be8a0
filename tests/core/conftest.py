from pathlib import Path

import pytest

from tests.core.installed import install, site
from tests.core.world import World

__all__ = ("install", "site", "world")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    # pytest's own directories may be group-writable under a lax umask; ours must pass as a careful user's.
    home, project = tmp_path / "home", tmp_path / "home/work/project"
    project.mkdir(parents=True)
    for path in (home, home / "work", project):
        path.chmod(0o755)
    return World(home, project, monkeypatch, {"HOME": str(home)})
