"""What is measured, and where: an `aisbx`, the floor under it, and a home and projects that are nobody's."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_LINKED = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")


class World:
    """A temporary home with two projects, and the commands to measure in it."""

    def __init__(self, directory: Path, launcher: Path | None) -> None:
        """`launcher` is an installed `aisbx`; without one, this checkout's is measured."""
        self.home = directory / "home"
        self.project = self.home / "project"
        self.large = self.home / "large"
        self.project.mkdir(parents=True)
        (self.project / "script.py").write_text("pass\n")
        self.environ = {"HOME": str(self.home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        self.launcher = str(launcher or ROOT / "aisbx")
        if launcher is None:
            self.python = sys.executable
            self.front = str(ROOT / "aisbx-core/src/aisbx/cli/fast.py")
            self._lend_environment()
        else:
            self.python = str(launcher.parent / "python")
            self.front = str(next(launcher.parent.parent.glob("lib/python3.*/site-packages/aisbx/cli/fast.py")))

    @property
    def compiled(self) -> bool:
        """Whether there is a compiled front to be measured."""
        return Path(self.python).with_name("aisbx-front").exists()

    @property
    def plans(self) -> Path:
        """Where the plans of these runs are kept."""
        return self.home / ".cache/aisbx/plans"

    def run(self, *options: str) -> list[str]:
        """Give `aisbx run OPTIONS -- true` by its launcher."""
        return [self.launcher, "run", *options, "--", "true"]

    def lean(self, *options: str) -> list[str]:
        """Give the same by the file that the launcher hands over to."""
        return [self.python, "-I", "-S", self.front, "run", *options, "--", "true"]

    def bare_python(self) -> list[str]:
        """Give an interpreter that does nothing: one half of the floor."""
        return [self.python, "-I", "-S", "-c", "pass"]

    def bare_tool(self) -> list[str]:
        """Give a bubblewrap that does nothing, with the namespaces and mounts of a run: the other half."""
        home = str(self.home)
        project = str(self.project)
        words = [_bwrap(), "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-net"]
        words += ["--unshare-cgroup"] if Path("/proc/self/ns/cgroup").exists() else []
        words += ["--uid", "1000", "--gid", "1000", "--hostname", "sandbox", "--die-with-parent", "--clearenv"]
        words += ["--ro-bind", "/usr", "/usr", *_top_level(), "--proc", "/proc", "--dev", "/dev"]
        words += ["--tmpfs", "/tmp", "--tmpfs", home, "--tmpfs", "/dev/shm", "--dir", "/run", "--dir", "/var"]
        words += ["--ro-bind", "/etc", "/etc", "--bind", project, project]
        words += ["--remount-ro", "/dev", "--remount-ro", "/"]
        return [*words, "--setenv", "PATH", "/usr/bin:/bin", "--chdir", project, "--", "true"]

    def fill(self, files: int) -> None:
        """Make a project of many files, a git repository among them where there is a git."""
        for number in range(files):
            # 20 files to a directory, 25 directories to a package: the shape of a large source tree.
            folder = self.large / f"package{number // 500}" / f"module{number // 20 % 25}"
            if number % 20 == 0:
                folder.mkdir(parents=True, exist_ok=True)
            (folder / f"file{number % 20}.py").write_text("pass\n")
        git = shutil.which("git", path=self.environ["PATH"])
        if git:
            subprocess.run([git, "init", "--quiet", self.large], check=True, env=self.environ)

    def _lend_environment(self) -> None:
        """Let `./aisbx` of a checkout that we may not write find, in the temporary home, the environment it has."""
        prefix = Path(sys.prefix)
        if prefix == ROOT / ".venv":
            return
        place = Path(f"{self.home}/.cache/aisbx/checkouts{ROOT}/.venv")
        for folder in reversed(place.relative_to(self.home).parents):
            (self.home / folder).mkdir(mode=0o700, exist_ok=True)
        place.symlink_to(prefix)


def _top_level() -> Sequence[str]:
    words: list[str] = []
    for path in map(Path, _LINKED):
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    return words


def _bwrap() -> str:
    found = shutil.which("bwrap", path="/usr/bin:/usr/local/bin")
    if not found:
        sys.exit("benchmarks: the floor needs bubblewrap: apt-get install bubblewrap")
    return found
