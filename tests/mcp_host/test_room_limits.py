"""Limits hold also for those who ask all at once, and what is kept of a client is bounded."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aisbx.errors import AdmissionError, StateError
from aisbx.hosting.profiles import Offer, offer
from aisbx.types import Principal
from aisbx_mcp import progress, watching
from aisbx_mcp import room as room_module
from aisbx_mcp.kernels.pool import MOST as SESSIONS
from aisbx_mcp.kernels.pool import Kernels
from aisbx_mcp.options import ServeOptions
from aisbx_mcp.output import IN_MEMORY, Output
from aisbx_mcp.progress import Progress
from aisbx_mcp.room import Room
from aisbx_mcp.running import Running
from aisbx_mcp.tools import processes
from aisbx_mcp.transports.sessions import MOST, Sessions

from tests.mcp_host.conftest import Home
from tests.mcp_host.serving import keyring, serving


class Slow(Room):
    """Its sandboxes take a moment to make."""

    @property
    def profiles(self) -> Offer:
        return offer(self.principal, "shell", ())

    def _create(self, name: str, profile: str) -> Any:
        del profile
        time.sleep(0.05)
        if name == "bad":
            raise StateError("no")
        return SimpleNamespace(name=name, running={})


def new_room(outputs: Path, dropped: list[str] | None = None) -> Room:
    gone: list[str] = [] if dropped is None else dropped
    options = ServeOptions(sandboxes=3, commands=2)
    service: Any = SimpleNamespace(options=options, outputs=str(outputs), drop=gone.append, making=asyncio.Lock())
    return Slow(service, Principal("uid:7"))


async def together(*work: Any) -> tuple[list[Any], list[str]]:
    """Give what came of each, and what was refused."""
    done = await asyncio.gather(*work, return_exceptions=True)
    return [one for one in done if not isinstance(one, BaseException)], [
        str(one) for one in done if one in errors(done)
    ]


def errors(done: list[Any]) -> list[BaseException]:
    return [one for one in done if isinstance(one, StateError)]


def test_no_more_sandboxes_than_allowed_are_made_at_once(tmp_path: Path) -> None:
    async def work() -> None:
        room = new_room(tmp_path)
        made, refused = await together(*(room.create(f"n{number}", "") for number in range(6)))
        assert (len(made), len(refused)) == (3, 3)
        room.boxes.clear()
        assert len((await together(*(room.create("bad", "") for _ in range(3))))[1]) == 3
        waiting = asyncio.ensure_future(room.create("late", ""))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert room._places == 1, "it is still being made"
        await asyncio.sleep(0.1)
        assert room._places == 0
        taken: Any = SimpleNamespace(name="x")
        room.boxes["x"] = taken
        room._end_aside = lambda _box: None  # pyright: ignore[reportAttributeAccessIssue]  (there is none to end)
        with pytest.raises(StateError, match="was made at this moment"):
            room._keep("x", taken)

    asyncio.run(work())


def test_whoever_meets_a_sandbox_of_which_another_call_found_that_it_has_ended_is_told_too(tmp_path: Path) -> None:
    room = new_room(tmp_path)
    gone: Any = SimpleNamespace(name="default", real="x")

    def look(_real: str) -> object:
        return SimpleNamespace(state="ended")

    sandboxes = SimpleNamespace(look=look)
    room.service.engine = SimpleNamespace(sandboxes=sandboxes)  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(StateError, match="was ended from outside"):
        asyncio.run(room.check(gone))


def test_who_waits_for_a_sandbox_keeps_no_thread_from_others(tmp_path: Path) -> None:
    async def work() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
        room, order = new_room(tmp_path), list[str]()
        making = [asyncio.ensure_future(room.create(f"n{number}", "")) for number in range(3)]
        for each in making:
            each.add_done_callback(lambda _: order.append("made"))
        await asyncio.sleep(0.01)
        await asyncio.to_thread(order.append, "other")
        await asyncio.gather(*making)
        assert order == ["other", "made", "made", "made"]

    asyncio.run(work())


def test_a_sandbox_whose_maker_went_away_is_the_next_callers_and_none_is_made_beside_it(tmp_path: Path) -> None:
    async def given_up(work: Any) -> None:
        waiting = asyncio.ensure_future(work)
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    async def work() -> None:
        room, ended = new_room(tmp_path), list[str]()
        room._end_aside = lambda box: ended.append(box.name)  # pyright: ignore[reportAttributeAccessIssue]
        await given_up(room.box())
        found = await asyncio.gather(room.box(), room.box())
        assert found[0] is found[1] is room.boxes["default"]
        assert not ended
        await given_up(room.create("other", ""))
        assert await room.create("other", "") is room.boxes["other"]
        assert ended == ["other"], "the first, of which its client knows nothing"
        await given_up(room.create("third", ""))
        await room.close()
        assert ended == ["other", "default", "other", "third"], "all that is under way is waited for"
        assert not room._making

    asyncio.run(work())


def test_no_more_commands_than_allowed_are_started_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def start(*_: object) -> None:
        await asyncio.sleep(0.02)

    monkeypatch.setattr(Running, "start", start)

    async def work() -> None:
        room = new_room(tmp_path)
        box: Any = SimpleNamespace(name="b", opened=None, running={})
        room.boxes["b"] = box
        made, refused = await together(*(room.run(box, ["true"], given=b"") for _ in range(5)))
        assert (len(made), len(refused)) == (2, 3)

    asyncio.run(work())


def test_no_more_interpreters_than_allowed_begin_at_once_and_no_name_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def begin(_self: Kernels, _language: str) -> Any:
        await asyncio.sleep(0.02)

        async def close() -> None:
            pass

        return SimpleNamespace(lives=True, close=close)

    monkeypatch.setattr(Kernels, "_begin", begin)

    async def work() -> None:
        kernels = Kernels(None, Principal("x"), ())  # pyright: ignore[reportArgumentType]  (nothing is started)

        async def use(name: str) -> None:
            async with kernels.held("bash", name):
                pass

        made, refused = await together(*(use(f"s{number}") for number in range(SESSIONS + 4)))
        assert (len(made), len(refused)) == (SESSIONS, 4)
        for number in range(100):
            await kernels.end("bash", f"never {number}")
        assert not kernels._locks

    asyncio.run(work())


def test_the_oldest_output_goes_where_a_clients_is_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[str] = []
    monkeypatch.setattr(room_module, "DISK", 3 * IN_MEMORY)

    async def work() -> None:
        room = new_room(tmp_path, dropped)
        box: Any = SimpleNamespace(name="b", running={})
        room.boxes["b"] = box
        for name in "abcd":
            one = Running(name, "b", Output(f"{tmp_path}/{name}"))
            one.output.append(b"x" * (IN_MEMORY + 1))
            one.output.close()
            if name != "b":
                one._ended.set()
            box.running[name] = one
        room._forget_old(box)
        assert dropped == ["a", "c"], "one that runs has its output still"

    asyncio.run(work())


def test_whoever_waits_hears_that_it_goes_on_whatever_it_is_that_they_wait_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[float, float | None, str]] = []
    monkeypatch.setattr(progress, "EVERY", 0.02)

    async def report(done: float, whole: float | None, message: str) -> None:
        told.append((done, whole, message))

    async def heard(more: int) -> int:
        async with asyncio.timeout(20):
            while len(told) < more:  # noqa: ASYNC110 - what is told goes to a list
                await asyncio.sleep(0.01)
        return len(told)

    async def work() -> None:
        running = Running("p", "b", Output(str(tmp_path)))
        room = SimpleNamespace(find={"p": running}.get)
        says = Progress(report)
        call: Any = SimpleNamespace(progress=says, room=room)
        with says.reported():
            first = await heard(3)  # a sandbox that is being made, another's turn
            reading = asyncio.ensure_future(processes.process_output(call, "p", wait_s=30))
            await heard(first + 3)
            running.output.append(b"x")
            running._news.set()
            await reading
        last = len(told)
        await asyncio.sleep(0.1)
        assert len(told) == last, "nothing after its end"

    asyncio.run(work())
    assert told == sorted(told, key=lambda one: one[0])
    assert [message.split(" for ")[0] for _, _, message in (told[0], told[-1])] == ["working", "nothing new"]
    assert told[0][1] is None
    assert told[-1][1] is not None
    assert told[-1][1] > 30


def test_looking_at_what_is_watched_takes_a_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "EVERY", 0.01)
    looks = list[str]()

    async def version(uri: str) -> object:
        looks.append(uri)
        await asyncio.sleep(0.02)
        return 1

    async def work() -> None:
        async with watching.Watching(version).over(["aisbx://default/files/x"]):
            await asyncio.sleep(0.6)

    asyncio.run(work())
    assert 2 <= len(looks) <= 6, "one at first, and one each fifth of a second"


def test_one_keys_sessions_are_not_the_others(tmp_path: Path) -> None:
    home = Home(tmp_path)
    keys = [keyring(home).create(name, ["run"])[1] for name in ("one", "other")]
    with serving(home) as served:
        shown = [f"Authorization: Bearer {key}" for key in keys]
        answers = [served.ask(shown[0]) for _ in range(MOST + 1)]
        assert [answer.status for answer in answers] == [200] * MOST + [429]
        assert b"sessions already" in answers[-1].body
        assert served.ask(shown[1]).status == 200
        session = f"Mcp-Session-Id: {answers[0].headers['mcp-session-id']}"
        assert served.ask(shown[1], session, line="DELETE /mcp HTTP/1.1", body=b"").status == 404
        assert served.ask(shown[0]).status == 429, "nobody ends another's"
        assert served.ask(shown[0], session, line="DELETE /mcp HTTP/1.1", body=b"").status == 200
        assert served.ask(shown[0]).status == 200


def test_sessions_that_are_being_opened_count() -> None:
    sessions = Sessions(60)
    for number in range(MOST - 1):
        sessions.used("k", f"s{number}")
    with sessions.opening("k"), pytest.raises(AdmissionError), sessions.opening("k"):
        pass
    with sessions.opening("j"):
        pass
    assert "j" not in sessions._own
