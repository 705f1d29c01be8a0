"""What a hostile or unlucky session must not be able to do to the server, and what becomes of sandboxes meanwhile."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from aisbx.errors import StateError
from aisbx_linux.lasting.identity import recall, send_to
from aisbx_mcp.output import Output
from aisbx_mcp.running import Running
from aisbx_mcp.tools.sandboxes import aisbx_run

from tests.mcp_host.conftest import Client, Home, connected, until
from tests.mcp_host.test_ends import mine


def test_what_prints_without_end_holds_no_end_up(client: Client) -> None:
    client.call("sandbox_create", name="noisy")
    for language, code in (("bash", "yes &"), ("python", "import subprocess; subprocess.Popen(['yes'])")):
        client.call("run_code", code=code, language=language, sandbox="noisy")
    time.sleep(0.5)  # nobody reads what comes now
    began = time.monotonic()
    client.call("sandbox_destroy", name="noisy")
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.closerange(3, 256)\nwhile True: pass",
        "import os; os.kill(os.getppid(), 19)\nwhile True: pass",
        "class T:\n    def _repr_markdown_(self): return '\\udcff'\nT()",
    ],
)
def test_no_code_keeps_its_call_for_ever(client: Client, code: str) -> None:
    client.call("sandbox_create", name="stuck")
    began = time.monotonic()
    client.call("run_code", code=code, sandbox="stuck", timeout_s=0.5)
    assert time.monotonic() - began < 15
    assert "4\n" in client.call("run_code", code="2 + 2", sandbox="stuck")
    client.call("sandbox_destroy", name="stuck")


def test_a_sandbox_that_was_ended_from_outside_is_said_to_be_gone_and_made_anew(client: Client, home: Home) -> None:
    client.call("sandbox_create", name="gone")
    before = set(home.sandboxes())
    client.call("sandbox_create", name="other")
    (real,) = set(home.sandboxes()) - before
    command = [sys.executable, "-I", "-m", "aisbx", "destroy", real]
    subprocess.run(command, env=home.env, check=True, capture_output=True)
    assert "was ended from outside" in client.refused("run_command", command="true", sandbox="other")
    assert "there is no sandbox" in client.refused("run_command", command="true", sandbox="other")
    client.call("sandbox_create", name="other")
    for name in ("gone", "other"):
        client.call("sandbox_destroy", name=name)


@pytest.mark.parametrize(
    ("tool", "given"),
    [("write_file", {"path": "x", "content": ""}), ("run_code", {"code": "1"}), ("run_command", {"command": "true"})],
)
def test_so_is_one_that_was_killed_whatever_is_done_in_it(
    client: Client, home: Home, tool: str, given: dict[str, str]
) -> None:
    before = set(home.sandboxes())
    client.call("sandbox_create", name="killed")
    (real,) = set(home.sandboxes()) - before
    held = recall(str(home.path / ".local/state/aisbx/sandboxes" / real / "home"))
    assert held is not None
    send_to(held["first"], signal.SIGKILL)
    assert "was ended from outside" in client.refused(tool, sandbox="killed", **given)
    assert "there is no sandbox" in client.refused(tool, sandbox="killed", **given)


def test_nor_does_one_that_was_made_for_one_command_end_unsaid() -> None:
    class Killed:
        def __init__(self) -> None:
            self.boxes: dict[str, str] = {}

        async def create(self, name: str, _profile: str) -> str:
            return self.boxes.setdefault(name, "box")

        async def run(self, *_: object, **_how: object) -> Running:
            running = Running("x", "x", Output(""))
            running.error = StateError("the sandbox has ended")
            running._ended.set()
            return running

        async def check(self, box: str, hint: str) -> None:
            assert [*self.boxes.values()] == [box]
            self.boxes.clear()
            raise StateError("was ended from outside", hint=hint)

    progress: Any = SimpleNamespace(of=print)
    call: Any = SimpleNamespace(room=Killed(), context=SimpleNamespace(request_state=None), progress=progress)
    with pytest.raises(StateError, match="was ended from outside"):
        anyio.run(aisbx_run, call, ["true"])


def test_an_edit_is_bounded_and_follows_no_link(client: Client) -> None:
    client.call("write_file", path="many", content="x" * 2000)
    assert "16 MiB" in client.refused("edit_file", path="many", old="x", new="y" * 1_000_000, replace_all=True)
    client.call("run_command", command="ln -s many to-many; touch -d @99999999999999 far")
    assert "is a link" in client.refused("edit_file", path="to-many", old="x" * 2000, new="z")
    assert "far" in client.call("list_files")
    client.call("write_file", path="long", content="a" * 100_000)
    assert len(client.call("read_file", path="long", max_output_chars=500)) < 600
    assert "NUL" in client.refused("read_file", path="a\0b")


def test_changes_that_nobody_applied_stay_for_review_and_nothing_runs_on(home: Home, tmp_path: Path) -> None:
    with connected(home, "--workspace", f"{tmp_path}:cow") as client:
        client.call("run_command", command="echo new > new; setsid sleep 987123 & true")
        told = client.call("sandbox_destroy")
    real = told.rpartition("aisbx diff ")[2]
    assert not (tmp_path / "new").exists()
    assert until(lambda: not mine("987123"))
    command = [sys.executable, "-I", "-m", "aisbx"]
    diff = subprocess.run([*command, "diff", real], env=home.env, capture_output=True, text=True, check=False)
    assert "A new" in diff.stdout
    subprocess.run([*command, "destroy", "--discard", real], env=home.env, check=True, capture_output=True)


def test_a_destroy_that_is_cancelled_goes_on(client: Client, home: Home) -> None:
    before = set(home.sandboxes())
    client.call("sandbox_create", name="brief")

    async def cancelled() -> None:
        with anyio.move_on_after(0.001):
            await client.session.call_tool("sandbox_destroy", {"name": "brief"})

    client.portal.call(cancelled)
    client.result("sandbox_destroy", name="brief")  # where that had not begun
    assert until(lambda: set(home.sandboxes()) == before)


def test_a_server_that_is_killed_while_it_begins_leaves_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", "aisbx_mcp"],
        env=home.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )
    assert until(lambda: bool(home.sandboxes()))
    process.kill()
    process.wait()
    assert process.stdin
    process.stdin.close()
    assert until(lambda: not home.sandboxes())
