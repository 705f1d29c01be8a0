"""The table of claims is what kit and driver say, here and now; a change of either is noticed."""

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from aisbx.testing import ATTACKS
from aisbx.types import CONTROLS, Enforcement, Level, SandboxSpec
from aisbx_linux.local.enforce import Facts, enforcement

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools/document_security.py"


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_what_kit_and_driver_say() -> None:
    done = subprocess.run([sys.executable, TOOL, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_of_the_kit_is_in_the_row_of_its_control(attack: str) -> None:
    control, _, name = attack.partition("/")
    rows = [
        line for line in (ROOT / "docs/security.md").read_text().splitlines() if line.startswith(f"| `{control}` |")
    ]
    assert len(rows) == 1
    assert f"`{name}`: {ATTACKS[attack].sentence}" in rows[0]


def test_an_attack_that_is_taken_from_the_kit_changes_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    tool = load(TOOL)
    text = (ROOT / "docs/security.md").read_text()
    assert tool.render(text) == text
    monkeypatch.setattr(tool, "ATTACKS", {key: value for key, value in ATTACKS.items() if key != "net:deny/udp"})
    assert tool.render(text) != text


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize(
    ("name", "document"),
    [("document_security.py", "docs/security.md"), ("document_enforcement.py", "README.md")],
)
def test_another_answer_of_the_driver_changes_the_table(
    name: str, document: str, control: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def another(spec: SandboxSpec, facts: Facts) -> Enforcement:
        return Enforcement(
            tuple(
                replace(state, level=Level.NONE, mechanism="", reason="nobody holds it")
                if state.control == control
                else state
                for state in enforcement(spec, facts).states
            )
        )

    tool = load(ROOT / "tools" / name)
    text = (ROOT / document).read_text()
    render = (lambda: tool.render(document, text)) if document == "README.md" else (lambda: tool.render(text))
    assert render() == text
    monkeypatch.setattr(tool, "enforcement", another)
    assert render() != text


def test_a_test_that_is_named_and_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    tool = load(TOOL)
    monkeypatch.setattr(tool, "FURTHER", {"net:deny": ("tests/driver_bwrap/test_ends.py::test_no_such",)})
    with pytest.raises(SystemExit, match="has no test_no_such"):
        list(tool.claims())


def test_the_readme_leads_to_it_and_it_says_what_is_not_claimed() -> None:
    text = (ROOT / "docs/security.md").read_text()
    assert "(docs/security.md)" in (ROOT / "README.md").read_text()
    for heading in ("Against whom", "How a claim is made", "What is not claimed", "To report a hole"):
        assert f"\n## {heading}\n" in text
