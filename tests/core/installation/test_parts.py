"""What the aisbx that runs these tests is made of."""

import os
import sys
from pathlib import Path

import aisbx
import pytest
from aisbx.inputs import Inputs
from aisbx.installation import parts as module
from aisbx.installation.parts import CHECKOUT, parts

ROOT = Path(__file__).parents[3]
MADE_UP = f"{ROOT}/aisbx-core/src/aisbx"


def paths() -> set[str]:
    return {part.path for part in parts(Inputs({}))}


def test_environment_interpreter_and_library_are_parts() -> None:
    found = paths()
    assert sys.prefix in found
    assert sys.base_prefix in found
    assert sys.executable in found
    assert os.path.dirname(os.path.realpath(sys.executable)) in found
    assert os.path.dirname(os.path.dirname(os.__file__)) in found
    assert os.path.dirname(aisbx.__file__) in found


def test_everything_that_is_imported_from_is_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend("/nonexistent/library")
    assert {entry for entry in sys.path if entry.startswith("/")} <= paths()


def test_of_a_checkout_the_scripts_and_what_they_read_are_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "__file__", f"{MADE_UP}/installation/parts.py")
    inputs = Inputs({})
    found = {part.path for part in parts(inputs)}
    assert {str(ROOT / name) for name in CHECKOUT} <= found
    assert MADE_UP in found
    distributions = {str(path.parent) for path in ROOT.glob("aisbx-*/pyproject.toml")}
    assert distributions <= found
    assert [path for path, _, _ in inputs.paths] == [str(ROOT / "tools/venv.sh")]


def test_the_scripts_execute_nothing_of_the_checkout_that_is_no_part() -> None:
    """`$root/NAME` is how they name it."""
    for script in ("aisbx", "dev", "tools/venv.sh"):
        text = (ROOT / script).read_text()
        for word in text.replace('"', " ").replace("'", " ").split():
            if word.startswith(("$root/", "checkouts$root/")):
                name = word.partition("$root/")[2].split("/")[0]
                assert name in ("", "$input", "aisbx-core", *CHECKOUT), f"{script}: {word}"


def test_of_a_linked_plugin_what_is_imported_is_a_part_and_where_that_is_unknown_all_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = tmp_path / "plugin"

    def one(_: object) -> tuple[str]:
        return (str(project),)

    monkeypatch.setattr(module, "folders", one)
    assert str(project) in paths()
    monkeypatch.syspath_prepend(project / "src")
    found = paths()
    assert str(project / "src") in found
    assert str(project) not in found


def test_an_installed_package_is_no_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "__file__", str(tmp_path / "site-packages/aisbx/installation/parts.py"))
    assert not [part for part in parts(Inputs({})) if part.what == "aisbx's checkout"]
