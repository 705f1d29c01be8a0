"""The installed shell launcher finds its Python and starts nothing else."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .support import ROOT, run

PYTHON = '#!/bin/sh\nprintf "%s\\n" "$@"\n'  # stands in for the environment's Python: shows what it was given
NO_COMMANDS = {"PATH": "/nonexistent"}  # whatever the launcher started by name would fail


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """What pip leaves behind, in a path with a space."""
    target = tmp_path / "an environment"
    fast = target / "lib/python3.12/site-packages/aisbx/cli/fast.py"
    fast.parent.mkdir(parents=True)
    fast.touch()
    (target / "bin").mkdir()
    shutil.copy(ROOT / "aisbx-core/launcher/aisbx", target / "bin/aisbx")
    (target / "bin/python").write_text(PYTHON)
    (target / "bin/python").chmod(0o755)
    return target


def started(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def is_fast(arguments: list[str], environment: Path) -> bool:
    fast = environment / "lib/python3.12/site-packages/aisbx/cli/fast.py"
    return arguments[:4] == ["-I", "-S", "-X", "utf8"] and os.path.samefile(arguments[4], fast)


def test_an_ordinary_call_starts_python_and_nothing_else(environment: Path) -> None:
    arguments = started(run([environment / "bin/aisbx", "run", "a b", ""], env=NO_COMMANDS))
    assert is_fast(arguments, environment)
    assert arguments[5:] == ["run", "a b", ""]


def test_a_call_through_path_finds_its_environment(environment: Path) -> None:
    done = run(["/bin/sh", "-c", "aisbx x"], env={"PATH": f"{environment}/bin"})
    assert is_fast(started(done), environment)


def test_links_to_the_launcher_are_followed(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "absolute").symlink_to(environment / "bin/aisbx")
    (tmp_path / "relative").symlink_to("absolute")
    assert is_fast(started(run([tmp_path / "relative", "x"], cwd="/")), environment)


def test_a_relative_call_works(environment: Path) -> None:
    arguments = started(run(["bin/aisbx", "x"], cwd=environment, env=NO_COMMANDS))
    assert arguments[4].startswith(f"{environment}/bin/../lib/")  # plans name it, wherever they are used from


def test_lib64_as_a_link_counts_once(environment: Path) -> None:
    (environment / "lib64").symlink_to("lib")
    assert is_fast(started(run([environment / "bin/aisbx"], env=NO_COMMANDS)), environment)


def test_an_editable_install_goes_through_pythons_own_search(environment: Path) -> None:
    shutil.rmtree(environment / "lib")
    assert started(run([environment / "bin/aisbx", "x"], env=NO_COMMANDS)) == ["-I", "-m", "aisbx", "x"]


def test_two_pythons_in_one_prefix_go_through_pythons_own_search(environment: Path) -> None:
    shutil.copytree(environment / "lib/python3.12", environment / "lib/python3.13")
    assert started(run([environment / "bin/aisbx", "x"], env=NO_COMMANDS)) == ["-I", "-m", "aisbx", "x"]


def test_without_a_python_beside_it_the_launcher_says_what_to_do(environment: Path) -> None:
    (environment / "bin/python").unlink()
    done = run([environment / "bin/aisbx", "x"])
    assert done.returncode == 125
    assert "virtual environment" in done.stderr
    assert "-m aisbx" in done.stderr


@pytest.mark.parametrize(("stream", "redirect"), [("stdin", "0</tmp"), ("stdout", "1</tmp"), ("stderr", "2</tmp")])
@pytest.mark.parametrize("door", ["installed", "checkout"])
def test_a_stream_that_is_a_directory_is_refused_in_one_line(
    environment: Path, door: str, stream: str, redirect: str
) -> None:
    launcher = environment / "bin/aisbx" if door == "installed" else ROOT / "aisbx"
    done = run(["/bin/sh", "-c", f"'{launcher}' run -- true {redirect}"])
    assert done.returncode == 125
    expected = f"aisbx: usage: {stream} is a directory; hint: redirect it from or to a file or /dev/null\n"
    assert (done.stdout, done.stderr) == ("", "" if stream == "stderr" else expected)
