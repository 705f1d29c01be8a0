"""`aisbx exec` from a plan: what the lean front does in a sandbox of the machine. The test is the guest's agent."""

import fcntl
import json
import os
import pty
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from aisbx.engine.keep import entry_of, keep
from aisbx.inputs import Inputs
from aisbx.settings import Settings
from aisbx.types import Command, JoinableSandbox, LaunchRequest, Stdio, launch_request
from aisbx_driver_lima import joining
from aisbx_driver_lima.guest import frames
from aisbx_driver_lima.guest.channel import MOST
from aisbx_driver_lima.guest.commands import told, understood
from aisbx_driver_lima.guest.frames import Channel
from aisbx_driver_lima.kept import Kept
from aisbx_driver_lima.lasting import GuestSandbox
from aisbx_driver_lima.told import ended

from tests.architecture.test_hot_path_imports import EXTENSIONS, FAST, OWN, PROBE
from tests.core.audit.logs import written

if TYPE_CHECKING:
    from aisbx_driver_lima.machine import Machine

SECONDS = 20.0
LEAN = {*joining.HOT, *joining.LATE}


class Agent:
    """What listens where the driver has the guest's agent."""

    def __init__(self, place: str) -> None:
        self.path = f"{place}/agent.sock"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(4)
        self._listener.settimeout(SECONDS)
        self._open: list[socket.socket] = [self._listener]
        self._threads: list[Thread] = []

    def asked(self) -> tuple[Channel, dict[str, Any]]:
        """Give the next connection, and what is asked over it."""
        connection, _ = self._listener.accept()
        self._open.append(connection)
        channel = Channel(connection)
        kind, data = channel.receive(SECONDS)
        assert kind == frames.QUESTION
        return channel, json.loads(data)

    def says(self, *said: tuple[bytes, bytes]) -> None:
        """Answer the next question so, and hang up."""

        def answer() -> None:
            channel, _ = self.asked()
            for kind, data in said:
                channel.send(kind, data)
            channel.close()

        self.answers(answer)

    def answers(self, answer: Callable[[], None]) -> None:
        """Have a thread do so, which has ended when this is closed."""
        thread = Thread(target=answer, daemon=True)
        thread.start()
        self._threads.append(thread)

    def close(self) -> None:
        for thread in self._threads:
            thread.join(SECONDS)
        for each in self._open:
            each.close()


@pytest.fixture
def agent() -> Iterator[Agent]:
    place = tempfile.mkdtemp(prefix="al-")  # short: a socket lies in it
    made = Agent(place)
    yield made
    made.close()
    shutil.rmtree(place)


def sandbox(path: str, home: str = "/home/of/it") -> GuestSandbox:
    machine = SimpleNamespace(socket=path)
    return GuestSandbox(Path(home), Kept("0" * 16, "", ()), cast("Machine", machine), lambda _: None)


def plan(path: str, command: Command | None = None) -> "joining.MachinePlan":
    found = sandbox(path)
    assert isinstance(found, JoinableSandbox)
    return found.plan(command or Command(argv=()))


def request(*argv: str, stdio: Stdio | None = None, **environment: str) -> LaunchRequest:
    command = Command(argv=argv, environment=environment)
    return launch_request(command, stdio or Stdio(), exclusive=False, state="", run="0" * 12, keep=0)


ENDED = {"code": 7, "stdout_bytes": 3, "findings": ["found"], "duration": 1e-9}
RESULT = (frames.RESULT, json.dumps(ENDED).encode())
BEGUN = (frames.BEGUN, b"")


def test_the_guest_is_asked_for_the_command_with_what_the_sandboxs_maker_named(agent: Agent) -> None:
    asked: list[dict[str, Any]] = []

    def answer() -> None:
        channel, question = agent.asked()
        asked.append(question)
        assert channel.receive(SECONDS) == (frames.INPUT, b"in")
        for frame in (BEGUN, (frames.OUTPUT, b"out"), (frames.ERRORS, b"err"), RESULT):
            channel.send(*frame)

    agent.answers(answer)
    shared = Command(argv=(), environment={"A": "maker", "B": "maker"}, cwd="/tmp", limits={"wall_time": 2.5})
    odd = os.fsdecode(b'\xff"\n\xc3\xa4')
    result = joining.launch(plan(agent.path, shared), request("cat", odd, stdio=Stdio(stdin=b"in"), B="ours"))
    [question] = asked
    command = understood(question.pop("command"))
    wanted = {"A": "maker", "B": "ours"}
    assert command == Command(argv=("cat", odd), environment=wanted, cwd="/tmp", limits={"wall_time": 2.5})
    assert understood(json.loads(json.dumps(told(command)))) == command, "programs ask in the same words"
    rest = {"op": "execute", "version": frames.VERSION, "id": "0" * 16, "terminal": False, "stdin": True}
    assert question == rest
    assert (result["code"], result["stdout"], result["stderr"]) == (7, b"out", b"err")
    assert (result["stdout_bytes"], result["findings"], result["failure"]) == (3, ["found"], None)
    assert result["duration"] == 1e-9


@pytest.mark.parametrize(("said", "found"), [(0.5, 0.5), (3, 2.0), (-1, 0.0), (1e300, 2.0)])
def test_a_command_took_no_longer_than_was_seen_here(said: float, found: float) -> None:
    nothing = {"stdout": (b"", 0), "stderr": (b"", 0)}
    assert ended({"code": 0, "duration": said}, 2.0, nothing)["duration"] == found


@pytest.mark.parametrize(
    "said",
    [
        [],
        [(frames.FAILED, b'["state", "the sandbox has ended", ""]')],
    ],
    ids=["an agent that has gone", "a sandbox that has ended"],
)
def test_where_nothing_can_have_run_the_full_path_has_the_last_word(
    agent: Agent, said: list[tuple[bytes, bytes]]
) -> None:
    agent.says(*said)
    with pytest.raises(ProcessLookupError):
        joining.launch(plan(agent.path), request("true"))
    agent.close()
    with pytest.raises(ProcessLookupError):  # nobody listens any more
        joining.launch(plan(agent.path), request("true"))


@pytest.mark.parametrize(
    ("said", "code", "failure"),
    [
        ([BEGUN], 125, ("aborted", "the guest has gone")),
        ([(frames.OUTPUT, b"x")], 125, ("aborted", "the guest has gone")),
        ([BEGUN, (frames.DATA, b"")], 125, ("aborted", "the guest has gone: it sent b'D'")),
        ([BEGUN, (frames.RESULT, b"{")], 125, ("aborted", "the guest did not say how")),
        ([BEGUN, (frames.RESULT, b"[" * 100_000)], 125, ("aborted", "the guest did not say how")),
        ([BEGUN, (frames.RESULT, b'{"code": NaN}')], 125, ("aborted", "the guest did not say how")),
        ([BEGUN, (frames.RESULT, b'{"code": 1, "failure": ["no code", "", ""]}')], 125, ("aborted", "the guest did")),
        ([(frames.FAILED, b'["launch", "no room", "make some"]')], 125, ("launch", "no room")),
        ([(frames.FAILED, b'["config", "made up", ""]')], 125, ("launch", "made up")),
        ([(frames.FAILED, b"7")], 125, ("aborted", "the guest did not say how")),
        (
            [BEGUN, (frames.RESULT, b'{"code": 127, "failure": ["command-not-found", "no x", ""]}')],
            127,
            ("command-not-found", "no x"),
        ),
    ],
)
def test_a_command_that_may_have_run_is_never_run_again_whatever_the_guest_says(
    agent: Agent, said: list[tuple[bytes, bytes]], code: int, failure: tuple[str, str]
) -> None:
    agent.says(*said)
    result = joining.launch(plan(agent.path), request("true"))
    assert result["failure"] is not None
    assert result["failure"][0] == failure[0]
    assert result["failure"][1].startswith(failure[1])
    assert result["code"] == code


def test_a_command_that_no_frame_holds_is_refused_before_anybody_is_asked() -> None:
    result = joining.launch(plan("/nobody"), request("echo", "x" * MOST))
    assert result["failure"] is not None
    assert result["failure"][0] == "launch"


class Front:
    """The lean front, with a plan at hand for `exec box`."""

    def __init__(self, place: Path, path: str) -> None:
        self._place = place
        state = place / "aisbx"
        plans = state / "sandboxes" / "box" / "plans"
        codes = place / "codes"
        for each in (plans, codes):
            each.mkdir(mode=0o700, parents=True)
        audit = written(place, 1)  # the first record of a log takes more
        entry = entry_of(plan(path), '"sandbox":"box"', Settings(), state, audit, "exec")
        keep(entry, {"sandbox": ["box"]}, str(place), Inputs({}), plans, codes, 16)
        self.environ = {**os.environ, "XDG_STATE_HOME": str(place), "HOME": str(place)}
        self.modules = place / "modules"

    def start(self, *argv: str, ends: int = subprocess.PIPE) -> "subprocess.Popen[bytes]":
        with self.modules.open("wb") as file:
            words = [sys.executable, "-I", "-S", "-c", PROBE, str(file.fileno()), str(FAST), "exec", "box", "--", *argv]
            return subprocess.Popen(
                words,
                cwd=self._place,
                env=self.environ,
                stdin=ends,
                stdout=ends,
                stderr=subprocess.PIPE,
                pass_fds=[file.fileno()],
            )


@pytest.fixture
def front(tmp_path: Path, agent: Agent) -> Front:
    return Front(tmp_path.resolve(), agent.path)


def test_an_exec_imports_only_what_is_listed_and_streams_signals_and_the_exit_code_pass(
    front: Front, agent: Agent
) -> None:
    with front.start("cat", "it") as process:
        channel, question = agent.asked()
        assert question["command"]["argv"] == ["cat", "it"]
        channel.send(*BEGUN)
        channel.send(frames.OUTPUT, b"ready\n")
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"ready\n"
        process.stdin.write(b"given")
        process.stdin.flush()
        assert channel.receive(SECONDS) == (frames.INPUT, b"given")
        process.send_signal(signal.SIGTERM)
        assert channel.receive(SECONDS) == (frames.SIGNAL, bytes([signal.SIGTERM]))
        channel.send(frames.ERRORS, b"last\n")
        channel.send(frames.RESULT, b'{"code": 7}')
        said, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, said, errors) == (7, b"", b"last\n")
    known = {name for name in front.modules.read_text().split() if not name.startswith("searched:")}
    words = [sys.executable, "-I", "-S", "-c", "import sys; print(*sys.modules)"]
    bare = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "aisbx_driver_lima.joining" in known
    assert not sorted(known - set(bare.stdout.split()) - EXTENSIONS - OWN - LEAN)


def test_on_a_terminal_the_same_plan_leads_to_a_pty_of_its_size(front: Front, agent: Agent) -> None:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    try:
        with front.start("sh", ends=slave) as process:
            channel, question = agent.asked()
            assert (question["terminal"], question["size"]) == (True, [33, 77])
            channel.send(*BEGUN)
            channel.send(frames.OUTPUT, b"shown")
            assert os.read(master, 99) == b"shown"
            os.write(master, b"\x03")
            while (given := channel.receive(SECONDS))[0] == frames.SIZE:
                pass
            assert given == (frames.INPUT, b"\x03"), "the terminal is raw: what is typed is the command's"
            channel.send(frames.RESULT, b'{"code": 3}')
            assert process.wait(SECONDS) == 3
    finally:
        os.close(master)
        os.close(slave)
