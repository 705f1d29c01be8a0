"""`from aisbx import Sandbox, AsyncSandbox, run`: as a program uses them."""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aisbx import AsyncSandbox, Sandbox, run
from aisbx.api import CommandFailed
from aisbx.errors import AisbxError, CommandNotFoundError, ConfigError, StateError, UsageError

from .conftest import Box, eventually, sleepers


@pytest.fixture(autouse=True)
def here(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process where the box's commands are."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in box.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(box.project)


def records(box: Box) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (box.state / "audit.jsonl").read_text().splitlines()]


def test_a_sandbox_and_its_commands(box: Box) -> None:
    data = bytes(range(256)) * 3000
    with Sandbox.create("work", env={"MADE": "by its maker"}, output=10_000_000) as sandbox:
        assert sandbox.exec(["cat"], input=data).stdout == data
        told = sandbox.exec(
            ["sh", "-c", 'echo "$MADE $OWN ${SECRET-none}"; pwd; echo err >&2; exit 3'], env={"OWN": "own"}, cwd="/tmp"
        )
        assert (told.code, told.text, told.errors, told.ok) == (3, "by its maker own none\n/tmp\n", "err\n", False)
        with pytest.raises(CommandFailed, match="sh ended with 3: err") as failed:
            told.check()
        assert failed.value.result is told
        with pytest.raises(CommandFailed, match="time limit"):
            sandbox.exec(["sleep", "50"], timeout=0.2, check=True)
        short = sandbox.exec(["echo", "0123456789"], output=4)
        assert (short.stdout, short.truncated) == (b"0123", True)
        with pytest.raises(CommandNotFoundError):
            sandbox.exec(["no-such-command"])
        (box.project / "note").write_text("mine")
        assert sandbox.exec(["cat", "note"], check=True).text == "mine"
        planted = sandbox.exec(["sh", "-c", "mkdir .vscode; echo '{}' > .vscode/tasks.json"])
        assert len(planted.findings) == 1
        with Sandbox.attach("work") as again:
            assert again.exec(["echo", "same"]).text == "same\n"
        assert Sandbox.names() == ["work"]
        assert box.json("ls", "--json")["sandboxes"][0]["state"] == "running"
    assert Sandbox.names() == []
    with pytest.raises(StateError):
        Sandbox.attach("work")
    kinds = [row["kind"] for row in records(box)]
    assert kinds == ["sandbox.create", *["exec.end"] * 4, "exec.refused", *["exec.end"] * 3, "sandbox.destroy"]
    assert {row["host"] for row in records(box)} == {"python"}
    assert all(row["sandbox"] == "work" for row in records(box) if row["kind"].startswith("exec"))


def test_lines_come_while_it_runs(box: Box) -> None:
    os.mkfifo(box.project / "go")
    with Sandbox.create() as sandbox:
        with sandbox.stream(["sh", "-c", "echo one; read go < go; echo two; echo err >&2; exit 4"]) as stream:
            lines = iter(stream)
            assert next(lines) == b"one\n"
            (box.project / "go").write_text("go\n")
            assert list(lines) == [b"two\n"]
            assert (stream.result.code, stream.result.errors) == (4, "err\n")
        with sandbox.stream(["sh", "-c", "echo up; exec sleep 654321"]) as stream:
            assert next(iter(stream)) == b"up\n"
        assert stream.result.code == 137
        assert not sleepers(654321)
        with pytest.raises(CommandNotFoundError), sandbox.stream(["no-such-command"]) as stream:
            list(stream)


def test_one_command_in_a_sandbox_of_its_own(box: Box) -> None:
    assert run(["sh", "-c", "cat; touch made"], input="fed", profile="shell", check=True).text == "fed"
    assert (box.project / "made").exists()
    assert run(["touch", "other"], mode="ro").code != 0
    assert Sandbox.names() == []


def test_what_is_wrong_is_told(box: Box) -> None:
    del box
    with pytest.raises(UsageError, match="list of words"):
        run("echo hello")
    with pytest.raises(UsageError, match="no command"):
        run([])
    with pytest.raises(UsageError, match="mode"):
        run(["true"], mode="rx")
    with pytest.raises(UsageError, match="network"):
        run(["true"], network="some")
    with pytest.raises(ConfigError):
        run(["true"], profile="no-such-profile")
    with Sandbox.create() as sandbox, pytest.raises(UsageError, match="timeout"):
        sandbox.exec(["true"], timeout=0)


def test_coroutines(box: Box) -> None:
    del box

    async def work() -> None:
        async with await AsyncSandbox.create() as sandbox:
            begun = time.monotonic()
            done = await asyncio.gather(*(sandbox.exec(["sh", "-c", f"sleep 0.5; echo {n}"]) for n in range(3)))
            assert [result.text for result in done] == ["0\n", "1\n", "2\n"]
            assert time.monotonic() - begun < 20
            assert [line async for line in sandbox.stream(["printf", "a\\nb\\n"])] == [b"a\n", b"b\n"]
            task = asyncio.create_task(sandbox.exec(["sleep", "543210"]))
            assert await asyncio.to_thread(eventually, lambda: sleepers(543210))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not sleepers(543210)
            assert (await sandbox.exec(["true"])).ok

    asyncio.run(work())


def test_the_package_alone_is_cheap_to_import() -> None:
    code = "import sys, aisbx; print([m for m in sys.modules if m.startswith('aisbx.') or m in ('pluggy', 'asyncio')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_the_package_is_typed(tmp_path: Path) -> None:
    del tmp_path
    import aisbx

    assert (Path(aisbx.__file__).parent / "py.typed").exists()


def test_who_has_one_open_that_another_destroyed_hears_that_it_has_ended() -> None:
    with Sandbox.create("gone") as box:
        box.exec(["true"], check=True)
        Sandbox.attach("gone").destroy()
        for _ in range(2):
            with pytest.raises(AisbxError, match=r"^the sandbox has ended"):
                box.exec(["true"])
