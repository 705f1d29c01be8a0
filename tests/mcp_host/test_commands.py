"""Commands of an agent: what it is told, what goes on in the background, what ends them."""

import re
import time
from pathlib import Path
from typing import Any

import anyio
import psutil

from tests.mcp_host.conftest import MARKER, Client, text_of, until


def server_of(client: Client) -> int:
    """Give the pid of the server of this test process."""
    assert client
    found = [one.pid for one in psutil.Process().children() if "aisbx_mcp" in one.cmdline()]
    return found[0]


def process_of(told: str) -> str:
    found = re.search(r"process (\w{8})", told)
    assert found, told
    return found[1]


def test_a_command_gives_its_code_and_what_it_printed_in_order(client: Client) -> None:
    told = client.call("run_command", command="echo out; echo err >&2; echo again; exit 3")
    assert re.fullmatch(r"\[exit 3 after \d+\.\d\d s\]\nout\nerr\nagain\n", told)


def test_files_stay_from_call_to_call_and_variables_do_not(client: Client) -> None:
    client.call("run_command", command="echo 1 > kept; export GONE=1")
    told = client.call("run_command", command="cat kept; echo [$GONE]; pwd")
    assert "1\n[]\n/tmp/aisbx-mcp-" in told


def test_words_are_read_by_no_shell(client: Client) -> None:
    assert "$HOME; *" in client.call("run_command", command=["echo", "$HOME; *"])


def test_it_gets_input_variables_and_a_directory(client: Client) -> None:
    client.call("run_command", command="mkdir -p deep")
    told = client.call("run_command", command="cat; echo $NAME; pwd", stdin="in\n", env={"NAME": "x"}, cwd="deep")
    assert "in\nx\n" in told
    assert told.endswith("/deep\n")


def test_without_input_a_command_that_reads_ends(client: Client) -> None:
    assert "[exit 0" in client.call("run_command", command="cat", yield_s=20)


def test_a_command_that_is_not_there_is_no_error_of_the_tool(client: Client) -> None:
    assert "[exit 127: no-such-thing: not found inside" in client.call("run_command", command=["no-such-thing"])


def test_a_time_limit_is_told_apart(client: Client) -> None:
    told = client.call("run_command", command="echo first; sleep 60", timeout_s=0.3)
    assert told.startswith("[exit 124: ended by its time limit")
    assert "first" in told


def test_nothing_of_the_server_is_there(client: Client, home: Any) -> None:
    told = client.call(
        "run_command", command=f"ls -a {home.path} /root /home; cat /proc/*/environ; ls /proc/*/fd; id -u"
    )
    assert ".local" not in told
    assert MARKER not in told
    assert MARKER in Path(f"/proc/{server_of(client)}/environ").read_text()


def test_much_output_has_its_beginning_and_its_end_and_the_rest_can_be_read(client: Client) -> None:
    told = client.call("run_command", command="seq 1 200000", max_output_chars=1000)
    assert "\n1\n2\n" in told
    assert told.endswith("199999\n200000\n")
    assert len(told) < 1400
    found = re.search(r"process_output\(process='(\w+)', position=(\d+)\)", told)
    assert found
    rest = client.call("process_output", process=found[1], position=int(found[2]), max_output_chars=2000)
    assert f"[{1288895 - int(found[2]) - 2000:,} bytes more: position={int(found[2]) + 2000}]" in rest


def test_a_long_one_goes_on_in_the_background_and_is_read_by_and_by(client: Client) -> None:
    told = client.call("run_command", command="echo one; read x < fifo; echo two; exit 5", yield_s=0)
    assert "still running" in told
    process = process_of(told)
    assert "one\n" in told + client.call("process_output", process=process, wait_s=10)
    client.call("run_command", command="mkfifo fifo2 2>/dev/null; true")
    assert process in client.call("sandbox_list")
    # There is no `fifo`: the shell says so and goes on.
    seen = ""
    while "[exit 5" not in seen:
        seen += client.call("process_output", process=process, wait_s=10)
    assert "one\n" not in seen.partition("two")[2]


def test_input_can_follow(client: Client) -> None:
    process = process_of(client.call("run_command", command="cat; echo end", interactive=True, yield_s=0))
    assert "hello" in client.call("process_input", process=process, data="hello\n", wait_s=10)
    seen = client.call("process_input", process=process, end=True, wait_s=10)
    while "[exit 0" not in seen:
        seen += client.call("process_output", process=process, wait_s=10)
    assert "end\n" in seen
    assert "has ended" in client.refused("process_input", process=process, data="x")


def test_input_for_one_that_takes_none_is_refused(client: Client) -> None:
    process = process_of(client.call("run_command", command="sleep 60", yield_s=0))
    assert "takes no input" in client.refused("process_input", process=process, data="x")
    assert "killed by signal 9" in client.call("process_kill", process=process)


def test_one_that_reads_nothing_does_not_hold_up_the_rest(client: Client) -> None:
    process = process_of(client.call("run_command", command="sleep 60", interactive=True, yield_s=0))

    async def both() -> tuple[float, Any]:
        began = time.monotonic()
        took, told = 60.0, None
        async with anyio.create_task_group() as tasks:
            full = {"process": process, "data": "x" * 900_000}
            tasks.start_soon(client.session.call_tool, "process_input", full)
            told = await client.session.call_tool("run_command", {"command": ["true"]})
            took = time.monotonic() - began
            await client.session.call_tool("process_kill", {"process": process})
        return took, told

    took, told = client.portal.call(both)
    assert told is not None
    assert "[exit 0" in text_of(told)
    assert took < 8


def test_a_signal_reaches_it(client: Client) -> None:
    command = "trap 'echo caught; exit 9' USR1; echo ready; while :; do sleep 0.05; done"
    told = client.call("run_command", command=command, yield_s=0)
    process = process_of(told)
    if "ready" not in told:
        client.call("process_output", process=process, wait_s=10)
    told = client.call("process_kill", process=process, signal_name="USR1", wait_s=10)
    assert "[exit 9" in told
    assert "caught" in told
    assert "no signal" in client.refused("process_kill", process=process, signal_name="NOPE")


def test_a_call_that_is_cancelled_ends_its_command_and_what_that_started(client: Client) -> None:
    async def cancelled() -> None:
        with anyio.move_on_after(1):
            await client.session.call_tool("run_command", {"command": "sleep 4711 & setsid sleep 4712", "yield_s": 60})

    client.portal.call(cancelled)
    assert until(lambda: "471" not in client.call("run_command", command="ps ax -o args | grep [4]71 || true"))


def test_what_is_wrong_with_arguments_is_one_line(client: Client) -> None:
    told = client.refused("run_command", command="true", timeout_s="soon")
    assert told.splitlines()[0].startswith("usage: timeout_s: Input should be a valid number")
    assert "there is no argument mount" in client.refused("run_command", command="true", mount="/etc")
    for tool in ("run_command", "aisbx-run"):
        assert "a command has words" in client.refused(tool, command=["echo", "a\0b"])
    assert "no name of a variable" in client.refused("run_command", command="true", env={"A=B": "c"})
    assert "sandbox_create makes it" in client.refused("run_command", command="true", sandbox="other")
    assert "there is no process" in client.refused("process_output", process="nope")
