"""What aisbx may import from, in an environment that holds other things as well."""

import json
import os
import site
import sys
from pathlib import Path

import pytest
from aisbx.installation import narrow as module
from aisbx.installation.editable import folders
from aisbx.installation.narrow import kept


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "venv/lib/python3.11/site-packages"
    folder.mkdir(parents=True)
    return folder


def link(packages: Path, name: str, folder: Path, points: str = "", *, editable: bool = True) -> None:
    """Leave what an installer leaves of a distribution that is installed from a folder."""
    metadata = packages / f"{name}-1.0.dist-info"
    metadata.mkdir()
    record = {"url": folder.as_uri(), "dir_info": {"editable": editable}}
    (metadata / "direct_url.json").write_text(json.dumps(record))
    (metadata / "entry_points.txt").write_text(points)


def test_a_linked_distribution_counts_if_it_is_ours_or_plugs_into_us(packages: Path, tmp_path: Path) -> None:
    link(packages, "aisbx_linux", tmp_path / "a b")
    link(packages, "third", tmp_path / "third", "[console_scripts]\nx = x:x\n\n[aisbx.drivers]\nthird = third\n")
    link(packages, "project", tmp_path / "project", "[console_scripts]\naisbx.drivers = x:x\n")
    link(packages, "aisbx_copied", tmp_path / "copied", editable=False)
    (packages / "aisbx_broken-1.dist-info").mkdir()
    (packages / "aisbx_broken-1.dist-info/direct_url.json").write_text("{")
    assert folders(["/nonexistent.zip", str(packages)]) == (str(tmp_path / "a b"), str(tmp_path / "third"))


def test_a_folder_that_is_not_ours_is_not_imported_from(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin, project = tmp_path / "plugin", tmp_path / "project"
    link(packages, "plugin", plugin, "[aisbx.drivers]\nplugin = plugin\n")
    link(packages, "project", project)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setattr(site, "getsitepackages", lambda: [str(packages)])
    core = os.path.dirname(os.path.dirname(os.path.dirname(module.__file__)))
    library = os.path.dirname(os.__file__)
    mine = [f"{sys.base_prefix}/lib/python3.zip", library, str(packages), core, str(plugin / "src")]
    assert kept([*mine[:3], str(project / "src"), "", *mine[3:], str(tmp_path / "plugin-not")]) == mine


def test_an_environment_with_nothing_else_keeps_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise AssertionError("looked at distributions without need")

    monkeypatch.setattr(module, "folders", refuse)
    plain = [f"{sys.prefix}/lib/python3.11/site-packages", os.path.dirname(os.__file__)]
    assert kept(plain) == plain
