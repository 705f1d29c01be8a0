"""The Pythons of this machine: what discovery shows is enough for them to run, seen from inside."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from aisbx.inputs import Inputs
from aisbx.toolchains import Toolchain, discover
from aisbx.types import Workspace

LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
PROGRAM = "import sys, ssl, sqlite3, ctypes, json; print(sys.prefix, sys.base_prefix, sys.version_info[:2])"


def inside(found: Toolchain, workspace: Path, *argv: str) -> str:
    """Run with /usr, what was found and the workspace, and nothing else of the host."""
    bwrap = shutil.which("bwrap")
    assert bwrap, "bubblewrap is needed: apt-get install bubblewrap"
    options = ["--unshare-all", "--die-with-parent", "--proc", "/proc", "--dev", "/dev", "--ro-bind", "/usr", "/usr"]
    for link in LINKS:
        if os.path.islink(link):
            options += ["--symlink", os.readlink(link), link]
    # The real paths' parents come from bwrap, as a driver would make them.
    for mount in found.mounts:
        options += ["--ro-bind", mount.source, mount.target]
    options += ["--bind", str(workspace), str(workspace), "--chdir", str(workspace), "--clearenv"]
    for link, target in found.links.items():
        options += ["--symlink", target, link]
    path = ":".join((*found.path, "/usr/local/bin", "/usr/bin", "/bin"))
    for name, value in {**found.environment, "PATH": path}.items():
        options += ["--setenv", name, value]
    run = subprocess.run([bwrap, *options, *argv], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    (tmp_path / "project").mkdir(mode=0o755)
    return tmp_path / "project"


def home() -> dict[str, str]:
    return {"HOME": os.path.expanduser("~")}


@pytest.mark.parametrize("name", ["python", "python3"])
def test_the_systems_python_runs_under_both_names(name: str, project: Path) -> None:
    environ = {"HOME": str(project.parent)}
    found = discover(["python"], Workspace(str(project)), environ, Inputs(environ))
    assert found.mounts == ()
    assert inside(found, project, name, "-c", "print('here')") == "here"


@pytest.mark.parametrize("name", ["python", "python3"])
def test_a_venv_of_the_python_that_runs_the_tests_runs_inside(name: str, project: Path) -> None:
    base = os.path.realpath(sys.base_prefix)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(project / ".venv")], check=True, timeout=120)
    found = discover(["python"], Workspace(str(project)), home(), Inputs(home()))
    if not base.startswith("/usr"):
        assert [mount.source for mount in found.mounts] == [base]
    assert inside(found, project, name, "-c", PROGRAM).split()[0] == str(project / ".venv")


def test_of_the_directory_that_holds_the_toolchain_nothing_else_exists_inside(project: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(project / ".venv")], check=True, timeout=120)
    found = discover(["python"], Workspace(str(project)), home(), Inputs(home()))
    for mount in found.mounts:
        beside = os.path.dirname(mount.source)
        seen = inside(found, project, "python", "-c", f"import os; print(os.listdir({beside!r}))")
        assert seen == str([os.path.basename(mount.source)])
    assert os.path.expanduser("~") not in {mount.source for mount in found.mounts}
