"""A program's command with nothing of its own is admitted, run and recorded by one call of a library."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from aisbx import Sandbox
from aisbx.engine.opened import Opened
from aisbx.errors import AisbxError, CommandNotFoundError, LaunchError, PolicyError, StateError, UsageError
from aisbx.types import Outcome
from aisbx_linux.lasting import client

from .conftest import Box, eventually, sleepers
from .test_policies import RULE

BIG = "head -c 300000 /dev/zero | tr '\\0' x; exit 3"


@pytest.fixture
def sandbox(whole: Box) -> Iterator[Sandbox]:
    assert whole
    if client.load() is None:
        assert "machine" not in os.environ.get("AISBX_REQUIRE", "").split(","), "there is no compiled library"
        pytest.skip("there is no compiled library: it needs a C compiler at set-up")
    with Sandbox.create() as made:
        made.exec(["true"])
        made.exec(["true"])
        yield made


@pytest.fixture
def long_ways(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What took the long way: where the machine is crowded a command may outlast the watchdog's first look."""
    assert sandbox
    found: list[str] = []
    execute, write = Opened.execute, Opened.write

    def executed(opened: Opened, *more: Any) -> Outcome:
        found.append("execute")
        return execute(opened, *more)

    def written(opened: Opened, *more: str) -> None:
        found.append("write")
        write(opened, *more)

    monkeypatch.setattr(Opened, "execute", executed)
    monkeypatch.setattr(Opened, "write", written)
    return found


def records(box: Box, run: str) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in (box.state / "audit.jsonl").read_text().splitlines())
    return [line for line in lines if line.get("run") == run]


def test_what_has_nothing_of_its_own_takes_the_short_way(whole: Box, sandbox: Sandbox, long_ways: list[str]) -> None:
    for _ in range(20):
        sandbox.exec(["true"], check=True)
    assert len(long_ways) < 20
    done = sandbox.exec(["sh", "-c", "printf 'a\\0b'; printf e >&2; sleep 0.05; exit 7"])
    assert (done.code, done.stdout, done.stderr, done.findings, done.truncated) == (7, b"a\0b", b"e", (), False)
    assert done.duration >= 0.05
    assert done.usage.max_rss_bytes > 1 << 16
    assert [(one["exit_code"], one["argv"][0]) for one in records(whole, done.run)] == [(7, "sh")]
    with ThreadPoolExecutor(1) as pool:
        assert [one.code for one in pool.map(sandbox.exec, [["sh", "-c", "kill -9 $$"]] * 5)] == [137] * 5
    sandbox.exec(["sh", "-c", "[ $(ls | wc -l) = 0 ] && pwd"], check=True)
    whole.out("audit", "verify")


def test_it_is_recorded_as_by_the_long_way(whole: Box, sandbox: Sandbox) -> None:
    for argv in (
        ["true"],
        ["echo", "", '"\\\n\t\x7f', "\u00e4\U0001f600", "\udcff\udc80"],
        ["sh", "-c", "exit 3", *"x" * 50],
    ):
        short, long = sandbox.exec(argv), sandbox.exec(argv, env={"A": "b"})
        (ours,), (theirs,) = records(whole, short.run), records(whole, long.run)
        for told in (ours, theirs):
            for name in ("time", "run", "duration", "usage", "seq", "mac"):
                assert told.pop(name)
        assert list(ours) == list(theirs)
        assert ours == theirs
        assert (short.code, short.stdout, short.stderr) == (long.code, long.stdout, long.stderr)
    with pytest.raises(LaunchError, match="null byte"):
        sandbox.exec(["echo", "a\0b"])
    with pytest.raises(LaunchError, match="null byte"):
        sandbox.exec(["echo\0", ""])
    words = ["echo", *(str(number) for number in range(200))]
    assert sandbox.exec(words).stdout.split() == [word.encode() for word in words[1:]]
    with pytest.raises((AisbxError, ValueError)) as long_way:
        sandbox.exec(["echo", "\udc00"], env={"A": "b"})
    with pytest.raises(type(long_way.value), match=re.escape(str(long_way.value))):
        sandbox.exec(["echo", "\udc00"])
    with pytest.raises(UsageError, match="the word 1 of a command is not a string"):
        sandbox.exec(["echo", 1])  # pyright: ignore[reportArgumentType]
    assert sandbox.exec(["echo", "on"]).stdout == b"on\n"


def test_what_is_not_ordinary_is_gone_on_with_under_its_run(whole: Box, sandbox: Sandbox) -> None:
    done = sandbox.exec(["sh", "-c", BIG])
    assert (done.code, done.stdout) == (3, b"x" * 300000)
    assert [one["exit_code"] for one in records(whole, done.run)] == [3]
    done = sandbox.exec(["sh", "-c", "mkdir -p .vscode; echo '{}' > .vscode/tasks.json"])
    assert done.findings
    assert records(whole, done.run)[0]["findings"]
    with pytest.raises(CommandNotFoundError, match="no-such"):
        sandbox.exec(["no-such"])
    last = json.loads((whole.state / "audit.jsonl").read_text().splitlines()[-1])
    assert (last["kind"], last["argv"], last["error"]["code"]) == ("exec.refused", ["no-such"], "command-not-found")
    with Sandbox.create(timeout=0.3, output=1000) as bounded:
        for _ in range(3):
            assert bounded.exec(["true"]).code == 0
        assert bounded.exec(["sleep", "4717"]).timed_out
        assert bounded.exec(["sh", "-c", BIG]).truncated
    assert not sleepers(4717)


def test_it_is_for_this_process_and_this_log_alone(whole: Box, sandbox: Sandbox) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0 if sandbox.exec(["sh", "-c", "echo in a fork"]).stdout == b"in a fork\n" else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert sandbox.exec(["echo", "here"]).stdout == b"here\n"
    log = whole.state / "audit.jsonl"
    log.rename(f"{log}.moved")
    try:
        run = sandbox.exec(["true"]).run  # else it would be recorded in the one that was moved
        assert records(whole, run)
    finally:
        log.unlink()
        os.rename(f"{log}.moved", log)


def test_a_log_that_is_open_to_others_keeps_every_command_from_running(whole: Box, sandbox: Sandbox) -> None:
    log = whole.state / "audit.jsonl"
    log.chmod(0o644)
    try:
        with pytest.raises(StateError, match="audit"):
            sandbox.exec(["touch", "ran"])
    finally:
        log.chmod(0o600)
    assert not (whole.project / "ran").exists()
    assert sandbox.exec(["true"]).code == 0


def test_what_its_maker_named_and_a_pause_hold_for_it(whole: Box, sandbox: Sandbox) -> None:
    with Sandbox.create(env={"MADE": "with"}) as made:
        for _ in range(3):
            assert made.exec(["sh", "-c", "echo $MADE"]).stdout == b"with\n"
    whole.out("pause", sandbox.name)
    with pytest.raises(AisbxError, match="paused"):
        sandbox.exec(["true"])
    whole.out("resume", sandbox.name)
    assert sandbox.exec(["true"]).code == 0


def test_a_handler_of_a_signal_leaves_nothing_open(sandbox: Sandbox) -> None:
    sandbox.exec(["true"])
    before = len(os.listdir("/proc/self/fd"))

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            sandbox.exec(["sleep", "4718"])
    finally:
        signal.signal(signal.SIGALRM, old)
    assert eventually(lambda: not sleepers(4718)), "what was interrupted goes on"
    for _ in range(3):
        assert sandbox.exec(["true"]).code == 0
    assert len(os.listdir("/proc/self/fd")) <= before


def test_many_threads_may_use_it_while_it_is_let_go(sandbox: Sandbox) -> None:
    until = time.monotonic() + 1

    def say(number: int) -> None:
        while time.monotonic() < until:
            assert sandbox.exec(["echo", str(number)]).stdout == b"%d\n" % number

    with ThreadPoolExecutor(4) as pool:
        done = pool.map(say, range(4))
        while time.monotonic() < until:
            sandbox._opened.release()  # pyright: ignore[reportPrivateUsage]
            time.sleep(0.05)
        assert list(done) == [None] * 4


def test_a_policy_is_asked_and_what_is_not_to_be_recorded_is_not(
    whole: Box, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AISBX_AUDIT__ARGV", "false")
    with Sandbox.attach(sandbox.name) as found:
        for _ in range(3):
            run = found.exec(["echo", "a secret"]).run
            assert records(whole, run)[0]["argv"] == ["echo"]
    config = whole.home / ".config/aisbx"
    config.mkdir(parents=True, exist_ok=True)
    (config / "commands.yaml").write_text(RULE)
    monkeypatch.setenv("AISBX_POLICIES", "commands")
    with Sandbox.attach(sandbox.name) as found:
        for _ in range(3):
            with pytest.raises(PolicyError, match="nothing is touched here"):
                found.exec(["touch", "seen"])
    assert not (whole.project / "seen").exists()
