"""Importing one part must not drag in another: seen in a fresh interpreter, where import-linter only reads text."""

import subprocess
import sys
from pathlib import Path

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
    assert (
        roots(modules)
        & {"pydantic", "yaml", "typer", "pytest", "aisbx_linux", "aisbx_driver_bwrap", "aisbx_driver_chroot"}
        == set()
    )


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


LOADED = """
import os, sys
from aisbx.engine import Engine
from aisbx.engine.prepare import directories
from aisbx.inputs import Inputs
from aisbx.paths import cache_dir, ensure_private, state_dir
from aisbx.plan.known import DIRECTORY
from aisbx.profiles import Finder, load_profile
inputs = Inputs()
for directory in directories(state_dir(inputs), cache_dir(inputs)):
    ensure_private(directory)
engine = Engine(os.environ, os.getcwd())
cache = engine.plugins.cache = str(cache_dir(inputs) / DIRECTORY)
profile = load_profile(["python-dev+offline"], Finder(engine.settings, engine.plugins, inputs), inputs, cache=cache)
print(profile)
print(*sorted({path for path, *_ in inputs.paths}))
print(*sorted(sys.modules))
"""


def test_what_a_profile_says_is_checked_once_and_every_run_is_guarded_by_what_checked_it(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}

    def load() -> tuple[str, set[str], set[str]]:
        done = subprocess.run(
            [sys.executable, "-I", "-c", LOADED],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env=environ,
            cwd="/",
        )
        profile, paths, modules = done.stdout.splitlines()
        return profile, set(paths.split()), set(modules.split())

    first, second = load(), load()
    heavy = {"pydantic", "pydantic_settings", "yaml", "importlib.metadata", "email.message", "aisbx.profiles.schema"}
    assert heavy - {"pydantic_settings"} <= first[2]
    assert not heavy & second[2]
    assert first[0] == second[0]
    assert first[1] <= second[1]
    code = Path(__file__).parents[2] / "aisbx-core/src/aisbx"
    made_by = {f"profiles/{name}.py" for name in ("check", "document", "hosts", "load", "schema")} | {"amounts.py"}
    assert {str(code / name) for name in made_by} <= second[1]
