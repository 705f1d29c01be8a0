"""What the Python API has beside commands that are waited for: one sandbox for all of it, made once."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aisbx import AsyncSandbox, Sandbox, run
from aisbx.api import Changes
from aisbx.api.bounded import Cut
from aisbx.errors import AbortedError, StateError, UsageError

from .conftest import Box, eventually, sleepers


@pytest.fixture(scope="module")
def sandbox(whole: Box) -> Iterator[Sandbox]:
    del whole
    with Sandbox.create("work") as made:
        yield made


def test_files(sandbox: Sandbox, whole: Box, tmp_path: Path) -> None:
    files = sandbox.files
    files.mkdir("/tmp/a/b/c", parents=True)
    files.mkdir("/tmp/a/b/c", parents=True)
    with pytest.raises(StateError, match="exists"):
        files.mkdir("/tmp/a")
    files.write("/tmp/a/note", "0123456789", mode=0o600)
    assert files.read("/tmp/a/note", offset=3, limit=4) == b"3456"
    assert (files.read_text("/tmp/a/note"), files.stat("/tmp/a/note").mode) == ("0123456789", 0o600)
    assert [row.name for row in files.list("/tmp/a")] == ["b", "note"]
    files.write("below", "the workspace")
    assert (whole.project / "below").read_text() == "the workspace"
    files.remove("below")
    assert not (whole.project / "below").exists()
    watch = files.watch("/tmp/a")
    sandbox.exec(["ln", "-s", "/tmp/a/b", "/tmp/a/link"], check=True)
    assert next(watch).name == "link"
    waiting = threading.Thread(target=lambda: list(watch))
    waiting.start()
    watch.close()
    waiting.join(10)
    assert not waiting.is_alive()
    with pytest.raises(StateError, match="not empty"):
        files.remove("/tmp/a")
    assert files.download("/tmp/a", tmp_path) == []
    assert (tmp_path / "a/note").read_text() == "0123456789"
    files.upload(tmp_path / "a", "/tmp/again")
    files.remove("/tmp/a/link", recursive=True)  # the link, not the directory that it names
    assert files.stat("/tmp/a/b").kind == "directory"
    files.remove("/tmp/a", recursive=True)
    assert "a" not in [row.name for row in files.list("/tmp")]
    with pytest.raises(StateError, match="Read-only"):  # what is read-only inside is so for this too
        files.mkdir("/usr/made")
    with pytest.raises(StateError, match=r"No such file|Read-only"):
        files.remove("/usr/bin/env")


def test_no_link_leads_a_removal_out_of_the_sandbox(sandbox: Sandbox, whole: Box) -> None:
    outside = whole.home / "outside"
    outside.mkdir()
    (outside / "mine").write_text("mine")
    sandbox.exec(["sh", "-c", f"mkdir /tmp/r; ln -s {outside} /tmp/r/out; ln -s / /tmp/r/root"], check=True)
    for path in (f"/tmp/r/root{outside}", "/tmp/r/out/mine", "/tmp/../../.." + str(outside)):
        with pytest.raises(StateError):
            sandbox.files.remove(path, recursive=True)
        with pytest.raises(StateError):
            sandbox.files.mkdir(f"{path}/made")
    sandbox.files.remove("/tmp/r", recursive=True)
    assert (outside / "mine").read_text() == "mine"


def test_a_command_in_the_background(sandbox: Sandbox, whole: Box) -> None:
    heard = 'while read line; do echo "heard $line"; done; echo over >&2; exit 3'
    process = sandbox.start(["sh", "-c", heard], stdin=True)
    assert process.wait(0.05) is None
    process.write("one\n")
    chunk = next(process.follow())
    assert (chunk.stream, chunk.data) == (1, b"heard one\n")
    assert process.read(chunk.cursor) is None
    same = Sandbox.attach("work").process(process.id[:6])
    same.write(b"two\n")
    same.close_input()
    result = process.wait(20)
    assert result is not None
    assert (result.code, result.text, result.errors) == (3, "heard one\nheard two\n", "over\n")
    assert (process.state, result.run, result.argv[0]) == ("ended", process.id, "sh")
    assert result.duration > 0
    assert result.usage.max_rss_bytes > 0
    cursor, data = 0, b""
    while (part := process.read(cursor, 5)) is not None:
        cursor, data = part.cursor, data + part.data
    assert data == b"heard one\nheard two\nover\n"
    assert process.logs(tail=1) == b"over\n"
    with pytest.raises(StateError, match="ended"):
        process.write("three\n")
    process.kill()
    assert [one.id for one in sandbox.processes()] == [process.id]
    assert whole.json("ps", "work", "--json")["commands"][0]["usage"].keys() == {
        "user_seconds",
        "system_seconds",
        "max_rss_bytes",
    }


def test_what_a_command_started_ends_with_it(sandbox: Sandbox) -> None:
    tree = ["sh", "-c", "sleep 765432 & (sleep 765431 &) ; sleep 765430"]
    process = sandbox.start(tree)
    assert eventually(lambda: all(sleepers(765430 + n) for n in range(3)))
    with pytest.raises(StateError, match="runs"):
        process.result()
    words = [row.argv for row in sandbox.ps()]
    assert ("sleep", "765432") in words
    process.kill()
    result = process.wait(20)
    assert result is not None
    assert result.code == 137
    assert not any(sleepers(765430 + n) for n in range(3))
    timed = sandbox.exec(tree, timeout=0.3)
    assert timed.timed_out
    assert eventually(lambda: not any(sleepers(765430 + n) for n in range(3)))


def test_a_terminal(sandbox: Sandbox) -> None:
    process = sandbox.start(["sh", "-c", "read x; stty size; read x"], terminal=True)
    process.resize(33, 99)
    process.write("\n")
    assert eventually(lambda: b"33 99" in process.logs())
    process.signal(signal.SIGHUP)
    result = process.wait(20)
    assert result is not None
    assert result.code == 129
    plain = sandbox.start(["sleep", "5"])
    with pytest.raises(UsageError, match="terminal"):
        plain.resize(1, 1)
    plain.kill()


def test_one_whose_supervisor_is_killed(sandbox: Sandbox) -> None:
    process = sandbox.start(["sleep", "5432"])
    os.kill(process._background.find(process.id).row["supervisor"], 9)  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(AbortedError):
        process.wait(20)
    assert process.state == "lost"


def test_much_output_is_bounded_and_does_not_hold_the_end_up(sandbox: Sandbox) -> None:
    result = sandbox.exec(["sh", "-c", "seq 200000; seq 5 >&2"], keep=(10, 8))
    assert (result.stdout, result.truncated) == (b"1\n2\n3\n4\n5\n\n200000\n", True)
    assert result.stdout_cut == Cut(10, 1288895 - 18)
    assert (result.stderr, result.stderr_cut) == (b"1\n2\n3\n4\n5\n", None)
    with sandbox.stream(["yes"]) as stream:
        assert next(iter(stream)) == b"y\n"
        begun = time.monotonic()
    assert time.monotonic() - begun < 10
    assert stream.result.code == 137
    loud = sandbox.start(["sh", "-c", "seq 200000"]).wait(20, head=10, tail=8)
    assert loud is not None
    assert loud.text == "1\n2\n3\n4\n5\n\n[1288877 bytes left out]\n\n200000\n"


def test_pause(sandbox: Sandbox) -> None:
    sandbox.pause()
    try:
        assert sandbox.paused
        assert sandbox.info.state == "paused"
        with pytest.raises(StateError, match="paused"):
            sandbox.files.list("/")
    finally:
        sandbox.resume()
    assert [one.state for one in Sandbox.list()] == ["running"]


def test_what_was_changed_is_applied_or_discarded(whole: Box) -> None:
    with Sandbox.create(mode="cow") as layered:
        layered.exec(["sh", "-c", "echo new > new; mkdir .vscode; echo {} > .vscode/tasks.json; echo x > other"])
        changes = {change.path: change for change in layered.changes.list()}
        assert changes.keys() == {"new", "other", ".vscode", ".vscode/tasks.json"}
        assert layered.changes.contents(changes["new"]) == (None, b"new\n")
        assert "+new\n" in layered.changes.diff("new")
        with pytest.raises(StateError, match="not applied"):
            layered.destroy()
        applied = layered.changes.apply("new", "other")
        assert ([change.path for change in applied.done], applied.left) == (["new", "other"], [])
        left = layered.changes.apply().left
        assert {change.path for change, _ in left} == {".vscode", ".vscode/tasks.json"}
        assert (whole.project / "new").read_text() == "new\n"
        assert not (whole.project / ".vscode").exists()
        layered.destroy(discard=True)
    ended = run(["sh", "-c", "echo more >> new"], mode="cow")
    assert [change.path for change in Changes(ended.run).discard()] == ["new"]
    assert (whole.project / "new").read_text() == "new\n"


def test_what_was_printed_before_one_was_let_in_is_heard(sandbox: Sandbox, whole: Box) -> None:
    os.mkfifo(whole.project / "go")
    process = sandbox.start(["sh", "-c", "read x < go; echo printed; exec sleep 4321"])
    supervisor: int = process._background.find(process.id).row["supervisor"]  # pyright: ignore[reportPrivateUsage]
    os.kill(supervisor, signal.SIGSTOP)
    heard: list[bytes] = []
    reader = threading.Thread(target=lambda: heard.append(next(process.follow()).data))
    reader.start()
    (whole.project / "go").write_text("go\n")
    assert eventually(lambda: sleepers(4321))  # it has printed, and nobody has read it
    os.kill(supervisor, signal.SIGCONT)
    reader.join(10)
    process.kill()
    assert heard == [b"printed\n"]


async def cancelled(box: AsyncSandbox) -> None:
    tree = ["sh", "-c", "sleep 654301 & (sleep 654302 &); sleep 654303"]
    task = asyncio.create_task(box.exec(tree))
    assert await asyncio.to_thread(eventually, lambda: all(sleepers(654301 + n) for n in range(3)))
    at_once = asyncio.create_task(box.exec(["sleep", "654304"]))
    await asyncio.sleep(0)
    for one in (task, at_once):
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
    assert not any(sleepers(654301 + n) for n in range(4))


async def in_the_background(box: AsyncSandbox) -> None:
    process = await box.start(["sh", "-c", 'echo begun; read x; echo "got $x"'], stdin=True)
    assert await process.wait(0.05) is None  # it goes on in the background
    chunks = process.follow()
    first = await anext(chunks)
    assert first.data == b"begun\n"
    asking = asyncio.create_task(anext(chunks))
    await process.write("this\n")
    assert (await asking).data == b"got this\n"
    ended = await process.wait()
    assert ended is not None
    assert ended.text == "begun\ngot this\n"
    again = await (await box.process(process.id)).read(first.cursor)
    assert again is not None
    assert again.data == b"got this\n"
    with pytest.raises(StateError, match="has ended"):
        await process.write("more\n")


async def files_of(box: AsyncSandbox) -> None:
    await box.files.mkdir("/tmp/w")
    events = box.files.watch("/tmp/w")
    seen = asyncio.create_task(anext(events))

    async def poke() -> None:
        while not seen.done():
            await box.files.write("/tmp/w/x", b"data")

    await asyncio.wait_for(poke(), 20)
    assert (await seen).kind == "created"
    await events.aclose()
    assert await box.files.read("/tmp/w/x", limit=2) == b"da"


def test_coroutines_wait_in_no_thread_of_the_programs(sandbox: Sandbox) -> None:
    async def work() -> None:
        box = await AsyncSandbox.attach("work")
        slow = [asyncio.create_task(box.exec(["sleep", "0.6"])) for _ in range(8)]
        process = await box.start(["sleep", "0.6"])
        waiting = [asyncio.create_task(process.wait()) for _ in range(40)]
        begun = time.monotonic()
        await asyncio.gather(*(asyncio.to_thread(time.sleep, 0.01) for _ in range(6)))
        assert time.monotonic() - begun < 0.5  # the program's own threads are free
        await asyncio.gather(*slow, *waiting)
        result = await box.exec(["sh", "-c", "seq 200000; echo why >&2; exit 7"], keep=(2, 7))
        assert (result.code, result.stdout, result.errors) == (7, b"1\n200000\n", "why\n")
        await cancelled(box)
        await in_the_background(box)
        await files_of(box)
        await box.close()

    asyncio.run(work())
    assert sandbox.info.state == "running"
