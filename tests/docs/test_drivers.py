"""The tables of docs/drivers.md are what the kit saw of the drivers, and what they say of themselves."""

import json
from pathlib import Path

import pytest

from .test_security import load

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DOCUMENT = DOCS / "drivers.md"
TOOL = ROOT / "tools/document_drivers.py"


def test_the_tables_are_what_the_kit_saw_and_the_drivers_say() -> None:
    text = DOCUMENT.read_text()
    assert load(TOOL).render(text) == text, "run python tools/document_drivers.py"


def test_every_driver_of_this_repository_has_a_row() -> None:
    for folder in ROOT.glob("aisbx-driver-*"):
        assert f"\n| `{folder.name.removeprefix('aisbx-driver-')}` |" in DOCUMENT.read_text()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("kit-results.json", "user"),
        ("kit-results.json", "root"),
        *(("kit-results-chroot.json", kind) for kind in ("user", "root", "privileged", "plain")),
    ],
)
def test_another_result_of_the_kit_changes_a_table_and_results_of_other_attacks_make_none(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in DOCS.glob("kit-results*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    tool, text = load(TOOL), DOCUMENT.read_text()
    monkeypatch.setattr(tool, "RESULTS", tmp_path)
    assert tool.render(text) == text
    record = json.loads((tmp_path / name).read_text())
    attacks = record[kind]["controls"]["net:deny"]["attacks"]
    attacks["tcp"] = "none refused" if "held" in attacks["tcp"] else "full held"
    (tmp_path / name).write_text(json.dumps(record))
    assert tool.render(text) != text
    record[kind]["attacks"] = "of yesterday"
    (tmp_path / name).write_text(json.dumps(record))
    with pytest.raises(SystemExit, match=f"the results for {kind} are of other attacks"):
        tool.render(text)


def test_a_level_that_the_kit_did_not_see_makes_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in DOCS.glob("kit-results*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    record = json.loads((tmp_path / "kit-results-chroot.json").read_text())
    record["user"]["controls"]["net:deny"]["level"] = "partial"
    (tmp_path / "kit-results-chroot.json").write_text(json.dumps(record))
    tool = load(TOOL)
    monkeypatch.setattr(tool, "RESULTS", tmp_path)
    with pytest.raises(SystemExit, match="chroot says full of net:deny, and the kit saw partial"):
        tool.render(DOCUMENT.read_text())
