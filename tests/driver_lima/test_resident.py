"""The guest's half of a command in a sandbox that lasts, in one of this host's; the test speaks as the host would."""

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aisbx.errors import StateError
from aisbx.plugins import Plugins
from aisbx.testing.scene import Scene
from aisbx.types import Command, LastingDriver
from aisbx_driver_lima.guest import frames, resident
from aisbx_driver_lima.guest.frames import CHUNK, Channel, ClosedError
from aisbx_linux.lasting.sandbox import LastingSandbox

from tests.lasting.conftest import eventually, sleepers

SECONDS = 20.0
PYTHON = ("/usr/bin/python3", "-I", "-S", "-c")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[LastingSandbox]:
    with Scene() as scene:
        driver = Plugins().get("driver", "bwrap", {"cache_dir": scene.state})
        assert isinstance(driver, LastingDriver)
        home = Path(scene.state, "sandbox")
        home.mkdir(mode=0o700)
        made = driver.create(scene.spec(), home, Path(scene.state), 0.0)
        assert isinstance(made, LastingSandbox)
        yield made
        made.close()


class Host:
    """Who asked for the command."""

    def __init__(
        self, sandbox: LastingSandbox, *argv: str, stdin: bool = False, early: bytes = b"", **limits: float
    ) -> None:
        ours, theirs = socket.socketpair()
        self.channel = Channel(ours)
        self.printed: dict[bytes, bytes] = {frames.OUTPUT: b"", frames.ERRORS: b""}
        self.taken = 0
        self.result: dict[str, Any] = {}
        self.error: Exception | None = None
        self._guest = Channel(theirs, early)
        self._thread = threading.Thread(
            target=self._serve, args=(sandbox, Command(argv=argv, limits=limits)), kwargs={"stdin": stdin}, daemon=True
        )
        self._thread.start()

    def _serve(self, sandbox: LastingSandbox, command: Command, *, stdin: bool) -> None:
        try:
            self.result = resident.run(self._guest, sandbox.helpers, command, command.limits, stdin=stdin)
            self._guest.send(frames.RESULT, json.dumps(self.result).encode())
        except (ClosedError, StateError) as error:
            self.error = error
        finally:
            self._guest.close()

    def hear(self) -> bytes:
        kind, data = self.channel.receive(SECONDS)
        if kind in self.printed:
            self.printed[kind] += data
        elif kind == frames.TAKEN:
            self.taken += int.from_bytes(data, "big")
        return kind

    def ends(self) -> dict[str, Any]:
        while self.hear() != frames.RESULT:
            pass
        self.join()
        return self.result

    def join(self) -> None:
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()
        self.channel.close()


def test_streams_and_exit_code_come_as_they_are_and_input_is_told_once_it_was_passed_on(
    sandbox: LastingSandbox,
) -> None:
    given = os.urandom(3 * CHUNK)
    program = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()); sys.stderr.write('err'); sys.exit(7)"
    host = Host(sandbox, *PYTHON, program, stdin=True)
    for start in range(0, len(given), CHUNK):
        host.channel.put(frames.INPUT, given[start : start + CHUNK])
    host.channel.put(frames.INPUT)
    while host.channel.unsent:
        host.channel.flush()
        if host.channel.unsent:
            host.hear()
    result = host.ends()
    assert (result["code"], result["failure"], result["stdout"]) == (7, None, "")
    assert host.printed == {frames.OUTPUT: given, frames.ERRORS: b"err"}
    assert host.taken == len(given)


def test_input_that_came_with_the_question_reaches_the_command(sandbox: LastingSandbox) -> None:
    early = frames.INPUT + (3).to_bytes(4, "big") + b"abc" + frames.INPUT + bytes(4)
    host = Host(sandbox, "/bin/cat", stdin=True, early=early)
    assert host.ends()["code"] == 0
    assert host.printed[frames.OUTPUT] == b"abc"


def test_commands_one_after_the_other_have_the_same_helper(sandbox: LastingSandbox) -> None:
    kept: set[int] = set()
    for _ in range(3):
        assert Host(sandbox, "/bin/true").ends()["code"] == 0
        one = sandbox.helpers.take()
        sandbox.helpers.give_back(one)
        kept.add(one.pid)
    assert len(kept) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, 137)])
def test_a_signal_reaches_a_command_whose_output_nobody_takes(
    sandbox: LastingSandbox, number: signal.Signals, code: int
) -> None:
    host = Host(sandbox, "/usr/bin/yes")
    assert host.hear() == frames.OUTPUT
    host.channel.send(frames.SIGNAL, bytes([number]))
    assert host.ends()["code"] == code
    assert set(host.printed[frames.OUTPUT]) == set(b"y\n")


def test_a_stream_that_the_host_shuts_is_closed_to_the_command(sandbox: LastingSandbox) -> None:
    host = Host(sandbox, "/usr/bin/yes")
    host.channel.send(frames.SHUT, frames.OUTPUT)
    assert host.ends()["code"] == 128 + signal.SIGPIPE


def test_a_command_ends_with_its_connection_and_all_that_came_of_it(sandbox: LastingSandbox) -> None:
    host = Host(sandbox, "/bin/sh", "-c", "sleep 765432 & sleep 765432")
    assert eventually(lambda: len(sleepers(765432)) == 2)
    host.channel.hang_up()
    host.join()
    assert isinstance(host.error, ClosedError)
    assert eventually(lambda: not sleepers(765432))


def test_its_limits_hold_and_what_cannot_run_is_said(sandbox: LastingSandbox) -> None:
    assert Host(sandbox, "/bin/sleep", "60", wall_time=0.5).ends()["timed_out"] is True
    said = Host(sandbox, "/bin/sh", "-c", "printf 0123456789", output=4)
    assert said.ends()["stdout_dropped"] == 6
    assert said.printed[frames.OUTPUT] == b"0123"
    assert Host(sandbox, "/no/such/command").ends()["failure"][0] == "command-not-found"


def test_in_a_sandbox_that_has_ended_nothing_runs() -> None:
    with Scene() as scene:
        driver = Plugins().get("driver", "bwrap", {"cache_dir": scene.state})
        assert isinstance(driver, LastingDriver)
        home = Path(scene.state, "sandbox")
        home.mkdir(mode=0o700)
        made = driver.create(scene.spec(), home, Path(scene.state), 0.0)
        assert isinstance(made, LastingSandbox)
        driver.end(home)
        host = Host(made, "/bin/true")
        host.join()
        failure = host.result.get("failure")
        assert isinstance(host.error, StateError) or (failure and failure[0] in {"launch", "state"})
        made.release()
