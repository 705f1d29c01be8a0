"""What is no message, or a wrong one, over both transports: an error of the protocol's, no traceback, no hang.

`./dev fuzz` tries more, and other ones each time.
"""

import json
import os
import queue
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.mcp_host.conftest import SERVER, Home
from tests.mcp_host.serving import INITIALIZE, Served, serving

TRIES = int(os.environ.get("FUZZ_TRIES", "0"))
fuzzed = settings(
    max_examples=TRIES or 40,
    derandomize=not TRIES,  # in the gate the same each time
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
METHODS = ("ping", "initialize", "tools/list", "tools/call", "resources/read", "resources/list", "prompts/get")
MORE = ("notifications/cancelled", "notifications/progress", "logging/setLevel", "completion/complete", "tasks/get")
ARGUMENTS = ("command", "sandbox", "cwd", "env", "stdin", "timeout_s", "path", "content", "code", "process", "data")
TOOLS = ("run_command", "run_code", "read_file", "write_file", "process_output", "sandbox_create", "aisbx-run")
RATES = "[admission.rate]\nprotocol = 1000000\nrun = 1000000\nfiles = 1000000\n"

texts = st.text(max_size=12) | st.sampled_from(["\0", "../..", "a" * 5000, "aisbx://x/files/%00", "\x1b[2J", "-1"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4))
calls = st.fixed_dictionaries(
    {"name": st.sampled_from(TOOLS) | values, "arguments": st.dictionaries(st.sampled_from(ARGUMENTS), values) | values}
)
messages = st.fixed_dictionaries(
    {"method": st.sampled_from(METHODS + MORE) | values},
    optional={"jsonrpc": st.just("2.0") | values, "id": st.integers(0, 99) | values, "params": calls | values},
)
lines = st.one_of(
    st.binary(max_size=60),
    values.map(json.dumps).map(str.encode),
    messages.map(lambda one: json.dumps({"jsonrpc": "2.0", "id": 5, **one}).encode()),
    messages.map(lambda one: json.dumps(one).encode()[:-3]),
    st.integers(200, 3000).map(lambda deep: b"[" * deep + b"]" * deep),
)


@dataclass
class Stdio:
    """A server on pipes, and a thread that reads what it says."""

    process: "subprocess.Popen[bytes]"
    said: "queue.Queue[bytes]"
    asked: int = 0

    def send(self, *sent: bytes) -> list[dict[str, Any]]:
        """Send lines and a ping; gives what was answered before that."""
        assert self.process.stdin
        self.asked += 1
        ping = {"jsonrpc": "2.0", "id": f"ping {self.asked}", "method": "ping"}
        self.process.stdin.write(
            b"".join(one.replace(b"\n", b"") + b"\n" for one in (*sent, json.dumps(ping).encode()))
        )
        self.process.stdin.flush()
        found: list[dict[str, Any]] = []
        while (answer := json.loads(self.said.get(timeout=20))).get("id") != ping["id"]:
            assert answer["jsonrpc"] == "2.0"
            found.append(answer)
        return found


@contextmanager
def on_pipes(home: Home, stderr: Path) -> Generator[Stdio]:
    with stderr.open("wb") as file:
        process = subprocess.Popen(
            SERVER, env=home.env, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file
        )
    assert process.stdin
    assert process.stdout
    output = process.stdout
    said: queue.Queue[bytes] = queue.Queue()
    reader = Thread(target=lambda: [said.put(line) for line in output])
    reader.start()
    process.stdin.write(INITIALIZE + b'\n{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
    process.stdin.flush()
    assert json.loads(said.get(timeout=20))["id"] == 1
    try:
        yield Stdio(process, said)
        process.stdin.close()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()
    assert "Traceback" not in stderr.read_text()


@pytest.fixture(scope="module")
def stdio(home: Home) -> Iterator[Stdio]:
    with on_pipes(home, home.path / "stderr-fuzz") as found:
        yield found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = Home(tmp_path_factory.mktemp("fuzz-home"))
    config = home.path / ".config/aisbx/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(RATES)
    with serving(home, "--no-auth") as found:
        yield found
        assert found.process.poll() is None
        assert "Traceback" not in found.stderr.read_text()


@pytest.mark.parametrize(
    ("line", "code", "ident"),
    [
        (b"{", -32700, None),
        (b"\xff\xfe", -32700, None),
        (b"[" * 100_000, -32700, None),
        (b'{"jsonrpc":"2.0","id":3,"method":"ping","params":{"a":"\\ud800"}}', -32700, None),
        (b"[]", -32600, None),
        (b'{"jsonrpc":"1.0","id":3,"method":"ping"}', -32600, 3),
        (b'{"jsonrpc":"2.0","id":"x","method":5}', -32600, "x"),
        (b'{"jsonrpc":"2.0","id":3,"error":{}}', -32600, None),
        (b'{"jsonrpc":"2.0","id":3,"method":"tools/call","params":[]}', -32600, 3),
        (b'{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":5}}', -32602, 3),
        (b'{"jsonrpc":"2.0","id":3,"method":"prompts/get","params":{"name":"\\u0000"}}', -32602, 3),
        (b'{"jsonrpc":"2.0","id":3,"method":"no/such"}', -32601, 3),
    ],
)
def test_whoever_sends_no_message_is_told(stdio: Stdio, line: bytes, code: int, ident: object) -> None:
    (answer,) = stdio.send(b"", line, b"  ")
    assert (answer["error"]["code"], answer["id"]) == (code, ident)


@fuzzed
@given(st.lists(lines, max_size=8))
def test_no_line_ends_or_stops_a_server_on_pipes(stdio: Stdio, sent: list[bytes]) -> None:
    stdio.send(*sent)
    assert stdio.process.poll() is None


names = st.sampled_from(["Mcp-Session-Id", "Mcp-Protocol-Version", "Accept", "Content-Type", "Last-Event-ID", "X"])
headers = st.tuples(names, st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40))


@fuzzed
@given(lines, st.lists(headers, max_size=3), st.sampled_from(["POST", "GET", "DELETE", "PUT", "X"]))
def test_no_request_over_http_is_more_than_refused(
    served: Served, body: bytes, more: list[tuple[str, str]], method: str
) -> None:
    sent = [f"{name}: {value}" for name, value in more]
    answer = served.ask(*sent, body=body, line=f"{method} /mcp HTTP/1.1")
    assert answer.status < 500
    assert served.ask().status == 200, "and the next is served"
