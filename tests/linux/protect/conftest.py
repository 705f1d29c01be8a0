"""A workspace, a real sandbox over it, and a host that uses it afterwards."""

import importlib
import os
import pickle
import posix
import pwd
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aisbx_linux.protect.scan import scan
from aisbx_linux.protect.settle import settle

# Loaded before a test gives up root: the sources may be out of the other user's reach.
for _name in ("derive", "quarantine", "undo", "walk"):
    importlib.import_module(f"aisbx_linux.protect.{_name}")

GIT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "5",
    "GIT_CONFIG_KEY_0": "user.name",
    "GIT_CONFIG_VALUE_0": "Tester",
    "GIT_CONFIG_KEY_1": "user.email",
    "GIT_CONFIG_VALUE_1": "tester@example.org",
    "GIT_CONFIG_KEY_2": "safe.directory",
    "GIT_CONFIG_VALUE_2": "*",
    "GIT_CONFIG_KEY_3": "protocol.file.allow",
    "GIT_CONFIG_VALUE_3": "always",
    "GIT_CONFIG_KEY_4": "init.defaultBranch",
    "GIT_CONFIG_VALUE_4": "main",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
}


@dataclass
class Ran:
    """One run: what the command gave, what was held, and what was found at the end."""

    code: int
    output: str
    mounts: list[str]
    pins: list[str]
    links: dict[str, str]
    sockets: list[str]
    unchecked: list[str]
    lines: list[str] = field(default_factory=list)


@dataclass
class Lab:
    """A directory of its own for one test, all of it owned by the user that the sandbox runs as."""

    base: Path
    user: int

    @property
    def workspace(self) -> Path:
        return self.base / "work"

    @property
    def quarantine(self) -> Path:
        return self.base / "quarantine"

    @property
    def canary(self) -> Path:
        """Made by whatever the host should not have run; outside the workspace and not shown inside."""
        return self.base / "home" / "pwned"

    @property
    def evil(self) -> str:
        return f"#!/bin/sh\\ntouch {self.canary}\\n"

    def host(self, script: str, cwd: str = "") -> subprocess.CompletedProcess[str]:
        """What the user does outside."""
        environment = {**GIT, "HOME": str(self.base / "home"), "GIT_EDITOR": "true"}
        done = self._as_user(
            lambda: subprocess.run(
                ["/bin/sh", "-c", script],
                cwd=self.workspace / cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
        )
        assert isinstance(done, subprocess.CompletedProcess)
        return done

    def run(self, script: str, *, hold: bool = True, undo: bool = True, cache: bool = True) -> Ran:
        """Scan, run `script` in a sandbox, settle; without `hold` nothing is mounted, without `undo` not settled."""

        def call() -> Ran:
            posix.environ[b"HOME"] = str(self.base / "home").encode()
            state = scan(str(self.workspace), str(self.base / "cache") if cache else None)
            ran = Ran(0, "", state.mounts, state.pins, dict(state.links), state.sockets, state.unchecked)
            arguments = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
            for name, value in {**GIT, "HOME": "/tmp", "CANARY": str(self.canary)}.items():
                arguments += ["--setenv", name, value]
            arguments += ["--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
            for name in ("bin", "lib", "lib64", "sbin"):
                arguments += ["--symlink", f"usr/{name}", f"/{name}"]
            arguments += ["--bind", str(self.workspace), str(self.workspace), "--chdir", str(self.workspace)]
            if hold:
                for path in state.pins:
                    arguments += ["--bind", path, path]
                for path in state.mounts:
                    arguments += ["--ro-bind", path, path]
                for path in state.sockets:
                    arguments += ["--ro-bind", "/dev/null", path]
            done = subprocess.run(
                [*arguments, "/bin/sh", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=120,
            )
            ran.code, ran.output = done.returncode, done.stdout.decode(errors="replace")
            if undo:
                ran.lines = settle(str(self.workspace), state, str(self.quarantine))
            return ran

        ran = self._as_user(call)
        assert isinstance(ran, Ran)
        return ran

    def _as_user(self, call: Callable[[], object]) -> object:
        """Call in a child that has become the sandbox's user; its exception is raised here."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(reader)
                if os.geteuid() != self.user:
                    os.setgroups([])
                    os.setgid(self.user)
                    os.setuid(self.user)
                os.umask(0o022)
                result: tuple[bool, Any]
                try:
                    result = True, call()
                except BaseException as error:  # noqa: BLE001  (it crosses a process)
                    result = False, error
                with os.fdopen(writer, "wb") as pipe:
                    pickle.dump(result, pipe)
                status = 0
            finally:
                os._exit(status)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            data = pipe.read()
        os.waitpid(child, 0)
        good, value = pickle.loads(data)
        if not good:
            raise value
        return value

    def clear(self) -> None:
        """Remove all of it."""
        for name in ("work", "quarantine", "home", "cache"):
            path = self.base / name
            # Not in Python: some of these trees are deeper than its stack.
            if os.geteuid() and path.is_dir():
                subprocess.run(["chmod", "-R", "u+rwx", path], check=False)
            subprocess.run(["rm", "-rf", path], check=True)

    def fresh(self) -> "Lab":
        """Start again with an empty workspace."""
        self.clear()
        for name in ("work", "home"):
            (self.base / name).mkdir()
            os.chown(self.base / name, self.user, self.user)
        return self


def _users() -> list[str]:
    """The user that the tests run as and, if that is root, an ordinary one as well."""
    return ["root", "ordinary"] if os.geteuid() == 0 else ["ordinary"]


@pytest.fixture(params=_users())
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    user = os.geteuid() if request.param == "root" or os.geteuid() else _ordinary()
    base = Path(tempfile.mkdtemp(prefix="aisbx-protect-")).resolve()
    os.chown(base, user, user)
    made = Lab(base, user).fresh()
    yield made
    made.clear()
    base.rmdir()


def _ordinary() -> int:
    return next(entry.pw_uid for entry in pwd.getpwall() if 1000 <= entry.pw_uid < 60000)
