"""The host's side of an attack: what is to be kept from the sandbox, and who looks on.

Everything lies in a fresh directory where homes are: a private /tmp alone must not be able to hide it. Modes are
wide open, so that only the driver's walls count and not the accident of who owns a file.
"""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from aisbx.types import Identity, Limit, SandboxSpec, Workspace, WorkspaceMode

_ROOT_UID = 0
_SANDBOX_UID = 1000


def place() -> str:
    """Give the directory where scenes are set: a user's own home, for root /home, /var/tmp where there is neither."""
    if os.geteuid() == _ROOT_UID:
        return "/home" if os.access("/home", os.W_OK) else "/var/tmp"
    import pwd

    home = pwd.getpwuid(os.geteuid()).pw_dir
    return home if os.path.isdir(home) and os.access(home, os.W_OK) else "/var/tmp"


def _remove(root: str) -> None:
    """Remove a scene, with directories that nobody may enter: an overlay's own one has no mode at all."""
    for above, folders, _ in os.walk(root):
        for name in folders:
            path = os.path.join(above, name)
            if not os.path.islink(path):
                with contextlib.suppress(OSError):
                    os.chmod(path, 0o700)
    shutil.rmtree(root, ignore_errors=True)


class Scene:
    """A home with a workspace in it, secrets around it, and whatever an attack adds; gone when it is left.

    A driver whose sandboxes get copies has one of its own: what they write is not seen here while they run.
    """

    mode: ClassVar[WorkspaceMode] = WorkspaceMode.RW
    """Of the ordinary spec's workspace: `rw`, or `guarded` where there can be no live one."""

    def __init__(self) -> None:
        """Only names; `with` makes the directories."""
        self.token = f"aisbx{secrets.token_hex(8)}"
        """The word that must not get in or out; also marks this scene's processes, files and sockets."""
        self.seen: list[str] = []
        """What watchers and listeners on the host have noticed."""
        self.rules: tuple[str, ...] = ()
        """What an allow-list of this scene's names, once an attack has set one up."""
        self.ports: tuple[int, ...] = ()
        """Where servers of this scene listen, once an attack has set them up."""
        self.secret = secrets.token_hex(16)
        """The value of a secret that an attack is after; no program of an attack is told it."""
        self._stack = contextlib.ExitStack()
        self.slave = -1
        """The caller's terminal, once `terminal` has made it."""
        self._terminal: int | None = None
        self._watchers: list[Callable[[], str]] = []

    def __enter__(self) -> Self:
        """Make the directories."""
        self.root = tempfile.mkdtemp(prefix=".aisbx-kit-", dir=place())
        self.defer(_remove, self.root)
        self.home = os.path.join(self.root, "home")
        self.workspace = os.path.join(self.home, "project")
        self.elsewhere = os.path.join(self.root, "elsewhere")
        self.state = os.path.join(self.root, "state")
        for directory in (self.root, self.home, self.workspace, self.elsewhere):
            os.makedirs(directory, exist_ok=True)
            os.chmod(directory, 0o755)
        os.mkdir(self.state, 0o700)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        self.end_processes()

    def defer(self, function: Callable[..., object], *arguments: object, **options: object) -> None:
        """Undo something when the scene ends, last first."""
        self._stack.callback(function, *arguments, **options)

    def facts(self) -> dict[str, object]:
        """Give what every program may know; knowing a path is not yet reaching it."""
        return {
            "token": self.token,
            "root": self.root,
            "home": self.home,
            "workspace": self.workspace,
            "elsewhere": self.elsewhere,
        }

    def spec(self) -> SandboxSpec:
        """Give the ordinary spec: what is written reaches the workspace, no network, the caller's account.

        For root it is another's.
        """
        root = os.geteuid() == _ROOT_UID
        identity = Identity(
            name="sandbox" if root else "me",
            uid=_SANDBOX_UID if root else os.geteuid(),
            gid=_SANDBOX_UID if root else os.getegid(),
            home=self.home,
        )
        return SandboxSpec(
            profile="contract",
            identity=identity,
            cwd=self.workspace,
            workspace=Workspace(self.workspace, self.mode),
            limits={"wall_time": Limit(60)},
        )

    def file(self, *parts: str, text: str = "", mode: int = 0o644) -> str:
        """Write a file below the scene's root, the token in it unless `text` is given; gives its path."""
        path = os.path.join(self.root, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).write_text(text or self.token)
        os.chmod(path, mode)
        return path

    def read(self, path: str) -> str:
        """Give a host file's text, empty if it is not there."""
        try:
            return Path(path).read_text(errors="replace")
        except OSError:
            return ""

    def victim(self, *descriptors: int) -> "subprocess.Popen[bytes]":
        """Start a process of the host, marked `TOKEN-victim`, that may hold descriptors open."""
        sleeper = "import time; time.sleep(60)"
        process = subprocess.Popen(  # the host's own process, not a sandboxed one
            [sys.executable, "-I", "-S", "-c", sleeper, f"{self.token}-victim"],
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.defer(process.wait)
        self.defer(process.kill)
        return process

    def watch(self, look: Callable[[], str]) -> None:
        """While the attack runs, look every few milliseconds; what `look` says goes to `seen`."""
        self._watchers.append(look)

    @contextlib.contextmanager
    def watching(self) -> Generator[None]:
        """Run the watchers in a thread for as long as the block lasts."""
        if not self._watchers:
            yield
            return
        over = threading.Event()

        def look_on() -> None:
            while not over.wait(0.01):
                self.seen += filter(None, (look() for look in self._watchers))

        thread = threading.Thread(target=look_on, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @property
    def heart(self) -> str:
        """The file in the workspace that a daemon of an attack writes a byte to every 30 ms."""
        return os.path.join(self.workspace, "heart")

    def inside(self, path: str) -> bytes | None:
        """Give what a file of the workspace holds for the sandbox that runs; None where there is none."""
        try:
            return Path(path).read_bytes()
        except FileNotFoundError:
            return None

    def beats(self) -> int:
        """Say how often the daemon has beaten."""
        return len(self.inside(self.heart) or b"")

    def beating(self) -> bool:
        """Say whether the daemon has begun."""
        return self.beats() > 0

    def survivor(self) -> str:
        """Give evidence if the daemon's heart still beats a while after everything should have ended."""
        time.sleep(0.5)
        before = self.beats()
        time.sleep(0.4)
        beats = self.beats() - before
        return f"a daemon lives on: {beats} beats in 0.4 s" if beats else ""

    def processes(self) -> list[int]:
        """Give the host's processes that carry the token on their command line."""
        found: list[int] = []
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != os.getpid():
                with contextlib.suppress(OSError):
                    if self.token.encode() in Path(f"/proc/{name}/cmdline").read_bytes():
                        found.append(int(name))
        return found

    def end_processes(self) -> None:
        """Kill what an attack left on the host: only processes that carry this scene's token."""
        for _ in range(50):
            left = self.processes()
            if not left:
                return
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            time.sleep(0.02)

    def terminal(self) -> int:
        """Make a pty that plays the caller's terminal; gives its slave."""
        import pty

        master, slave = pty.openpty()
        os.set_blocking(master, False)
        self._terminal, self.slave = master, slave
        self.defer(os.close, master)
        self.defer(os.close, slave)
        return slave

    def terminal_output(self) -> bytes:
        """Give what the caller's terminal has shown."""
        shown = b""
        while self._terminal is not None:
            try:
                data = os.read(self._terminal, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
        return shown
