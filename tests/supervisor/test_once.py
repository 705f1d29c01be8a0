"""What becomes of a POST with an `Idempotency-Key` that was cut off, or whose answer cannot be kept."""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from aisbx.hosting.requests import RefusedError
from aisbx_supervisor import once
from aisbx_supervisor.front import Front
from aisbx_supervisor.once import Answer, Once
from aisbx_supervisor.options import ServeOptions
from starlette.responses import Response

Route = Callable[[], Awaitable[Response]]


class Asked:
    """A front whose application counts how often it was asked."""

    def __init__(self, place: Path) -> None:
        self.times = 0

        def serving(_: object) -> AbstractContextManager[None]:
            return nullcontext()

        def nothing(*_: object) -> str:
            return ""

        nobody = SimpleNamespace(serving=serving)
        self.service: Any = SimpleNamespace(
            options=ServeOptions(auth=""),
            once=Once(place / "once"),
            metrics=SimpleNamespace(request=nothing, errors=Mock()),
            route_of=nothing,
            present=nobody,
            door=nobody,
        )

    async def post(self, route: Route, key: str = "k") -> tuple[int, bytes]:
        sent: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            self.times += 1
            await (await route())(scope, receive, send)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"idempotency-key", key.encode())]
        scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/x", "raw_path": b"/x", "query_string": b""}
        scope |= {"scheme": "http", "client": ("uid:0", 1), "server": ("unix", None), "headers": headers}
        await Front(app, self.service)(scope, receive, send)
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


async def _never() -> Response:
    await asyncio.sleep(60)
    return Response()


def _answers(status: int, size: int = 2) -> Route:
    async def route() -> Response:
        return Response(b"x" * size, status)

    return route


def test_a_post_that_was_cut_off_is_not_done_again(tmp_path: Path) -> None:
    """A server that is to end cancels what it does not wait for any longer."""
    asked = Asked(tmp_path)

    async def work() -> tuple[int, bytes]:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await asked.post(_never)
        asked.service.once = Once(tmp_path / "once")  # the next service
        return await asked.post(_answers(200))

    status, body = asyncio.run(work())
    assert (status, json.loads(body)["code"], asked.times) == (409, "aborted", 1)


def test_a_post_whose_answer_is_too_large_to_be_kept_is_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aisbx_supervisor.once.LARGEST", 1000)
    asked = Asked(tmp_path)
    large = _answers(200, 5000)
    assert asyncio.run(asked.post(large)) == (200, b"x" * 5000)
    status, body = asyncio.run(asked.post(large))
    assert (status, json.loads(body)["code"], asked.times) == (409, "state", 1)


def test_a_post_that_failed_is_done_again_only_where_nothing_was_done(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    for status, times in ((503, 2), (429, 2), (500, 1), (200, 1), (404, 1)):
        asked.times = 0
        for _ in range(2):
            assert asyncio.run(asked.post(_answers(status), str(status)))[0] == status
        assert asked.times == times, status


def test_nobody_has_anothers_requests_forgotten_and_what_has_no_room_is_known_to_have_been_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(once, "MOST", 3)
    monkeypatch.setattr(once, "ROOM", 9000)
    known = Once(tmp_path / "once")

    def kept(who: str, key: str, age: float, size: int = 0) -> None:
        token, given = known.begin(who, key, "f")
        assert given is None
        known.end(token, "f", Answer(200, [], b"x" * size))
        os.utime(tmp_path / "once" / token, (time.time() - age, time.time() - age))

    kept("one", "first", 99)
    for age, key in enumerate(("c", "b", "a")):
        kept("two", key, 50 + age, 5000)
    known.sweep()
    with pytest.raises(RefusedError, match="too large"):
        known.begin("two", "b", "f")
    for age in range(2):
        kept("two", f"small-{age}", age)
    known.sweep()
    for who, key, status in (("one", "first", 200), ("two", "c", 200), ("two", "a", 0)):
        given = known.begin(who, key, "f")[1]
        assert (given.status if given else 0) == status, key  # the oldest of too many is not known any more
