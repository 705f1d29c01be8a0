"""Importing one part must not drag in another: seen in a fresh interpreter, where import-linter only reads text."""

import subprocess
import sys

import pytest


def imported_by(statement: str) -> set[str]:
    """Give what a statement adds to `sys.modules` (after `site`, so that editable installs are found)."""
    program = f"import sys; before = set(sys.modules)\n{statement}\nprint(*sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def roots(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("module", ["aisbx", "aisbx.errors", "aisbx.cli"])
def test_what_everybody_imports_imports_nothing_else(module: str) -> None:
    allowed = {"aisbx", *(module.split(".")[:1]), module}
    assert imported_by(f"import {module}") <= allowed


def test_the_contracts_need_no_third_party_and_no_pluggy() -> None:
    assert roots(imported_by("import aisbx.types")) & {"pluggy", "pydantic", "yaml", "typer", "pytest"} == set()


def test_the_marker_of_plugins_costs_pluggy_and_the_contracts_only() -> None:
    modules = imported_by("from aisbx import hookimpl")
    assert "pluggy" in modules
    assert roots(modules) & {"pydantic", "yaml", "typer", "pytest", "aisbx_linux", "aisbx_driver_bwrap"} == set()


def test_reading_the_table_of_plugins_imports_neither_a_plugin_nor_pluggy() -> None:
    modules = imported_by("from aisbx.plugins import Plugins; assert Plugins().table()")
    assert roots(modules) & {"pluggy", "aisbx_driver_bwrap", "aisbx_profiles", "aisbx_linux"} == set()


def test_loading_a_profile_imports_no_driver() -> None:
    modules = imported_by("from aisbx.plugins import Plugins; assert Plugins().get('profile', 'base')")
    assert "aisbx_profiles" in modules
    assert roots(modules) & {"aisbx_driver_bwrap", "aisbx_linux"} == set()


def test_the_core_runs_without_pytest() -> None:
    """Only the kit needs it: it is an extra of the distribution."""
    modules = imported_by("import aisbx.engine, aisbx.cli.app")
    assert "pytest" not in modules
    assert "aisbx.testing" not in modules
