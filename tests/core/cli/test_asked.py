"""Who sits at the terminal decides what a policy leaves to a person."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

ASKED = ["sh", "-c", "true; git push --force; echo ended"]


def on_a_terminal(home: Path, typed: bytes, *, before: bytes = b"") -> tuple[int, str]:
    """Give the exit code and what was shown; `before` is there before the question is."""
    master, slave = pty.openpty()
    os.write(master, before)
    env = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "AISBX_POLICIES": "commands"}
    argv = [sys.executable, "-I", "-m", "aisbx", "run", "--", *ASKED]
    process = subprocess.Popen(argv, env=env, cwd=home / "w", stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    shown, until = b"", time.monotonic() + 30
    while time.monotonic() < until:
        if select.select([master], [], [], 0.1)[0]:
            try:
                shown += os.read(master, 65536)
            except OSError:
                break
            if shown.endswith(b"[y/N] ") and typed:
                os.write(master, typed)
                typed = b""
        elif process.poll() is not None:
            break
    code = process.wait(10)
    os.close(master)
    return code, shown.decode()


@pytest.mark.parametrize(
    ("typed", "before", "runs"), [(b"y\n", b"", True), (b"\n", b"y\n", False), (b"no\n", b"", False)]
)
def test_a_yes_runs_it_and_nothing_else_does(typed: bytes, before: bytes, *, runs: bool, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    code, shown = on_a_terminal(tmp_path, typed, before=before)
    assert "aisbx: commands/force-push: " in shown
    assert "run sh -c 'true; git push --force; echo ended' ? [y/N]" in shown
    assert ("\nended" in shown) == runs
    assert code == (0 if runs else 125)
    assert ("you said no" in shown) != runs
    log = (tmp_path / ".local/state/aisbx/audit.jsonl").read_text()
    assert ('"policy.approved"' in log) == runs


def test_without_a_terminal_nobody_is_asked(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    env = {"HOME": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin", "AISBX_POLICIES": "commands"}
    argv = [sys.executable, "-I", "-m", "aisbx", "run", "--", *ASKED]
    done = subprocess.run(argv, env=env, cwd=tmp_path / "w", input=b"y\n", capture_output=True, check=False)
    assert done.returncode == 125
    assert b"nobody is here to be asked" in done.stderr
