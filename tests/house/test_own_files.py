"""Attacks on the aisbx that is running, from inside a workspace that it lies in: the host executes it next time."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from .support import ROOT, copy_checkout, must, once, pip, run

ATTACKER = Path(__file__).with_name("attacker.py")
ANYBODY = 65534
SCRIPTS = ("aisbx", "dev", "noxfile.py", "tools", "tools/venv.sh", "tools/setup.py", "requirements-run.lock")
PACKAGES = (
    "aisbx-core",
    "aisbx-core/pyproject.toml",
    "aisbx-core/src/aisbx/cli/fast.py",
    "aisbx-linux/src/aisbx_linux",
)
SITE = f"lib/python3.{sys.version_info.minor}/site-packages"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("bwrap") is None and "bwrap" not in os.environ.get("AISBX_REQUIRE", "").split(","),
        reason="bubblewrap is not installed",
    ),
]


@dataclass
class Place:
    """A directory of somebody's, with a home; `aisbx` runs in it as that user."""

    root: Path
    uid: int

    def give(self) -> None:
        """Make everything here theirs."""
        if self.uid != os.geteuid():
            must(["chown", "-R", f"{self.uid}:{self.uid}", self.root])

    def aisbx(
        self, program: str | Path, *arguments: str | Path, cwd: Path, **env: str
    ) -> subprocess.CompletedProcess[str]:
        prefix: list[str] = []
        if self.uid != os.geteuid():
            ids = f"--reuid={self.uid} --regid={self.uid} --clear-groups"
            prefix = ["setpriv", *ids.split(), "--"]
        environ = {"HOME": f"{self.root}/home", "PATH": "/usr/local/bin:/usr/bin:/bin", "TMPDIR": "/tmp", **env}
        return run([*prefix, program, *arguments], cwd=cwd, env=environ)

    def attack(
        self, program: str | Path, workspace: Path, names: Sequence[str], options: Sequence[str] = (), at: str = ""
    ) -> list[str]:
        """Try everything on these names below `at` (the workspace), by the full way and with the plan at hand.

        Gives what worked.
        """
        inside = ["python3", "-I", "-S", "-B", "-c", ATTACKER.read_text(), at or str(workspace), *names]
        said: list[str] = []
        for _ in range(2):
            done = self.aisbx(program, "run", *options, "--", *inside, cwd=workspace)
            assert (done.returncode, done.stderr) == (0, "")
            said += done.stdout.splitlines()
        return said


def users() -> list[int]:
    return [os.geteuid(), *([ANYBODY] if os.geteuid() == 0 else [])]


def python() -> str:
    """Give a Python that every user may execute: that of this test run may be in somebody's home."""
    for name in (os.path.realpath(sys.executable), "/usr/bin/python3"):
        checks = f"import ensurepip, sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
        reachable = all(parent.stat().st_mode & 0o005 == 0o005 for parent in Path(name).resolve().parents)
        if reachable and run([name, "-I", "-c", checks]).returncode == 0:
            return name
    return os.path.realpath(sys.executable)


@pytest.fixture(params=users(), ids=lambda uid: "root" if uid == 0 else "somebody")
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    root = Path(tempfile.mkdtemp(dir="/var/tmp"))
    root.chmod(0o755)
    (root / "home").mkdir()
    yield Place(root, request.param)
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def checkout(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout below a folder, set up for real. Made anew for each user, and for each test by a copy."""

    def make(target: Path) -> None:
        copy_checkout(target)
        done = run([target / "aisbx", "--version"], env={**os.environ, "AISBX_PYTHON": python()})
        assert done.returncode == 0, done.stderr

    source = once(tmp_path_factory, "set-up-checkout", make)
    target = place.root / "work" / "aisbx"
    shutil.copytree(source, target, symlinks=True)
    # A set-up writes where it is; here a copy stands for one.
    for pattern in (".venv/.aisbx-*", f".venv/{SITE}/*.pth", f".venv/{SITE}/*/direct_url.json"):
        for file in target.glob(pattern):
            stamp = file.stat()
            file.write_text(file.read_text().replace(str(source), str(target)))
            os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    place.give()
    return target


def state(root: Path) -> dict[str, str]:
    """Give what would be executed: every file with its mode and content, every link."""
    found: dict[str, str] = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            if name.startswith("fresh") or name.endswith(".pyc"):  # the attacker's own; what the host compiles
                continue
            path = os.path.join(folder, name)
            if os.path.islink(path):
                found[path] = os.readlink(path)
            elif os.path.isfile(path):
                found[path] = f"{os.stat(path).st_mode:o} {hashlib.sha256(Path(path).read_bytes()).hexdigest()}"
    return found


@pytest.fixture
def environment(place: Place, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's own virtual environment with aisbx in it, from wheels."""

    def make(target: Path) -> None:
        must([python(), "-I", "-m", "venv", "--clear", target])
        pip(target, "--require-hashes", "-r", ROOT / "requirements-run.lock")
        pip(target, "--no-index", "--find-links", wheels, "aisbx-core", "aisbx-driver-bwrap", "aisbx-profiles")

    source = once(tmp_path_factory, "anybody-s-environment", make)
    target = place.root / "project" / ".venv"
    shutil.copytree(source, target, symlinks=True)
    place.give()
    return target


ENVIRONMENT = ("", "/bin", "/bin/python", "/bin/aisbx", "/pyvenv.cfg", f"/{SITE}", f"/{SITE}/pluggy/__init__.py")
INSTALLED = (*ENVIRONMENT, f"/{SITE}/aisbx/cli/fast.py", f"/{SITE}/aisbx_linux")


def test_in_its_own_checkout_a_command_cannot_change_aisbx(place: Place, checkout: Path) -> None:
    names = [*SCRIPTS, *PACKAGES, *(f".venv{name}" for name in ENVIRONMENT)]
    before = state(checkout)
    worked = place.attack(checkout / "aisbx", checkout, names)
    assert worked == []
    assert state(checkout) == before
    work = place.aisbx(checkout / "aisbx", "run", "--", "sh", "-c", "echo x >> docs/cli.md; mkdir new", cwd=checkout)
    assert work.returncode == 0, work.stderr
    assert (checkout / "new").is_dir()


def test_above_its_checkout_a_command_cannot_put_another_in_its_place(place: Place, checkout: Path) -> None:
    work = checkout.parent
    deep = work / "a" / "b"
    deep.mkdir(parents=True)
    checkout = checkout.rename(deep / "aisbx")
    done = place.aisbx(checkout / "aisbx", "--version", cwd=work, AISBX_PYTHON=python())  # set up for its new place
    assert done.returncode == 0, done.stderr
    before = state(work)
    names = ["^a", "^a/b", "^a/b/aisbx", *(f"a/b/aisbx/{name}" for name in ("aisbx", "tools", ".venv", "aisbx-core"))]
    assert place.attack(checkout / "aisbx", work, names) == []
    assert state(work) == before


def test_a_writable_mount_of_its_checkout_shows_aisbx_read_only(place: Place, checkout: Path) -> None:
    project = place.root / "project"
    project.mkdir()
    (place.root / "link").symlink_to(place.root)
    source = place.root / "link" / "work"
    place.give()
    before = state(checkout)
    names = ["^aisbx", *(f"aisbx/{name}" for name in (*SCRIPTS, *PACKAGES, ".venv", ".venv/bin/python"))]
    worked = place.attack(checkout / "aisbx", project, names, ["--mount", f"{source}:/mnt:rw"], "/mnt")
    assert worked == []
    assert state(checkout) == before


def test_an_environment_in_the_workspace_cannot_be_changed_if_aisbx_runs_from_it(
    place: Place, environment: Path
) -> None:
    project = environment.parent
    before = state(environment)
    worked = place.attack(environment / "bin/aisbx", project, [f".venv{name}" for name in INSTALLED])
    assert worked == []
    assert state(environment) == before


def test_an_environment_in_a_repository_is_held_there_too(place: Place, environment: Path) -> None:
    project = environment.parent
    must(["git", "init", "--quiet", project])
    environment = environment.rename(project / ".git" / "venv")
    place.give()
    before = state(environment)
    worked = place.attack(environment / "bin/aisbx", project, ["^.git", *(f".git/venv{name}" for name in INSTALLED)])
    assert worked == []
    assert state(environment) == before


def test_any_other_environment_of_the_project_can_be_changed(place: Place, environment: Path) -> None:
    elsewhere = place.root / "elsewhere"
    shutil.copytree(environment, elsewhere, symlinks=True)
    place.give()
    done = place.aisbx(
        elsewhere / "bin/aisbx", "run", "--", "sh", "-c", "echo x > .venv/pyvenv.cfg", cwd=environment.parent
    )
    assert done.returncode == 0, done.stderr
    assert (environment / "pyvenv.cfg").read_text() == "x\n"


def test_the_plan_of_one_aisbx_is_not_another_s(place: Place, environment: Path) -> None:
    """Both share a cache; the one elsewhere has nothing to hold in this workspace."""
    elsewhere = place.root / "elsewhere"
    shutil.copytree(environment, elsewhere, symlinks=True)
    place.give()
    project = environment.parent
    before = state(environment)
    inside = ["--", "sh", "-c", "echo >> .venv/pyvenv.cfg"]
    assert place.aisbx(elsewhere / "bin/aisbx", "run", *inside[:1], "true", cwd=project).returncode == 0
    assert place.aisbx(environment / "bin/aisbx", "run", *inside, cwd=project).returncode == 2
    assert state(environment) == before


def test_a_workspace_in_aisbx_itself_is_refused_in_one_line(place: Place, checkout: Path) -> None:
    for where in (".venv/lib", ".venv", "tools", "aisbx-core/src"):
        done = place.aisbx(checkout / "aisbx", "run", "-w", where, "--", "touch", "here", cwd=checkout)
        assert done.returncode == 125
        assert done.stderr.startswith(f"aisbx: workspace: {checkout / where} may not be a writable workspace: it ")
        assert done.stderr.count("\n") == 1
        assert not (checkout / where / "here").exists()
        reading = place.aisbx(checkout / "aisbx", "run", "-w", f"{where}:ro", "--", "ls", cwd=checkout)
        assert reading.returncode == 0, reading.stderr


def test_a_link_to_its_environment_is_not_left_to_the_command(place: Place, environment: Path) -> None:
    project = environment.parent
    environment.rename(place.root / "elsewhere")
    environment.symlink_to(place.root / "elsewhere")
    place.give()
    done = place.aisbx(environment / "bin/aisbx", "run", "--", "rm", ".venv", cwd=project)
    assert done.returncode == 125
    assert f"holds the link {environment}" in done.stderr
    assert environment.is_symlink()


PLANTED = {
    "sitecustomize.py": "open({marker!r}, 'a').close()\n",
    "evil.py": "open({marker!r}, 'a').close()\n",
    "evil-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: evil\nVersion: 1\n",
    "evil-1.dist-info/entry_points.txt": "[aisbx.drivers]\nchroot = evil\n",
}


def test_aisbx_imports_nothing_from_a_project_that_is_installed_beside_it(place: Place, environment: Path) -> None:
    project = environment.parent
    source, marker = project / "src", place.root / "home" / "marker"
    source.mkdir()
    (environment / SITE / "project.pth").write_text(f"{source}\n")
    place.give()
    for name, text in PLANTED.items():
        script = 'mkdir -p "${1%/*}"; printf %s "$2" > "$1"'
        words = ["sh", "-c", script, "sh", f"src/{name}", text.format(marker=str(marker))]
        done = place.aisbx(environment / "bin/aisbx", "run", "--", *words, cwd=project)
        assert done.returncode == 0, done.stderr
    for arguments in (["run", "-t", "9s", "--", "true"], ["doctor"], ["--version"]):
        done = place.aisbx(environment / "bin/aisbx", *arguments, cwd=project)
        assert done.returncode == 0, done.stderr
    assert not marker.exists()
