"""What the tests of the house share: the checkout, real commands, and work done once per test run."""

import fcntl
import glob
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = [Path(path).parent for path in sorted(glob.glob(f"{ROOT}/aisbx-*/pyproject.toml"))]


def run(
    argv: Sequence[str | Path],
    *,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 240,
) -> subprocess.CompletedProcess[str]:
    """Run a command without a terminal and without this test run's own Python settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "PYTHON", "VIRTUAL_ENV", "NOX"))}
    return subprocess.run(
        [str(arg) for arg in argv],
        cwd=cwd,
        env=dict(env) if env is not None else kept,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def must(argv: Sequence[str | Path], *, cwd: str | Path | None = None) -> str:
    """Run a command that is not what is tested; its failure shows all it said."""
    done = run(argv, cwd=cwd)
    assert done.returncode == 0, f"{argv} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def tracked_files() -> list[Path]:
    """List what git tracks, or would after `git add .`; deleted files do not count."""
    git = ["git", "-c", "safe.directory=*"]
    out = must([*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT)
    return [ROOT / name for name in sorted(set(out.split("\0"))) if name and os.path.lexists(ROOT / name)]


def copy_checkout(target: Path) -> Path:
    """Make a clean checkout of the work tree as it is now."""
    for path in tracked_files():
        copy = target / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy, follow_symlinks=False)
    return target


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Let one of the parallel workers make a folder that all of them then use."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    target = shared / name
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = shared / f"{name}.done"
        if not done.exists():
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            make(target)
            done.touch()
    return target


def new_environment(target: Path) -> Path:
    """Make an empty virtual environment that shares nothing with ours."""
    must([sys.executable, "-I", "-m", "venv", "--clear", target])
    return target


def pip(environment: Path, *args: str | Path) -> None:
    """Install into an environment; index settings are the machine's own."""
    must([environment / "bin/python", "-I", "-m", "pip", "install", "--quiet", "--no-user", *args])
