"""Who follows the audit log slowly, or was away, loses nothing without a word."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aisbx.audit.read import Record, parse
from aisbx_supervisor import feed
from aisbx_supervisor.asked import Asked
from aisbx_supervisor.routes import audit


class Log:
    """An audit log, and one who hears of each record."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = 0
        path.write_bytes(b"")
        self.listener = feed.Listener(lambda: None)

    def grow(self, count: int) -> None:
        for _ in range(count):
            self._last += 1
            line = json.dumps({"time": 1.0, "kind": "k", "seq": self._last}).encode()
            with self._path.open("ab") as file:
                file.write(line + b"\n")
            self.listener.put(cast("Record", parse(line)))

    def asked(self) -> Asked:
        async def aside(work: Callable[[], object]) -> object:
            return work()

        metrics = SimpleNamespace(feed=SimpleNamespace(listen=lambda: self.listener))
        engine = SimpleNamespace(audit={"path": str(self._path)})
        service = SimpleNamespace(metrics=metrics, engine=engine, aside=aside, ending=asyncio.Event())
        return cast("Asked", SimpleNamespace(service=service))


def _told(event: bytes) -> Any:
    lines = dict(line.split(": ", 1) for line in event.decode().strip().splitlines())
    data = json.loads(lines["data"])
    return int(lines["id"]) if lines["event"] == "record" else data


def test_who_reads_slowly_gets_the_rest_from_the_log_and_is_told_of_what_is_too_long_ago(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_AHEAD", 5)
    monkeypatch.setattr(audit, "BACK", 30)
    log = Log(tmp_path / "audit.jsonl")

    async def work() -> list[Any]:
        coming = audit.following(log.asked(), lambda _: True, -1, "record")
        assert (await anext(coming)).startswith(b":")
        log.grow(20)
        found = [_told(await anext(coming)) for _ in range(20)]
        log.grow(2)
        found += [_told(await anext(coming)) for _ in range(2)]
        log.grow(50)
        return found + [_told(await anext(coming)) for _ in range(36)]

    found = asyncio.run(work())
    assert found == [*range(1, 28), {"behind": 27, "before": 43}, *range(43, 73)]


def test_whoever_goes_while_the_log_is_read_is_no_listener_any_more(tmp_path: Path) -> None:
    log, left = Log(tmp_path / "audit.jsonl"), list[bool]()
    log.listener = feed.Listener(lambda: left.append(True))
    log.grow(3)

    async def work() -> None:
        coming = cast("AsyncGenerator[bytes]", audit.following(log.asked(), lambda _: True, 0, "record"))
        assert (await anext(coming)).startswith(b":")
        await coming.aclose()

    asyncio.run(work())
    assert left == [True]


def test_who_is_cut_off_between_what_one_record_says_hears_all_of_it_again(tmp_path: Path) -> None:
    log = Log(tmp_path / "audit.jsonl")
    log.grow(1)

    async def work() -> list[bytes]:
        coming = audit.following(log.asked(), lambda _: True, 0, "violation", lambda record: (record,) * 3)
        return [await anext(coming) for _ in range(4)][1:]

    assert [event.startswith(b"id: 1\n") for event in asyncio.run(work())] == [False, False, True]
