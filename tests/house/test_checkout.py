"""`./aisbx` and `./dev` in a checkout: what the ordinary path costs, and how they find Python and a place to build.

A stand-in takes the place of the environment's Python here; test_checkout_setup.py does the real thing.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from runpy import run_path

import pytest

from .support import PROJECTS, copy_checkout, once, run

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
    assert lines[1:6] == ["-I", "-X", f"pycache_prefix={checkout}/.venv/cache/python", "-m", "nox"]
    assert lines[-5:] == ["-s", "test", "--", "-k", "a b"]


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["nonsense"], 2), (["--help"], 0)])
def test_dev_without_a_session_shows_its_usage_and_sets_nothing_up(
    checkout: Path, arguments: list[str], code: int
) -> None:
    done = run([checkout / "dev", *arguments])
    assert done.returncode == code
    assert "usage: ./dev test|lint|types|bench|soak|matrix|calm|fuzz|docs" in done.stdout + done.stderr
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


PLANTED = "import os\nopen(os.environ['PLANTED'], 'w').close()\n"


@pytest.fixture
def real_python(tools: Path) -> Path:
    """A folder for PATH with this Python in it, which looks for modules as ever but sets nothing up."""
    command(
        tools, "python3", f'case $* in *setup.py*) echo "asked: $*" >&2; exit 3 ;; esac; exec {sys.executable} "$@"'
    )
    return tools


@pytest.mark.parametrize("name", ["venv.py", "ensurepip/__init__.py"])
def test_looking_for_a_python_imports_nothing_from_the_directory_one_is_in(
    checkout: Path, real_python: Path, tmp_path: Path, name: str
) -> None:
    here, marker = tmp_path / "here", tmp_path / "marker"
    (here / name).parent.mkdir(parents=True)
    (here / name).write_text(PLANTED)
    done = run([checkout / "aisbx"], cwd=here, env={"PATH": str(real_python), "PLANTED": str(marker)})
    assert "asked: -I" in done.stderr
    assert not marker.exists()


@pytest.mark.parametrize("name", ["aisbx-more/pyproject.toml", "requirements-more.lock"])
def test_a_file_that_somebody_adds_sets_nothing_up_again(checkout: Path, tools: Path, name: str) -> None:
    stand_in(checkout / ".venv", checkout, "run")
    stamp = (checkout / ".venv/.aisbx-run").stat().st_mtime
    (checkout / name).parent.mkdir(exist_ok=True)
    (checkout / name).touch()
    os.utime(checkout / name, (stamp + 2, stamp + 2))
    assert run([checkout / "aisbx"], env={"PATH": str(tools)}).returncode == 0


def test_the_set_up_installs_exactly_the_distributions_of_the_checkout(checkout: Path) -> None:
    listed = run_path(str(checkout / "tools/setup.py"))["DISTRIBUTIONS"]
    assert sorted(listed) == [project.name for project in PROJECTS]
    shell = (checkout / "tools/venv.sh").read_text()
    assert sorted(re.findall(r"(aisbx-[a-z-]+)/pyproject\.toml", shell)) == sorted(listed)


def test_the_lock_of_the_set_up_is_not_written_through_a_link(checkout: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    (checkout / ".venv.lock").symlink_to(precious)
    done = run([sys.executable, "-I", checkout / "tools/setup.py", "run", checkout, checkout / ".venv"])
    assert done.returncode == 125
    assert done.stderr.startswith(f"aisbx: the set-up failed: {checkout}/.venv.lock: ")
    assert done.stderr.count("\n") == 1
    assert precious.read_text() == "kept"


@pytest.mark.parametrize("variable", ["HOME", "XDG_CACHE_HOME"])
@pytest.mark.parametrize("script", ["aisbx", "dev"])
def test_a_relative_place_is_refused_before_anything_is_set_up(
    checkout: Path, tools: Path, tmp_path: Path, script: str, variable: str
) -> None:
    command(tools, "python3", "echo started >&2")
    here = tmp_path / "here"
    here.mkdir()
    env = {"PATH": str(tools), "HOME": str(tmp_path), variable: "relative"}
    done = run([checkout / script, "lint"], cwd=here, env=env)
    assert done.returncode == 125
    assert done.stderr == (
        f"aisbx: config: {variable}: 'relative' is not an absolute path; hint: unset {variable} or correct it\n"
    )
    assert not list(here.iterdir())


@pytest.mark.parametrize("home", ["closed/home", "file/home"])
def test_a_home_that_cannot_be_made_is_said_in_one_line(checkout: Path, tmp_path: Path, home: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "closed").symlink_to("/proc/self")  # nobody can make anything there, root neither
    venv = tmp_path / home / ".cache/aisbx/checkouts/.venv"
    done = run([sys.executable, "-I", checkout / "tools/setup.py", "run", checkout, venv])
    assert done.returncode == 125
    assert done.stderr.startswith("aisbx: the set-up failed: ")
    assert done.stderr.count("\n") == 1


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
