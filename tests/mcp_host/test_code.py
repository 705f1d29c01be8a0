"""Code in interpreters that keep their names, and what a crash, a time limit or a hostile session can do."""

import os
import shutil
from typing import Any

import anyio
import pytest
from aisbx_mcp.kernels import inside
from aisbx_mcp.kernels.inside_session import Session

from tests.mcp_host.conftest import Client, Home, connected, text_of

# Writes into whatever is open: also into what tells the server how it goes.
NOISE = """
import os
for fd in range(3, 200):
    try: os.write(fd, b'x' * 100)
    except OSError: pass
"""


def run(client: Client, code: str, **how: Any) -> str:
    return client.call("run_code", code=code, **how)


def test_names_stay_and_the_last_value_is_shown(client: Client) -> None:
    assert run(client, "x = 20\ndef f(): return x + 1").startswith("[ok")
    assert run(client, "print('out'); f() * 2").endswith("s]\nout\n42\n")
    assert "NameError" in run(client, "x", session="another")


def test_what_goes_wrong_is_told_with_the_line(client: Client) -> None:
    told = run(client, "def g():\n    return 1 / 0\ng()", session="wrong")
    assert told.startswith("[failed")
    assert "return 1 / 0" in told
    assert "aisbx" not in told
    assert "SyntaxError" in run(client, "def", session="wrong")
    assert "[failed" in run(client, "raise SystemExit(3)", session="wrong")
    assert run(client, "1 + 1", session="wrong").endswith("2\n")
    assert "EOFError" in run(client, "input()", session="wrong")


def test_await_works(client: Client) -> None:
    assert run(client, "import asyncio\nawait asyncio.sleep(0, 'done')", session="wrong").endswith("'done'\n")


def test_what_its_processes_print_comes_too_and_in_order(client: Client) -> None:
    code = "import subprocess\nfor n in range(3):\n    print(n)\n    subprocess.run(['echo', f'child {n}'])"
    assert run(client, code, session="wrong").endswith("0\nchild 0\n1\nchild 1\n2\nchild 2\n")


def test_images_and_tables_are_shown_as_such(client: Client) -> None:
    code = """
class Plot:
    def _repr_png_(self): return b"\\x89PNG\\r\\n\\x1a\\n" + bytes(10)
class NoPlot:
    def _repr_png_(self): return "no base64"
class Frame:
    columns = ["a|b"]; index = [0, 1]
    def __len__(self): return 2
    def to_numpy(self): return [[1], ["x"]]
    @property
    def iloc(self): return type("I", (), {"__getitem__": lambda s, k: self})()
class Page:
    def _repr_html_(self): return "<b>bold</b>"
display(Plot(), Page(), NoPlot())
Frame()
"""
    result = client.result("run_code", code=code, session="wrong")
    assert "| 0 | 1 |" in text_of(result)
    assert "a\\|b" in text_of(result)
    assert "<b>bold</b>\n" in text_of(result)
    assert "[what is said to be image/png is none]" in text_of(result)
    assert [block.type for block in result.content] == ["text", "image"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.kill(os.getpid(), 11)", "ended by signal 11"),
        ("import os; os._exit(0)", "ended itself"),
        ("import os; os.kill(os.getppid(), 9)", "the interpreter has ended"),
        (f"{NOISE}os._exit(1)", ""),
        (NOISE, "ended by signal 9"),
    ],
)
def test_a_crash_takes_nothing_else_along(client: Client, code: str, said: str) -> None:
    run(client, "y = 1", session="crash")
    told = run(client, code, session="crash", timeout_s=10)
    assert told.startswith("[failed")
    assert said in told
    assert "its variables are lost" in told
    assert "NameError" in run(client, "y", session="crash")
    assert "[exit 0" in client.call("run_command", command="true")


def test_what_code_forks_does_not_read_what_is_asked_for_next(client: Client) -> None:
    run(client, "import os; os.fork(); f = 1", session="fork")
    assert [run(client, "f", session="fork").partition("]")[2] for _ in range(4)] == ["\n1\n"] * 4


def test_code_ends_with_its_sandbox_and_its_caller_is_told(client: Client) -> None:
    client.call("sandbox_create", name="under")
    told: list[str] = []

    async def waits() -> None:
        code = {"code": "print('on')\nwhile True: pass", "sandbox": "under", "timeout_s": None}
        found = await client.session.call_tool("run_code", code)
        told.extend(block.text for block in found.content if block.type == "text")

    async def destroyed() -> None:
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(waits)
                await anyio.sleep(0.5)
                await client.session.call_tool("sandbox_destroy", {"name": "under"})

    client.portal.call(destroyed)
    assert "the interpreter has ended" in told[0]


def test_a_session_that_cannot_be_begun_takes_no_other_along(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("os.fork", full)
    asked, ask = os.pipe()
    told, tell = os.pipe()
    inside.write_frame(ask, inside.RUN, 7, b"{}")
    assert inside.Host(asked, tell, Session).take()
    frames = [frame for frame in (inside.read_frame(told), inside.read_frame(told)) if frame]
    assert [frame[:2] for frame in frames] == [(inside.OUT, 7), (inside.GONE, 7)]
    assert b"Resource temporarily unavailable" in frames[0][2]
    for one in (asked, ask, told, tell):
        os.close(one)


def test_a_time_limit_interrupts_and_keeps_the_names(client: Client) -> None:
    run(client, "z = 5", session="slow")
    told = run(client, "while True: pass", session="slow", timeout_s=0.3)
    assert "ended by its time limit of 0.3 s" in told
    assert "KeyboardInterrupt" in told
    assert run(client, "z", session="slow").endswith("5\n")
    deaf = "import signal; signal.signal(2, signal.SIG_IGN)\nwhile True: pass"
    assert "did not heed" in run(client, deaf, session="slow", timeout_s=0.3)
    assert "NameError" in run(client, "z", session="slow")


def test_a_call_that_is_cancelled_is_interrupted(client: Client) -> None:
    async def cancelled() -> None:
        with anyio.move_on_after(0.5):
            code = "k = 1\nwhile True: pass"
            await client.session.call_tool("run_code", {"code": code, "session": "cancel"})

    client.portal.call(cancelled)
    assert run(client, "k", session="cancel", timeout_s=10).endswith("1\n")


def test_memory_of_one_call_is_bounded(client: Client) -> None:
    assert "MemoryError" in run(client, "len(bytearray(400 << 20))", session="memory", memory_mb=200)
    assert run(client, "len(bytearray(400 << 20))", session="memory").endswith("419430400\n")


def test_each_session_has_randomness_of_its_own(client: Client) -> None:
    seen = {run(client, "import random; random.random()", session=f"random{n}").partition("]")[2] for n in range(3)}
    assert len(seen) == 3


def test_much_output_is_bounded(client: Client) -> None:
    told = run(client, "for n in range(300000): print(n)", session="wrong", max_output_chars=1000)
    assert "bytes left out" in told
    assert told.endswith("299999\n")
    assert len(told) < 1500


def test_what_is_too_much_to_show_at_once_is_not_taken_in(client: Client) -> None:
    code = "class Big:\n    def _repr_markdown_(self): return 'x' * (5 << 20)\nBig()"
    told = run(client, code, session="big")
    assert told.startswith("[ok")
    assert "bytes are too much to show at once" in told
    assert "xxx" not in told
    assert run(client, "1 + 1", session="big").endswith("2\n")


def test_a_restart_forgets(client: Client) -> None:
    run(client, "gone = 1", session="again")
    assert "NameError" in run(client, "gone", session="again", restart=True)


def test_bash_keeps_its_variables_and_its_directory(client: Client) -> None:
    run(client, "mkdir -p deep; cd deep; A=1; f() { echo f$A; }", language="bash")
    told = run(client, "f; pwd; echo err >&2; false", language="bash")
    assert told.startswith("[failed")
    assert "f1\n" in told
    assert "/deep\nerr\n" in told
    assert "the interpreter has ended; its variables are lost" in run(client, "exit 3", language="bash")
    assert "time limit" in run(client, "sleep 60", language="bash", timeout_s=0.3)
    assert run(client, "cat; echo [$A]", language="bash").endswith("[]\n")
    assert "unbound" not in run(client, "cat <&8; cat <&9; true", language="bash")


@pytest.mark.skipif(not shutil.which("node", path="/usr/bin"), reason="node is not on this machine")
def test_node_keeps_its_names(client: Client) -> None:
    node = {"language": "node", "sandbox": "js"}
    client.call("sandbox_create", name="js", profile="node-dev")
    assert run(client, "const a = 20; function f() { return a + 1 }", **node).startswith("[ok")
    assert run(client, "console.log('out'); f() * 2", **node).endswith("out\n42\n")
    assert run(client, "await new Promise((done) => setTimeout(() => done('later'), 1))", **node).endswith("'later'\n")
    told = run(client, "JSON.parse('{')", **node)
    assert told.startswith("[failed")
    assert "SyntaxError" in told
    assert "the interpreter has ended" in run(client, "process.exit(2)", **node)
    client.call("sandbox_destroy", name="js")


def test_nul_and_unknown_languages_are_refused(client: Client) -> None:
    assert "NUL" in client.refused("run_code", code="a\0b")
    assert "language" in client.refused("run_code", code="1", language="cobol")


def test_each_call_is_recorded(client: Client, home: Home) -> None:
    run(client, "'a mark of its own'")
    rows = [row for row in home.audit() if row["kind"] == "exec.code"]
    assert ["python3", "-c", "'a mark of its own'"] in [row["argv"] for row in rows]
    assert rows[0]["principal"].startswith("uid:")


def test_what_the_profile_names_and_what_the_server_was_told_is_there_before_code_comes(home: Home) -> None:
    profiles = home.path / ".config/aisbx/profiles"
    profiles.mkdir(parents=True)
    (profiles / "warm.yaml").write_text("extends: python-dev\npreload: [wave, not_installed]\n")
    code = "import sys; print([name for name in ('wave', 'cmd', 'chunk') if name in sys.modules])"
    with connected(home, "--profile", "warm", "--preload", "cmd") as client:
        assert "['wave', 'cmd']" in run(client, code)
