"""One-shot runs of a program that the compiled front carries out: what is told of them, and whom they end with."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from aisbx import run
from aisbx.api.options import Options
from aisbx.api.result import Result
from aisbx.engine import again
from aisbx.engine.fronted import Fronted
from aisbx.errors import AbortedError, CommandNotFoundError
from aisbx.types import LaunchRequest, LaunchResult
from aisbx_linux import helped
from aisbx_linux.protect import scan

from .conftest import Box, eventually, needs_front, sleepers

pytestmark = needs_front


@pytest.fixture(autouse=True)
def carried(box: Box, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Have this process where the box's commands are, with a plan at hand; gives which runs the front carried out."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in box.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(box.project)
    # A directory that has just changed is looked at again for two seconds, which the front leaves to Python.
    monkeypatch.setattr(scan, "RACY", 0)
    monkeypatch.setattr(again, "shared", again.Runs())
    assert run(["true"]).ok
    by, given = Fronted.run, list[bool]()

    def noted(self: Fronted, request: LaunchRequest, principal: str, host: str) -> LaunchResult | None:
        result = by(self, request, principal, host)
        given.append(result is not None)
        return result

    monkeypatch.setattr(Fronted, "run", noted)
    return given


def told(result: Result) -> tuple[object, ...]:
    ends = result.timed_out, result.oom_killed, result.pids_limited, result.truncated
    findings = [line.replace(result.run, "RUN") for line in result.findings]
    return result.code, result.stdout, result.stderr, findings, ends


def test_the_front_carries_ordinary_runs_out_and_records_them(box: Box, carried: list[bool]) -> None:
    def one(number: int) -> Result:
        script = f'echo {number} "$N"; echo e >&2; exit {number}'
        return run(["sh", "-c", script], env={"N": f"a b{number}"})

    before = os.listdir("/proc/self/fd")
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(one, range(8)))
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert [told(result)[:3] for result in results] == [(n, f"{n} a b{n}\n".encode(), b"e\n") for n in range(8)]
    assert all(result.usage.max_rss_bytes > 1 << 16 and result.duration > 0 for result in results)
    assert run(["sh", "-c", "kill -9 $$"]).code == 137
    lines = [json.loads(line) for line in (box.state / "audit.jsonl").read_text().splitlines()[1:]]
    assert {line["run"] for line in lines} > {result.run for result in results}
    assert {(line["kind"], line["host"], line["principal"]) for line in lines} == {
        ("run.end", "python", f"uid:{os.geteuid()}")
    }
    assert sorted(line["exit_code"] for line in lines) == [*range(8), 137]
    assert lines[-1]["argv"] == ["sh", "-c", "kill -9 $$"]
    box.out("audit", "verify")
    old = os.umask(0o027)
    try:
        assert run(["sh", "-c", "umask; echo made > made"]).text == "0027\n", "not what this process has now"
    finally:
        os.umask(old)
    assert carried == [True] * 10


def test_what_is_not_ordinary_is_told_of_as_python_does(box: Box, carried: list[bool]) -> None:
    cases: tuple[tuple[str, Options], ...] = (
        ("head -c 300000 /dev/zero | tr '\\0' x; head -c 200000 /dev/zero | tr '\\0' y >&2; exit 3", {}),
        ("echo begun; sleep 60", {"timeout": 0.4}),
        ("printf 12345678; printf 9", {"output": 8}),
        ("mkdir -p .vscode; echo '{}' > .vscode/tasks.json", {}),
    )
    for script, options in cases:
        run(["true"], **options)
        carried.clear()
        ours = run(["sh", "-c", script], **options)
        assert carried == [True], script
        assert ours.run in (box.state / "audit.jsonl").read_text()
        assert told(ours) == told(by_python(script, options)), script


def by_python(script: str, options: Options) -> Result:
    """Give what Python tells of the same."""
    os.environ["AISBX_FRONT"] = "0"
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(again, "shared", again.Runs())
            return run(["sh", "-c", script], **options)
    finally:
        del os.environ["AISBX_FRONT"]


def test_a_command_that_is_not_there_is_refused_as_by_python() -> None:
    with pytest.raises(CommandNotFoundError) as ours:
        run(["no-such-command"])
    os.environ["AISBX_FRONT"] = "0"
    try:
        with pytest.raises(CommandNotFoundError) as pythons:
            run(["no-such-command"])
    finally:
        del os.environ["AISBX_FRONT"]
    assert str(ours.value) == str(pythons.value)


def test_a_front_that_is_killed_takes_its_run_along_and_that_is_recorded(box: Box) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, ["sleep", "0.0876"])
        running.result()
        before = children()
        for wait in (0.02, 0.5):  # the front itself, and Python that has taken over
            running = pool.submit(run, ["sleep", "765411"], env={"TOLD": "by nobody"})
            assert eventually(lambda: sleepers(765411))
            threading.Event().wait(wait)
            fronts = [pid for pid in children() if pid not in {*before, helped.shared.pid}]
            shown = [words for words in command_lines() if b"by nobody" in words]
            for pid in fronts:
                os.kill(pid, signal.SIGKILL)
            assert (len(fronts), shown) == (1, [])
            with pytest.raises(AbortedError):
                running.result()
            assert eventually(lambda: not sleepers(765411))
    last = json.loads((box.state / "audit.jsonl").read_text().splitlines()[-1])
    assert (last["kind"], last["argv"][0], last["error"]["code"]) == ("run.end", "sleep", "aborted")
    assert run(["true"]).ok


def test_an_interrupt_ends_the_run() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            run(["sleep", "765412"])
    finally:
        signal.signal(signal.SIGALRM, old)
    assert eventually(lambda: not sleepers(765412))
    assert run(["true"]).ok


def children() -> list[int]:
    found: list[int] = []
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/children") as stream:
            found += map(int, stream.read().split())
    return found


def command_lines() -> Iterator[bytes]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/cmdline", "rb") as stream:
                    yield stream.read()
            except OSError:
                continue
