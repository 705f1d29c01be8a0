"""`aisbx create`, `exec` and the rest, as people use them: real processes, in a home and a project of their own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aisbx
import pytest
from aisbx import Sandbox

FAST = Path(aisbx.__file__).parent / "cli" / "fast.py"
FRONT = Path(sys.executable).parent / "aisbx-front"
NOT_HERE = 99
"""Exit code of the front where Python would have been started, and must not be."""
needs_front = pytest.mark.skipif(
    not FRONT.exists() and "machine" not in os.environ.get("AISBX_REQUIRE", "").split(","),
    reason="the compiled front needs a C compiler at set-up",
)
# Where the full command line cannot be imported, what is answered all the same was answered by the lean front.
LEAN_ONLY = f"""
import sys
sys.modules["aisbx.installation.narrow"] = None
__file__ = {str(FAST)!r}
exec(compile(open(__file__, encoding="utf-8").read(), __file__, "exec"))
"""


@dataclass
class Box:
    """A home and a project of their own, and `aisbx` in them."""

    home: Path
    project: Path

    @property
    def state(self) -> Path:
        return self.home / ".local" / "state" / "aisbx"

    @property
    def env(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "SECRET": "s3cr3t"}

    def argv(self, *arguments: str) -> list[str]:
        """Give the command as users start it: by the lean front where it can; `test_lean` compares the two."""
        return [sys.executable, "-I", "-S", "-X", "utf8", str(FAST), *arguments]

    def full(self, *arguments: str) -> list[str]:
        """Give the same by the full command line."""
        return [sys.executable, "-I", "-m", "aisbx", *arguments]

    def lean_only(self, *arguments: str) -> list[str]:
        """Give the same by a lean front that has nothing behind it."""
        return [sys.executable, "-I", "-S", "-X", "utf8", "-c", LEAN_ONLY, *arguments]

    def front_only(self, *arguments: str) -> list[str]:
        """Give the same by the compiled front, which may hand over but not begin as Python."""
        return ["/usr/bin/env", "AISBX_FRONT=only", str(FRONT), sys.executable, str(FAST), *arguments]

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            self.argv(*arguments),
            cwd=self.project,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __call__(self, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[str]":
        return self.run(self.argv(*arguments), stdin=stdin)

    def run(
        self, argv: list[str], *, stdin: bytes = b"", cwd: Path | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command that `argv`, `full` or `lean_only` gave."""
        done = subprocess.run(
            argv,
            cwd=cwd or self.project,
            env=self.env,
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def out(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run what must succeed and give what it printed."""
        done = self(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def json(self, *arguments: str) -> dict[str, Any]:
        return json.loads(self.out(*arguments))

    def refused(self, *arguments: str, code: str, exit_code: int = 125) -> str:
        done = self(*arguments)
        assert done.returncode == exit_code, done.stdout + done.stderr
        assert done.stderr.startswith(f"aisbx: {code}: "), done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    home = tmp_path / "home"
    project = home / "project"
    project.mkdir(parents=True)
    os.chmod(home, 0o700)
    made = Box(home, project)
    yield made
    made("destroy", "--all", "--discard")
    assert not list((made.state / "sandboxes").glob("*")), "something was left"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A home and a project, with this process in them."""
    home = tmp_path_factory.mktemp("api") / "home"
    project = home / "project"
    project.mkdir(parents=True)
    home.chmod(0o700)
    box = Box(home, project)
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            patch.delenv(name)
        for name, value in box.env.items():
            patch.setenv(name, value)
        patch.chdir(project)
        yield box
        for name in Sandbox.names():
            Sandbox.attach(name).destroy(discard=True)


def sleepers(seconds: int) -> list[int]:
    """Give the pids of this host that sleep for just so long."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[:2] == [b"sleep", str(seconds).encode()]:
                found.append(int(entry.name))
    return found


def eventually(what: Callable[[], object]) -> bool:
    until = time.monotonic() + 20
    while not what() and time.monotonic() < until:
        time.sleep(0.01)
    return bool(what())
