"""docs/drivers.md says what the drivers say of themselves."""

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools/document_drivers.py"


def test_the_table_is_what_the_drivers_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(TOOL), "--check"])
    runpy.run_path(str(TOOL), run_name="__main__")


def test_every_driver_of_this_repository_has_a_row() -> None:
    text = (ROOT / "docs/drivers.md").read_text()
    for folder in ROOT.glob("aisbx-driver-*"):
        assert f"\n| `{folder.name.removeprefix('aisbx-driver-')}` |" in text
