"""However a connection ends, nothing of it survives, and stdout carries the protocol alone."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.mcp_host.conftest import SERVER, Home, Raw, until


def mine(marker: str) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if marker in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Home) -> Home:
    """A home whose sandboxes are this test's alone."""
    path = tmp_path / "home"
    path.mkdir()
    monkeypatch.setattr(home, "path", path)
    return home


@pytest.mark.parametrize("how", ["eof", "SIGTERM", "SIGINT", "SIGHUP", "SIGKILL"])
def test_nothing_survives(how: str, alone: Home, raw: Callable[..., Raw]) -> None:
    server = raw()
    marker = f"4{os.getpid()}{hash(how) % 1000}"
    told = server.run(f"sleep {marker} & setsid sleep {marker} & pwd; wait")
    workspace = next(line for line in told.splitlines() if line.startswith("/"))
    assert Path(workspace).is_dir()
    assert len(alone.sandboxes()) == 1
    assert len(mine(marker)) == 2
    if how == "eof":
        assert server.process.stdin
        server.process.stdin.close()
    else:
        server.process.send_signal(getattr(signal, how))
    code = server.process.wait(20)
    assert code == {"eof": 0, "SIGKILL": -9}.get(how, 128 + getattr(signal, how, 0))
    assert until(lambda: not alone.sandboxes())
    assert until(lambda: not mine(marker))
    assert until(lambda: not os.path.lexists(workspace))
    assert server.process.stdout
    assert server.process.stdout.read() == b""


def test_what_a_key_press_ends_ends_the_process_group_and_all_the_same_nothing_survives(
    alone: Home, raw: Callable[..., Raw]
) -> None:
    server = raw()
    server.run("true")
    (lifeline,) = [
        one for one in psutil.Process(server.process.pid).children() if one.cmdline()[-1].endswith("/lifeline.py")
    ]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        lifeline.send_signal(number)
    server.process.kill()
    assert until(lambda: not alone.sandboxes())
    assert until(lambda: not lifeline.is_running())


def test_a_server_that_nobody_asked_for_anything_leaves_no_trace(alone: Home, raw: Callable[..., Raw]) -> None:
    server = raw()
    assert server.process.stdin
    server.process.stdin.close()
    assert server.process.wait(20) == 0
    assert alone.sandboxes() == []


def test_what_is_no_protocol_is_answered_and_the_server_goes_on(raw: Callable[..., Raw]) -> None:
    server = raw()
    assert server.process.stdin
    for line in (b"\0\0\n", b"{\n", b'"x"\n', b"[" * 5000 + b"\n", b'{"jsonrpc": "2.0", "id": {}, "method": 5}\n'):
        server.process.stdin.write(line)
    server.process.stdin.flush()
    server.send({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "sandbox_list"}})
    while (answer := server.answer()).get("id") != 7:
        assert answer.get("error") or "method" in answer
    assert "default: " in answer["result"]["content"][0]["text"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--workspace", "/"], "may not be a workspace"),
        (["--workspace", "/nowhere"], "/nowhere is no directory"),
        (["--transport", "pigeon"], "no transport called 'pigeon'"),
        (["--profile", "nope"], "nope"),
        (["--network", "lan"], "is not a network mode"),
        (["--wide"], "unrecognized"),
        (["--preload", "numpy,a b"], "'a b' is no module"),
    ],
)
def test_what_a_server_cannot_be_is_one_line(options: list[str], said: str, alone: Home) -> None:
    done = subprocess.run(
        [*SERVER, *options], env=alone.env, capture_output=True, text=True, cwd="/", input="", check=False
    )
    assert done.returncode == 125
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
