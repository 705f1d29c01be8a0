"""The tools that are compared: how each is had, and how it runs a command in the current directory.

npm's and PyPI's packages go into a temporary prefix. Debian's are used where the system has them: set-uid programs and
those with compiled-in paths do not work from elsewhere, and a benchmark changes no system.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.world import World

PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
_LIMIT = 600
"""Seconds for one installation."""


class UnavailableError(Exception):
    """The tool is not here or does not work here; the text is why, and what would help."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool that runs commands in the current directory, which they may write to."""

    name: str
    version: str
    command: Callable[[Sequence[str]], list[str]]
    """The argument list that runs an argument list in it, ordinary programs of the system at hand."""
    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    cold: Callable[[Sequence[str]], list[str]] | None = None
    """The same for `true` alone, where a tool can do with less for it."""


class Shop:
    """Gets the tools into a prefix of its own."""

    def __init__(self, prefix: Path, world: World) -> None:
        """`prefix` is a temporary directory."""
        self.prefix = prefix
        self.world = world

    def every(self) -> dict[str, Callable[[], Peer]]:
        """Give what makes each peer, by name; UnavailableError from those that can't be had."""
        return {
            "bubblewrap, bare": self._bare,
            "aisbx": self._aisbx,
            "sandbox-runtime": self._sandbox_runtime,
            "codex sandbox": self._codex,
            "sandlock": self._sandlock,
            "firejail": self._firejail,
            "nsjail": self._nsjail,
            "podman": self._podman,
        }

    def _bare(self) -> Peer:
        words = self.world.bare_tool()
        version = self._asked(words[0], "--version")
        return Peer("bubblewrap, bare", version, lambda argv: [*_here(words, self.world), *argv])

    def _aisbx(self) -> Peer:
        words = self.world.run()[:-1]
        return Peer("aisbx", self._asked(words[0], "--version"), lambda argv: [*words, *argv])

    def _sandbox_runtime(self) -> Peer:
        for helper in ("socat", "rg"):
            if not shutil.which(helper, path=PATH):
                raise UnavailableError(f"it needs {helper}, and there is none: apt-get install socat ripgrep")
        version = self._npm("@anthropic-ai/sandbox-runtime")
        settings = self.prefix / "srt.json"
        network: dict[str, list[str]] = {"allowedDomains": [], "deniedDomains": []}
        files = {"denyRead": [], "allowWrite": ["."], "denyWrite": []}
        settings.write_text(json.dumps({"network": network, "filesystem": files}))
        words = [str(self.prefix / "npm/node_modules/.bin/srt"), "--settings", str(settings)]
        return Peer("sandbox-runtime", version, lambda argv: [*words, *argv])

    def _codex(self) -> Peer:
        version = self._npm("@openai/codex")
        home = self.prefix / "codex"
        home.mkdir()
        words = [str(self.prefix / "npm/node_modules/.bin/codex"), "sandbox", "-c", 'sandbox_mode="workspace-write"']
        return Peer("codex sandbox", version, lambda argv: [*words, "--", *argv], {"CODEX_HOME": str(home)})

    def _sandlock(self) -> Peer:
        place = self.prefix / "sandlock"
        uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        installer = [uv, "pip", "install", "--quiet", "--python", sys.executable] if uv else []
        installer = installer or [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        self._must([*installer, "--target", str(place), "sandlock"])
        version = next(place.glob("sandlock-*.dist-info")).name.removesuffix(".dist-info").removeprefix("sandlock-")
        program = self.prefix / "sandlock.py"
        program.write_text(
            f"import os, sys\nsys.path.insert(0, {str(place)!r})\nfrom sandlock import Sandbox\n"
            "places = ('/usr', '/bin', '/lib', '/lib64', '/etc', '/proc', '/dev')\n"
            "there = list(filter(os.path.exists, places))\n"
            "box = Sandbox(fs_readable=there, fs_writable=[os.getcwd(), '/tmp', '/dev/null'])\n"
            "os._exit(box.run_interactive(sys.argv[1:]))\n"
        )
        words = [sys.executable, "-I", "-S", str(program)]
        return Peer("sandlock", version, lambda argv: [*words, *argv])

    def _firejail(self) -> Peer:
        path = self._system("firejail")
        words = [path, "--quiet", "--noprofile", "--net=none", "--caps.drop=all", "--nonewprivs", "--seccomp"]
        words += ["--private-tmp", "--private-dev"]
        version = self._asked(path, "--version").split("\n")[0].removeprefix("firejail version ")
        return Peer("firejail", version, lambda argv: [*words, f"--whitelist={Path.cwd()}", "--", *argv])

    def _nsjail(self) -> Peer:
        path = self._system("nsjail")
        words = [path, "--quiet", "--mode", "o", "--time_limit", "0", "--rlimit_as", "hard", "--rlimit_fsize", "hard"]
        for place in ("/usr", "/bin", "/lib", "/lib64", "/etc"):
            words += ["--bindmount_ro", place] if Path(place).exists() else []
        words += ["--tmpfsmount", "/tmp"]
        return Peer(
            "nsjail",
            "the system's",
            lambda argv: [*words, "--bindmount", str(Path.cwd()), "--cwd", str(Path.cwd()), "--", *_absolute(argv)],
        )

    def _podman(self) -> Peer:
        path, busybox = self._system("podman"), self._system("busybox")
        if not _static(busybox):
            raise UnavailableError("its image is made from a static busybox: apt-get install busybox-static")
        words = [path, "--root", f"{self.prefix}/pods", "--runroot", f"{self.prefix}/podrun"]
        words += ["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"]
        archive = self.prefix / "image.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(busybox, "busybox")
            for name, target in (("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")):
                _link(tar, name, target)
            for name in ("true", "sh"):
                _link(tar, f"usr/bin/{name}", "/busybox")
        self._must([*words, "import", str(archive), "aisbx-bench"])
        options = ["run", "--rm", "--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]
        whys: list[str] = []
        for runtime in ([], ["--runtime", "runc"]):
            start = [*words, *runtime, *options]
            try:
                self._must([*start, "localhost/aisbx-bench", "true"])
            except UnavailableError as error:
                whys.append(str(error))
                continue
            version = self._asked(path, "--version").removeprefix("podman version ") + (", runc" if runtime else "")
            return Peer(
                "podman",
                version,
                lambda argv, start=start: [
                    *(*start, "-v", "/usr:/usr:ro", "-v", f"{Path.cwd()}:{Path.cwd()}", "-w", str(Path.cwd())),
                    *("localhost/aisbx-bench", *argv),
                ],
                cold=lambda argv, start=start: [*start, "localhost/aisbx-bench", *argv],
            )
        raise UnavailableError("; with runc: ".join(whys))

    def _system(self, name: str) -> str:
        path = shutil.which(name, path=PATH)
        if path:
            return path
        packaged = _output(["apt-cache", "policy", name])
        if b"Candidate: " not in packaged or b"Candidate: (none)" in packaged:
            raise UnavailableError(f"there is no {name} on this system, nor among its packages")
        raise UnavailableError(f"there is no {name} on this system; root can change that: apt-get install {name}")

    def _npm(self, package: str) -> str:
        npm = shutil.which("npm", path=os.environ["PATH"])
        if not npm:
            raise UnavailableError("it is an npm package, and there is no npm")
        place = self.prefix / "npm"
        self._must([npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(place), package])
        return str(json.loads((place / "node_modules" / package / "package.json").read_text())["version"])

    def _must(self, argv: Sequence[str]) -> None:
        must(argv, {**os.environ, "npm_config_cache": str(self.prefix / "npm-cache")}, _LIMIT)

    def _asked(self, *argv: str) -> str:
        return _output(argv, self.world.environ).decode().strip().removeprefix("bubblewrap ").removeprefix("aisbx ")


def _output(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> bytes:
    if not shutil.which(argv[0], path=PATH):
        return b""
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, env=environ, check=False).stdout


def _static(path: str) -> bool:
    """Tell whether a program needs no loader (elf(5): no PT_INTERP names one)."""
    with open(path, "rb") as file:
        return b"ld-linux" not in file.read(4096)


def _link(tar: tarfile.TarFile, name: str, target: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    tar.addfile(info)


def _here(words: Sequence[str], world: World) -> list[str]:
    """Let the bare tool have the current directory as its workspace, and run what is put after it."""
    here = str(Path.cwd())
    return [here if word == str(world.project) else word for word in words[:-1]]


def _absolute(argv: Sequence[str]) -> list[str]:
    return [shutil.which(argv[0], path=PATH) or argv[0], *argv[1:]]


def must(argv: Sequence[str], environ: Mapping[str, str], limit: float) -> None:
    """Run a command to its end in `limit` seconds; UnavailableError, with what it said last, where it fails."""
    name = Path(argv[0]).name
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, env=environ, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{name}: not done after {limit} s") from None
    if done.returncode != 0:
        told = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        raise UnavailableError(f"{name}: {told[-1][:200] if told else done.returncode}")
