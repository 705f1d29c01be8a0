"""A pool's sandboxes: nothing has run in one that is taken, there are never too many, and none is left."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest
from aisbx import AsyncPool, Pool, Sandbox
from aisbx.api.pooled import PooledSandbox
from aisbx.audit import reserve
from aisbx.audit.write import AuditError
from aisbx.engine import ends, lasting
from aisbx.errors import ConfigError, StateError, UsageError
from aisbx.store import Store

from .conftest import Box, eventually

CLIENT = """
import os, time
from aisbx import Pool
pool = Pool(size=2, most=3)
taken = pool.take()
taken.exec(["sh", "-c", "sleep 654987 >/dev/null 2>&1 &"], check=True)
if os.fork() == 0:  # has all that its parent has, and outlives it
    time.sleep(30)
    os._exit(0)
print("up", flush=True)
time.sleep(30)
"""


@pytest.fixture(autouse=True)
def here(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process where the box's commands are."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in box.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(box.project)


def test_nothing_has_run_in_one_that_is_taken_and_it_ends_behind_its_block() -> None:
    seen: set[str] = set()
    with Pool(size=2, env={"MADE": "by its maker"}) as pool:
        for _ in range(3):
            with pool.take() as sandbox:
                told = sandbox.exec(
                    ["sh", "-c", 'ls /dev/shm; cat /tmp/a; echo "$MADE"; tee /tmp/a > /dev/shm/b'], input="x"
                )
                assert (told.text, told.errors.count("/tmp/a: No such file")) == ("by its maker\n", 1)
                seen.add(sandbox.name)
        assert len(seen) == 3
        assert eventually(lambda: not seen & set(Sandbox.names()))
        assert pool.run(["cat"], input="fed").text == "fed"
        with pool.take() as sandbox:
            sandbox.destroy()
            assert sandbox.name not in Sandbox.names()
        kept = pool.take()
        assert kept.exec(["true"]).ok
    assert Sandbox.names() == []
    with pytest.raises(StateError, match="closed"):
        pool.take()
    pool.close()


def test_one_that_ended_or_does_not_know_its_workspace_any_more_is_not_handed_out(box: Box) -> None:
    with Pool(size=1) as pool:
        (waiting,) = Sandbox.names()
        tasks = box.project / ".vscode/tasks.json"
        tasks.parent.mkdir()
        tasks.write_text("{}")  # the user's own: to a sandbox that is older it would be planted
        with pool.take() as sandbox:
            assert sandbox.name != waiting
            done = sandbox.exec(["sh", "-c", "echo x > .vscode/tasks.json"])
            assert (done.code != 0, done.findings) == (True, ())
        assert tasks.read_text() == "{}"
        found: list[str] = []

        def renewed() -> bool:
            found[:] = Sandbox.names()
            store = Store(box.state)
            return len(found) == 1 and all(map(store.finished, found)) and sandbox.name not in found

        assert eventually(renewed), found
        (waiting,) = found
        rows = box.json("inspect", waiting, "--json")
        assert rows["state"] == "running"
        box.out("destroy", waiting)
        with pool.take() as sandbox:
            assert sandbox.name != waiting
            assert sandbox.exec(["true"]).ok


def test_there_are_never_more_than_said_and_what_is_wrong_is_told() -> None:
    with Pool(size=1, most=1) as pool:
        with pool.take():
            with pytest.raises(StateError, match="was ready within"):
                pool.take(timeout=0.1)
            assert len(Sandbox.names()) == 1
        assert pool.run(["true"]).ok
        child = os.fork()
        if child == 0:
            code = 1
            try:
                pool.take()
            except StateError:
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with pytest.raises(ConfigError):
        Pool(size=1, profile="no-such-profile")
    with pytest.raises(UsageError):
        Pool(size=2, most=1)
    assert Sandbox.names() == []


def test_those_of_a_program_that_is_killed_end_whoever_has_its_descriptors(box: Box) -> None:
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT], cwd=box.project, env=box.env, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert client.stdout is not None
        assert client.stdout.readline() == b"up\n"
        assert eventually(lambda: len(Sandbox.names()) == 3)
        client.kill()
        client.wait()
        assert eventually(lambda: Sandbox.names() == [])
    finally:
        os.killpg(client.pid, signal.SIGKILL)
        client.communicate()


def test_coroutines() -> None:
    async def work() -> None:
        async with await AsyncPool.create(size=2) as pool:
            done = await asyncio.gather(*(pool.run(["sh", "-c", f"echo {n}"]) for n in range(3)))
            assert [result.text for result in done] == ["0\n", "1\n", "2\n"]
            async with await pool.take() as sandbox:
                assert (await sandbox.exec(["true"])).ok

    asyncio.run(work())
    assert Sandbox.names() == []


def unwritable(*_: object) -> None:
    raise AuditError("no")


def test_without_a_record_none_is_made_and_an_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(lasting, "append", unwritable)
        with pytest.raises(StateError, match="no: the sandbox work, which therefore is not made, has no record"):
            Sandbox.create("work")
        patch.setattr(reserve, "open_log", unwritable)
        with pytest.raises(StateError, match="audit log cannot be written: no"):
            Sandbox.create("work")
    assert Sandbox.names() == []
    made = Sandbox.create("work")
    monkeypatch.setattr(ends, "append_once", unwritable)
    with pytest.raises(StateError, match=r"no: what was done \(sandbox.destroy work\) has no record"):
        made.destroy()
    assert Sandbox.names() == []


def test_what_goes_wrong_in_making_one_is_told_and_who_makes_them_may_be_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Pool(size=1, most=2) as pool:
        taken = pool.take()
        assert eventually(lambda: pool._waiting)  # pyright: ignore[reportPrivateUsage]
        with monkeypatch.context() as patch:

            def broken(*_: object) -> PooledSandbox:
                raise ValueError("odd")

            patch.setattr(PooledSandbox, "of", broken)
            with pool.take():
                pass
            with pytest.raises(StateError, match="could not be made: odd"):
                pool.take()
        with monkeypatch.context() as patch:
            waits: list[bool] = []
            patch.setattr(PooledSandbox, "fresh", lambda one: waits.append(one in pool._waiting) or True)  # pyright: ignore[reportPrivateUsage, reportUnknownLambdaType, reportUnknownArgumentType]
            pool._waiting.append(taken)  # pyright: ignore[reportPrivateUsage]
            pool._look_at(taken)  # pyright: ignore[reportPrivateUsage]
            assert waits == [False], "who takes it meanwhile can plant what then counts as old"
            assert pool.take() is taken
        os.kill(pool.keeper._pid, signal.SIGKILL)  # pyright: ignore[reportPrivateUsage]
        assert taken.exec(["true"]).ok
        made = set(Sandbox.names()) - {one.name for one in pool._there}  # pyright: ignore[reportPrivateUsage]
    for name in made:  # those that were made when it was broken
        Sandbox.attach(name).destroy()
    assert Sandbox.names() == []
