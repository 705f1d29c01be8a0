"""What survives a service that is killed, what one that is to end does first, and a terminal."""

import json
import signal
import socket
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    RejectConnection,
    Request,
    TextMessage,
)

from tests.supervisor.conftest import Home, Served, asked_aside, clear, serving, until, waiting


class Terminal:
    """A WebSocket that is spoken to by hand."""

    def __init__(self, served: Served, path: str, key: str = "", **headers: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", served.port), timeout=20)
        self._connection = WSConnection(ConnectionType.CLIENT)
        shown = {"Authorization": f"Bearer {key or served.key}", **headers}
        pairs = [(name.encode(), value.encode()) for name, value in shown.items()]
        host = f"127.0.0.1:{served.port}"
        self._send(Request(host=host, target=f"/api/v1/{path}", extra_headers=pairs))
        self._events: list[Any] = []
        self.printed = b""
        self.told: list[dict[str, Any]] = []
        self.over = False
        found = self._next()
        self.status = found.status_code if isinstance(found, RejectConnection) else 101
        assert isinstance(found, (AcceptConnection, RejectConnection))

    def _send(self, event: Any) -> None:
        self._socket.sendall(self._connection.send(event))

    def _next(self) -> Any:
        while not self._events:
            data = self._socket.recv(65536)
            self._connection.receive_data(data or None)
            self._events += list(self._connection.events())
        return self._events.pop(0)

    def say(self, data: bytes | dict[str, Any]) -> None:
        self._send(BytesMessage(data) if isinstance(data, bytes) else TextMessage(json.dumps(data)))

    def step(self) -> None:
        event = self._next()
        if isinstance(event, BytesMessage):
            self.printed += event.data
        elif isinstance(event, TextMessage):
            self.told.append(json.loads(event.data))
        elif isinstance(event, CloseConnection):
            self.over = True

    def close(self) -> None:
        self._socket.close()


def test_a_terminal_runs_a_command_takes_a_size_and_signals_and_ends_with_its_connection(
    served: Served, box: str
) -> None:
    terminal = Terminal(served, f"sandboxes/{box}/pty")
    terminal.say({"argv": ["sh"], "rows": 11, "columns": 33})
    terminal.say(b"stty size; tty\n")
    while b"/dev/pts" not in terminal.printed:
        terminal.step()
    assert b"11 33" in terminal.printed
    terminal.say({"resize": [22, 44]})
    terminal.say(b"stty size\n")
    while b"22 44" not in terminal.printed:
        terminal.step()
    terminal.say(b"exit 5\n")
    while not terminal.over:
        terminal.step()
    assert terminal.told[-1]["end"]["exit_code"] == 5
    terminal.close()
    left = Terminal(served, f"sandboxes/{box}/pty")
    left.say({"argv": ["sleep", "333"]})
    left.step()
    left.close()
    place = f"sandboxes/{box}/processes/{left.told[0]['process']}"
    assert until(lambda: served.done("GET", place)["state"] == "ended")


def test_a_terminal_is_refused_to_who_may_not_and_says_what_it_does_not_understand(
    served: Served, box: str, home: Home
) -> None:
    place = f"sandboxes/{box}/pty"
    refused = [
        Terminal(served, place, "aisbx_nothing"),
        Terminal(served, place, Origin="http://evil.example"),
        Terminal(served, place, home.key("no-run", "files")),
        Terminal(served, "sandboxes/nothing/pty"),
    ]
    assert [one.status for one in refused] == [401, 403, 403, 404]
    for one in refused:
        one.close()
    for first in ({"argv": []}, b"ls\n"):
        terminal = Terminal(served, place)
        terminal.say(first)
        while not terminal.over:
            terminal.step()
        assert terminal.told[-1]["error"]["code"] == "usage"
        terminal.close()


def test_a_killed_service_loses_nothing_and_the_next_adopts_what_lives(tmp_path: Path) -> None:
    """The socket is systemd's, so that nobody who comes meanwhile is turned away."""
    home = Home(tmp_path)
    key = home.key("k")
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        serving(home, "--profile", "shell", key=key, listener=listener) as one,
    ):
        one.done("POST", "sandboxes", {"name": "lives", "ttl": 3600})
        one.run("lives", "sh", "-c", "echo kept > /tmp/note")
        script = "for i in $(seq 200); do echo $i; sleep 0.01; done"
        process = one.done("POST", "sandboxes/lives/processes", {"argv": ["sh", "-c", script]})
        path = f"sandboxes/lives/processes/{process['id']}"
        stream = one.events(f"{path}/events")
        first = [next(stream) for _ in range(4)]
        body = {"argv": ["sleep", "5"]}
        with asked_aside(one, "POST", "sandboxes/lives/exec", body):
            headers = {"Idempotency_Key": "of-a-killed-one"}
            with asked_aside(one, "POST", "sandboxes", {"name": "half"}):
                Thread(target=lambda: _quietly(one, body, headers)).start()
                assert until(lambda: any((home.state / "supervisor/once").glob("?" * 64)))
                one.process.send_signal(signal.SIGKILL)
                one.process.wait()
        stream.close()  # type: ignore[attr-defined]
        _goes_on(home, key, listener, (first, path, body, headers))
    kinds = [row["kind"] for row in home.audit() if row["run"] == process["id"]]
    assert kinds == ["exec.end"]


def _quietly(served: Served, body: Any, headers: dict[str, str]) -> None:
    with suppress(OSError):
        served.ask("POST", "sandboxes/lives/exec", body, **headers)


def test_one_that_is_to_end_finishes_what_runs_and_leaves_sandboxes(tmp_path: Path) -> None:
    home = Home(tmp_path)
    try:
        with serving(home, "--profile", "shell", key=home.key("k")) as one:
            one.done("POST", "sandboxes", {"name": "x"})
            process = one.done("POST", "sandboxes/x/processes", {"argv": ["sleep", "600"]})
            stream = one.events(f"sandboxes/x/processes/{process['id']}/events")
            next(stream)
            with asked_aside(
                one, "POST", "sandboxes/x/exec", {"argv": ["sh", "-c", "touch /tmp/begun; sleep 1"]}
            ) as answers:
                assert until(lambda: one.ask("GET", "sandboxes/x/files/stat?path=/tmp/begun").status == 200)
                one.process.send_signal(signal.SIGTERM)
                assert list(stream) == []
                assert one.process.wait(20) == 0
            assert answers[0].status == 200
        assert len(home.sandboxes()) == 1
    finally:
        clear(home)


def _goes_on(home: Home, key: str, listener: socket.socket, known: tuple[Any, ...]) -> None:
    first, path, body, headers = known
    with serving(home, "--profile", "shell", key=key, listener=listener) as two:
        found = two.done("GET", "sandboxes/lives")
        assert found["state"] == "running"
        assert two.run("lives", "cat", "/tmp/note")["stdout"]["text"] == "kept\n"
        assert two.refused(409, "POST", "sandboxes/lives/exec", body, **headers)["code"] == "aborted"
        rest = list(two.events(f"{path}/events", Last_Event_ID=first[-1][0]))
        lines = "".join(data["text"] for _, kind, data in [*first, *rest] if kind == "stdout").split()
        assert lines == [str(number + 1) for number in range(200)]
        assert rest[-1][2]["exit_code"] == 0
        assert until(lambda: len(home.sandboxes()) <= 2)
        for name in ("lives", "half"):
            two.ask("DELETE", f"sandboxes/{name}")
        assert until(lambda: not home.sandboxes())
        assert not [row for row in (home.path / "boxes").iterdir() if row.name.endswith(".lives")]


def test_a_sandbox_of_a_pool_is_given_to_who_asks_and_waits_for_the_next_service(tmp_path: Path) -> None:
    home = Home(tmp_path)
    key, other = home.key("k"), home.key("other")
    try:
        with serving(home, "--profile", "shell", "--pool", "shell=1", key=key) as one:
            assert until(lambda: len(waiting(home)) == 1)
            (waits,) = waiting(home)
            one.refused(404, "GET", f"sandboxes/{waits}")  # it is nobody's yet
            made = one.done("POST", "sandboxes", {"profile": "shell"})
            assert (made["name"], made["id"], made["state"]) == (waits, waits, "running")
            assert one.run(waits, "pwd")["stdout"]["text"].strip() == made["workspace"]
            assert [row["name"] for row in one.done("GET", "sandboxes")["sandboxes"]] == [waits]
            one.refused(404, "GET", f"sandboxes/{waits}", key=other)
            one.refused(404, "DELETE", f"sandboxes/{waits}", key=other)
            assert one.done("POST", "sandboxes", {"ttl": 60})["name"].startswith("box-")
            one.done("POST", "sandboxes", {"name": "zoo"})
            names, after = list[str](), ""
            while after is not None:
                page = one.done("GET", f"sandboxes?limit=1{after and f'&after={after}'}")
                names, after = [*names, *(row["name"] for row in page["sandboxes"])], page["next"]
            assert (names, len(names), names[1:]) == (sorted(names), 3, [waits, "zoo"])
            assert until(lambda: len(waiting(home)) == 1)
            (another,) = waiting(home)

            def health() -> str:
                return one.done("GET", "/health")["checks"]["pool"]["message"]

            assert until(lambda: "1 of 1 sandboxes of shell wait" in health())
        with serving(home, "--profile", "shell", "--pool", "shell=1", key=key) as two:
            assert two.run(waits, "true")["exit_code"] == 0
            assert two.done("POST", "sandboxes", {}, key=other)["name"] == another
            assert until(lambda: len(waiting(home)) == 1)
            (old,) = waiting(home)
        with serving(home, "--profile", "shell", "--pool", "shell=1", "--network", "open", key=key) as three:
            made = three.done("POST", "sandboxes", {})  # what was made by other options is nobody's any more
            assert (made["name"] != old, made["network"], old in home.sandboxes()) == (True, "open", False)
        kinds = [(row["kind"], row["run"]) for row in home.audit()]
        assert {("sandbox.give", waits), ("sandbox.give", another)} <= set(kinds)
    finally:
        clear(home)
