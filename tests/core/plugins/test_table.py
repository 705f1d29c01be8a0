import shutil
import sys
from importlib import metadata
from pathlib import Path

import pytest
from aisbx.errors import PluginBrokenError
from aisbx.plugins import KINDS, PluginInfo, Plugins
from aisbx.plugins.table import read_table

from tests.core.installed import Install


def rows(plugins: Plugins, name: str) -> list[PluginInfo]:
    return [row for row in plugins.table() if row.name == name]


def test_the_table_names_every_plugin_of_every_kind_and_imports_none(install: Install) -> None:
    groups = {group: {f"acme-{kind}": "acme_all"} for kind, group in KINDS.items()}
    install("acme-all", groups, version="2.5", acme_all="raise SystemExit('imported')")
    found = [row for row in Plugins().table() if row.distribution == "acme-all"]
    assert [(row.kind, row.name) for row in found] == [(kind, f"acme-{kind}") for kind in KINDS]
    assert found[0] == PluginInfo("driver", "acme-driver", "acme-all", "2.5", "acme_all", usable=True, reason="")
    assert "acme_all" not in sys.modules


def test_groups_of_other_projects_are_not_in_the_table(install: Install) -> None:
    install("acme-other", {"console_scripts": {"acme": "acme:main"}, "aisbx.unknown": {"acme": "acme"}})
    assert rows(Plugins(), "acme") == []


def test_a_distribution_that_is_not_in_the_allow_list_stays_in_the_table_with_the_reason(install: Install) -> None:
    install("acme-one", {"aisbx.drivers": {"one": "acme_one"}})
    install("acme-two", {"aisbx.drivers": {"two": "acme_two"}})
    plugins = Plugins(allow=["Acme_Two"])
    assert [(row.usable, row.reason) for row in rows(plugins, "one")] == [
        (False, "acme-one is not in the list plugins.allow of your settings")
    ]
    assert plugins.names("driver") == ["two"]


def test_an_empty_allow_list_allows_nothing(install: Install) -> None:
    install("acme-one", {"aisbx.drivers": {"one": "acme_one"}})
    assert Plugins(allow=[]).names("driver") == []


@pytest.mark.parametrize("entry", ["one", "driver:one", "acme-one", "Acme.One", " one "])
def test_a_plugin_is_disabled_by_its_name_its_kind_and_name_or_its_distribution(install: Install, entry: str) -> None:
    install("acme-one", {"aisbx.drivers": {"one": "acme_one"}})
    (row,) = rows(Plugins(disabled=[entry]), "one")
    assert not row.usable
    assert "AISBX_DISABLE_PLUGINS" in row.reason


@pytest.mark.parametrize("entry", ["", "on", "sink:one", "acme"])
def test_a_plugin_is_not_disabled_by_a_part_of_its_name_or_another_kind(install: Install, entry: str) -> None:
    install("acme-one", {"aisbx.drivers": {"one": "acme_one"}})
    assert rows(Plugins(disabled=[entry]), "one")[0].usable


def test_two_distributions_with_one_name_are_both_marked_in_the_table(install: Install) -> None:
    install("acme-one", {"aisbx.drivers": {"same": "acme_one"}})
    install("acme-two", {"aisbx.drivers": {"same": "acme_two"}})
    found = rows(Plugins(), "same")
    assert [row.usable for row in found] == [False, False]
    assert all("acme-one 1.0 and acme-two 1.0" in row.reason for row in found)


def test_one_name_of_two_kinds_is_no_conflict(install: Install) -> None:
    install("acme-one", {"aisbx.drivers": {"same": "acme_one"}, "aisbx.sinks": {"same": "acme_one"}})
    assert all(row.usable for row in rows(Plugins(), "same"))


def test_several_metadata_of_one_distribution_count_once(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("acme-one", {"aisbx.drivers": {"one": "acme_one"}}, version="2.0")
    stale = tmp_path / "stale"
    install("Acme_One", {"aisbx.drivers": {"one": "gone", "gone": "gone"}}, version="1.0", into=stale)
    monkeypatch.setattr(sys, "path", [*sys.path, str(stale)])
    plugins = Plugins()
    assert [(row.version, row.value, row.usable) for row in rows(plugins, "one")] == [("2.0", "acme_one", True)]
    assert rows(plugins, "gone") == []


def test_what_an_interrupted_uninstall_left_behind_is_passed_over(install: Install, site: Path) -> None:
    (site / "torn-1.0.dist-info").mkdir()
    (site / "torn-1.0.dist-info" / "entry_points.txt").write_text("[aisbx.drivers]\ntorn = torn\n")
    install("acme-one", {"aisbx.drivers": {"one": "acme_one"}})
    names = Plugins().names("driver")
    assert "one" in names
    assert "torn" not in names


def test_a_malformed_entry_points_file_names_its_distribution(site: Path) -> None:
    info = site / "acme_bad-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-bad\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[aisbx.drivers]\nno equals sign\n")
    with pytest.raises(PluginBrokenError, match="distribution acme-bad cannot be read"):
        Plugins().table()


def test_a_kind_that_does_not_exist_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="no plugin kind 'drivers'"):
        Plugins().names("drivers")


# kept in a directory


@pytest.fixture
def cache(tmp_path: Path) -> str:
    directory = tmp_path / "known"
    directory.mkdir(mode=0o700)
    return str(directory)


def drivers(cache: str) -> set[tuple[str, str, str]]:
    rows = read_table(None, (), cache)
    assert rows == read_table(None, ())  # whatever is kept, it is what the metadata says now
    return {(row.name, row.distribution, row.version) for row in rows if row.kind == "driver"}


def test_a_table_that_is_kept_follows_every_change_of_the_metadata(install: Install, site: Path, cache: str) -> None:
    install("acme-x", {"aisbx.drivers": {"x": "acme_x"}})
    row = ("x", "acme-x", "1.0")
    assert row in drivers(cache)
    assert row in drivers(cache)
    install("acme-y", {"aisbx.drivers": {"y": "acme_y"}})
    assert ("y", "acme-y", "1.0") in drivers(cache)
    info = site / "acme_x-1.0.dist-info"
    (info / "entry_points.txt").write_text("[aisbx.drivers]\nlonger = acme_x\n")
    assert ("longer", "acme-x", "1.0") in drivers(cache)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-x\nVersion: 1.0.1\n")
    assert ("longer", "acme-x", "1.0.1") in drivers(cache)
    (info / "METADATA").unlink()
    assert "longer" not in {name for name, *_ in drivers(cache)}
    (info / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: acme-x\nVersion: 2\n")
    assert ("longer", "acme-x", "2") in drivers(cache)
    shutil.rmtree(info)
    assert "longer" not in {name for name, *_ in drivers(cache)}


def test_a_table_that_is_kept_is_read_without_the_metadata_and_disables_as_ever(
    install: Install, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("acme-x", {"aisbx.drivers": {"x": "acme_x"}})
    before = read_table(None, (), cache)
    monkeypatch.setattr(metadata, "distributions", lambda: pytest.fail("it was read again"))
    assert read_table(None, (), cache) == before
    assert [row.usable for row in read_table(None, ["acme-x"], cache) if row.name == "x"] == [False]
    assert [row.usable for row in read_table(["other"], (), cache) if row.name == "x"] == [False]


def test_what_another_finder_finds_is_not_kept(
    install: Install, cache: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Elsewhere:
        @staticmethod
        def find_spec(*_: object) -> None: ...

        @staticmethod
        def find_distributions(*_: object) -> list[metadata.Distribution]:
            return [metadata.PathDistribution(path) for path in (tmp_path / "elsewhere").glob("*.dist-info")]

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Elsewhere])
    assert "x" not in {name for name, *_ in drivers(cache)}
    install("acme-x", {"aisbx.drivers": {"x": "acme_x"}}, into=tmp_path / "elsewhere")
    assert ("x", "acme-x", "1.0") in drivers(cache)
    assert not list(Path(cache).iterdir())
