"""`./aisbx` and `./dev` in a checkout: what the ordinary path costs, and how they find Python and a place to build.

A stand-in takes the place of the environment's Python here; test_checkout_setup.py does the real thing.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .support import copy_checkout, once, run

PYTHON = '#!/bin/sh\nprintf "%s\\n" "$PWD" "$@"\n'
NO_COMMANDS = {"PATH": "/nonexistent"}  # whatever the script started by name would fail
FAST = "aisbx-core/src/aisbx/cli/fast.py"


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "pristine", lambda target: (copy_checkout(target), None)[1])


@pytest.fixture
def checkout(pristine: Path, tmp_path: Path) -> Path:
    """A checkout without an environment, in a path with a space."""
    return shutil.copytree(pristine, tmp_path / "a checkout", symlinks=True)


def stand_in(venv: Path, made_for: Path, *kinds: str) -> None:
    """Make an environment look complete."""
    (venv / "bin").mkdir(parents=True, exist_ok=True)
    (venv / "bin/python").write_text(PYTHON)
    (venv / "bin/python").chmod(0o755)
    for kind in kinds:
        (venv / f".aisbx-{kind}").write_text(f"{made_for}\n")


def command(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder for PATH with no Python in it."""
    folder = tmp_path / "tools"
    folder.mkdir()
    return folder


def started(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_with_an_environment_aisbx_starts_python_and_nothing_else(checkout: Path, tmp_path: Path) -> None:
    stand_in(checkout / ".venv", checkout, "run")
    lines = started(run([checkout / "aisbx", "run", "a b", ""], cwd=tmp_path, env=NO_COMMANDS))
    assert lines == [str(tmp_path), "-I", "-S", "-X", "utf8", str(checkout / FAST), "run", "a b", ""]


@pytest.mark.parametrize("call", ["./aisbx", "../a checkout/aisbx", "docs/../aisbx"])
def test_relative_calls_work(checkout: Path, call: str) -> None:
    (checkout / "docs").mkdir(exist_ok=True)
    stand_in(checkout / ".venv", checkout, "run")
    lines = started(run([call, "x"], cwd=checkout, env=NO_COMMANDS))
    assert os.path.samefile(os.path.dirname(lines[5].removesuffix(FAST)), checkout)
    assert lines[6:] == ["x"]


def test_a_call_through_a_link_in_path_works_from_any_folder(checkout: Path, tmp_path: Path, tools: Path) -> None:
    stand_in(checkout / ".venv", checkout, "run")
    (tmp_path / "second").symlink_to(checkout / "aisbx")
    (tools / "aisbx").symlink_to("../second")
    done = run(["/bin/sh", "-c", "aisbx x"], cwd="/", env={"PATH": f"{tools}:{os.environ['PATH']}"})
    assert started(done)[1:] == ["-I", "-S", "-X", "utf8", str(checkout / FAST), "x"]


def test_dev_hands_its_arguments_to_the_session(checkout: Path) -> None:
    stand_in(checkout / ".venv", checkout, "run", "dev")
    lines = started(run([checkout / "dev", "test", "-k", "a b"], env=NO_COMMANDS))
    assert lines[1:4] == ["-I", "-m", "nox"]
    assert lines[-5:] == ["-s", "test", "--", "-k", "a b"]


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["nonsense"], 2), (["--help"], 0)])
def test_dev_without_a_session_shows_its_usage_and_sets_nothing_up(
    checkout: Path, arguments: list[str], code: int
) -> None:
    done = run([checkout / "dev", *arguments])
    assert done.returncode == code
    assert "usage: ./dev test|lint|types|bench|soak|docs" in done.stdout + done.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("changed", ["requirements-run.lock", "aisbx-linux/pyproject.toml"])
def test_a_changed_input_makes_the_environment_stale(checkout: Path, tools: Path, changed: str) -> None:
    stand_in(checkout / ".venv", checkout, "run")
    stamp = (checkout / ".venv/.aisbx-run").stat().st_mtime
    os.utime(checkout / changed, (stamp + 2, stamp + 2))
    assert run([checkout / "aisbx"], env={"PATH": str(tools)}).returncode == 125  # no Python here to refresh it with


def test_a_moved_checkout_does_not_use_links_to_its_old_place(checkout: Path, tools: Path, tmp_path: Path) -> None:
    stand_in(checkout / ".venv", checkout, "run")
    moved = checkout.rename(tmp_path / "moved")
    assert run([moved / "aisbx"], env={"PATH": str(tools)}).returncode == 125


def test_no_python_is_said_in_one_line(checkout: Path, tools: Path) -> None:
    command(tools, "python3", "exit 1")  # too old
    done = run([checkout / "aisbx", "--help"], env={"PATH": str(tools)})
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr.count("\n") == 1
    assert "needs Python 3.11 or newer" in done.stderr


@pytest.mark.parametrize("script", ["aisbx", "dev"])
def test_a_python_without_ensurepip_is_said_in_one_line(checkout: Path, tools: Path, script: str) -> None:
    command(tools, "python3", 'case $* in *ensurepip*) echo "No module named ensurepip" >&2; exit 1 ;; esac')
    done = run([checkout / script, "test"], env={"PATH": str(tools)})
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr.count("\n") == 1
    assert str(tools / "python3") in done.stderr
    assert "apt-get install python3-venv" in done.stderr


def test_a_later_python_that_can_make_environments_is_preferred(checkout: Path, tools: Path) -> None:
    command(tools, "python3", "case $* in *ensurepip*) exit 1 ;; esac")
    command(tools, "python3.12", 'case $* in *setup.py*) echo "chosen: $*" >&2; exit 3 ;; esac')
    done = run([checkout / "aisbx"], env={"PATH": str(tools)})
    assert done.returncode == 125
    assert "chosen: -I" in done.stderr


def test_uv_helps_a_python_without_ensurepip(checkout: Path, tools: Path) -> None:
    command(tools, "uv", "exit 9")
    command(tools, "python3", 'case $* in *ensurepip*) exit 1 ;; *setup.py*) echo "asked: $*" >&2; exit 3 ;; esac')
    done = run([checkout / "aisbx"], env={"PATH": str(tools)})
    assert str(tools / "uv") in done.stderr


def test_a_python_named_by_the_user_is_used_or_refused_but_never_replaced(checkout: Path, tools: Path) -> None:
    command(tools, "python3", "echo used >&2")
    done = run([checkout / "aisbx"], env={"PATH": str(tools), "AISBX_PYTHON": "/nonexistent/my python"})
    assert done.returncode == 125
    assert done.stderr == "aisbx: AISBX_PYTHON=/nonexistent/my python is not a Python 3.11 or newer\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user's checkout")
class TestSomebodyElsesCheckout:
    @pytest.fixture
    def theirs(self, checkout: Path, tmp_path: Path) -> Path:
        """Root's checkout, which others can read."""
        for folder in [tmp_path, *tmp_path.parents[:-2]]:
            folder.chmod(folder.stat().st_mode | 0o055)
        return checkout

    def call(self, checkout: Path, **env: str) -> subprocess.CompletedProcess[str]:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("setpriv (util-linux) is not installed")
        prefix = [setpriv, "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]
        return run([*prefix, checkout / "aisbx", "x"], env={"PATH": "/nonexistent", **env})

    def test_its_environment_is_used_where_there_is_one(self, theirs: Path) -> None:
        stand_in(theirs / ".venv", theirs, "run")
        assert started(self.call(theirs))[1:] == ["-I", "-S", "-X", "utf8", str(theirs / FAST), "x"]

    def test_otherwise_the_environment_lies_in_ones_own_cache(self, theirs: Path, tmp_path: Path) -> None:
        cache = tmp_path / "cache"
        stand_in(cache / f"aisbx/checkouts{theirs}/.venv", theirs, "run")
        assert started(self.call(theirs, XDG_CACHE_HOME=str(cache)))[1:] == [
            "-I",
            "-S",
            "-X",
            "utf8",
            str(theirs / FAST),
            "x",
        ]

    def test_without_a_home_it_says_so(self, theirs: Path) -> None:
        done = self.call(theirs)
        assert done.returncode == 125
        assert "HOME is not set" in done.stderr
