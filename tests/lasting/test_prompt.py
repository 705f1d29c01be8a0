"""A command that a program waits for is run by one call of a library; what is out of the ordinary is Python's."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from aisbx import Sandbox
from aisbx.audit import kept
from aisbx.engine.opened import Opened
from aisbx.errors import AbortedError, AisbxError, CommandNotExecutableError, CommandNotFoundError, LaunchError
from aisbx.types import Command, ExitStatus, Stdio
from aisbx_linux.lasting import client
from aisbx_linux.lasting.helped import Helped
from aisbx_linux.lasting.sandbox import LastingSandbox

from .conftest import Box, eventually, sleepers

CAPTURE = 1 << 22
BOTH = "head -c 300000 /dev/zero | tr '\\0' x; head -c 200000 /dev/zero | tr '\\0' y >&2; exit 3"


@pytest.fixture
def sandbox(box: Box) -> Iterator[LastingSandbox]:
    if client.load() is None:
        assert "machine" not in os.environ.get("AISBX_REQUIRE", "").split(","), "there is no compiled library"
        pytest.skip("there is no compiled library: it needs a C compiler at set-up")
    box.out("create", "--name", "work", "-p", "python-dev")
    found = LastingSandbox(box.state / "sandboxes/work/home")
    yield found
    found.release()


def run(sandbox: LastingSandbox, *argv: str, **limits: float) -> ExitStatus:
    return sandbox.execute(Command(argv=argv, limits=limits), Stdio(capture=CAPTURE))


def sh(sandbox: LastingSandbox, script: str, **limits: float) -> ExitStatus:
    return run(sandbox, "sh", "-c", script, **limits)


def by_python(sandbox: LastingSandbox, *argv: str, **limits: float) -> ExitStatus:
    status = sandbox.spawn(Command(argv=argv, limits=limits), Stdio(capture=CAPTURE)).wait(60)
    assert status is not None
    return status


def told(status: ExitStatus) -> tuple[object, ...]:
    return status.code, status.signal, status.timed_out, status.stdout, status.stderr, status.findings


@pytest.fixture
def library_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_one: Helped, *_more: object) -> None:
        raise AssertionError("it was not the library that ran it")

    monkeypatch.setattr(Helped, "start", refuse)
    monkeypatch.setattr(Helped, "_has", refuse)


@pytest.mark.usefixtures("library_only")
def test_what_is_ordinary_is_run_by_the_library_alone(box: Box, sandbox: LastingSandbox) -> None:
    assert told(run(sandbox, "true"))[:2] == (0, 0)
    status = sh(sandbox, "printf 'a\\0b'; printf e >&2; sleep 0.05; printf c; exit 7")
    assert (status.code, status.stdout.data, status.stderr.data) == (7, b"a\0bc", b"e")
    assert status.duration >= 0.05
    assert status.usage.max_rss_bytes > 1 << 16
    status = sh(sandbox, "kill -9 $$")
    assert (status.code, status.signal) == (137, 9)
    (box.project / "new.txt").write_text("the user's own")
    assert sh(sandbox, "echo more >> new.txt; cat new.txt").stdout.data == b"the user's ownmore\n"
    results: list[bytes] = []

    def say(number: int) -> None:
        results.extend(run(sandbox, "echo", str(number)).stdout.data for _ in range(5))

    threads = [threading.Thread(target=say, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted(b"%d\n" % n for n in range(5) for _ in range(5))


def test_what_is_not_ordinary_is_told_of_as_python_does(sandbox: LastingSandbox) -> None:
    for script, limits in (
        (BOTH, {}),
        (BOTH, {"output": 250_000}),
        (BOTH, {"output": 1000}),
        ("printf 1234; printf 5678 >&2", {"output": 8}),
        ("echo begun; sleep 60", {"wall_time": 0.3}),
        ("(sleep 0.4; echo late) & echo first", {}),
    ):
        assert told(sh(sandbox, script, **limits)) == told(by_python(sandbox, "sh", "-c", script, **limits)), script
    for problem, argv in ((CommandNotFoundError, ("no-such",)), (CommandNotExecutableError, ("/etc/hosts",))):
        with pytest.raises(problem) as ours:
            run(sandbox, *argv)
        with pytest.raises(problem) as pythons:
            by_python(sandbox, *argv)
        assert str(ours.value) == str(pythons.value)
    with pytest.raises(LaunchError, match="/nowhere"):
        sandbox.execute(Command(argv=("pwd",), cwd="/nowhere"), Stdio(capture=CAPTURE))
    with pytest.raises(LaunchError, match="null byte"):
        run(sandbox, "echo", "a\0b")


def test_what_is_planted_is_undone_and_told(box: Box, sandbox: LastingSandbox) -> None:
    assert sh(sandbox, "mkdir -p sub/deep; echo fine > sub/deep/file").findings == ()
    status = sh(sandbox, "mkdir -p .vscode; echo '{}' > .vscode/tasks.json")
    assert status.findings
    assert not (box.project / ".vscode/tasks.json").exists()


def test_a_paused_sandbox_and_a_helper_that_is_killed(box: Box, sandbox: LastingSandbox) -> None:
    run(sandbox, "true")
    box.out("pause", "work")
    with pytest.raises(AisbxError, match="paused"):
        run(sandbox, "true")
    box.out("resume", "work")
    one = sandbox.helpers.take()
    sandbox.helpers.give_back(one)
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            run(sandbox, "sleep", "654321")
        except AbortedError as error:
            ended.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert eventually(lambda: sleepers(654321))
    os.kill(one.pid, signal.SIGKILL)
    waiting.join(20)
    assert ended
    assert eventually(lambda: not sleepers(654321))
    assert run(sandbox, "true").code == 0


def test_a_handler_of_a_signal_is_run_meanwhile_and_nothing_stays_open(sandbox: LastingSandbox) -> None:
    run(sandbox, "true")
    sh(sandbox, BOTH)
    before = sorted(os.listdir("/proc/self/fd"))
    heard: list[int] = []

    def interrupt(number: int, _: object) -> None:
        heard.append(number)
        if len(heard) > 1:
            raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        assert sh(sandbox, "sleep 0.4; echo on").stdout.data == b"on\n"
        assert heard == [signal.SIGALRM]
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            run(sandbox, "sleep", "654322")
    finally:
        signal.signal(signal.SIGALRM, old)
    assert eventually(lambda: not sleepers(654322)), "what was interrupted goes on"
    for script in ("exit 1", BOTH):
        sh(sandbox, script)
    assert len(os.listdir("/proc/self/fd")) <= len(before)


def test_the_library_records_commands_as_python_does(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    if client.load() is None:
        assert "machine" not in os.environ.get("AISBX_REQUIRE", "").split(","), "there is no compiled library"
        pytest.skip("there is no compiled library: it needs a C compiler at set-up")
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in box.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(box.project)
    by_library, write = list[bool](), Opened.write

    def noted(opened: Opened, beginning: str, what: str) -> None:
        by_library.append(False)
        write(opened, beginning, what)

    monkeypatch.setattr(Opened, "write", noted)
    argv = ["sh", "-c", 'echo \u00e4 "$0"; kill -15 $$', "\udcff\n"]
    log = box.state / "audit.jsonl"

    def end(turn: str) -> dict[str, object]:
        with Sandbox.create(f"by-{turn}") as sandbox:
            sandbox.exec(["true"])
            by_library.clear()
            assert sandbox.exec(argv).code == 143
            return json.loads(log.read_text().splitlines()[-1])

    ours = end("library")
    assert by_library == []
    with ThreadPoolExecutor(4) as pool, Sandbox.create("by-many") as many:
        assert all(result.code == 143 for result in pool.map(many.exec, [argv] * 12))
    box.out("audit", "verify")
    monkeypatch.setattr(kept, "compiled", lambda _: None)  # pyright: ignore[reportUnknownLambdaType]
    pythons = end("python")
    assert by_library == [False]
    for told in (ours, pythons):
        for name in ("time", "run", "sandbox", "duration", "usage", "seq", "mac"):
            assert told.pop(name)
    assert list(ours) == list(pythons)
    assert ours == pythons
