"""What a service looks after beside its requests: it goes on whatever happens, and needs none of their threads."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aisbx.audit.follow import Follower
from aisbx.audit.read import Record
from aisbx.errors import StateError
from aisbx.hosting.principals import local
from aisbx_linux.lasting.identity import recall, send_to
from aisbx_supervisor.feed import Feed
from aisbx_supervisor.options import ServeOptions, Wanted
from aisbx_supervisor.service import Service, _lasting

from tests.supervisor.conftest import Home, asked_aside, clear, serving, until, waiting

ONE_THREAD = """
import sys
from aisbx_supervisor import service
service._THREADS = 1
from aisbx_supervisor.main import main
sys.exit(main())
"""


def test_health_is_told_and_the_service_ends_where_every_thread_waits_for_a_command(tmp_path: Path) -> None:
    home = Home(tmp_path)
    server = [sys.executable, "-I", "-c", ONE_THREAD]
    try:
        with serving(home, "--profile", "shell", "--drain", "1s", key=home.key("k"), server=server) as one:
            begun = Path(one.done("POST", "sandboxes", {"name": "x"})["workspace"], "begun")
            argv = ["sh", "-c", "touch begun; sleep 60"]
            with asked_aside(one, "POST", "sandboxes/x/exec", {"argv": argv}) as answers:
                assert until(begun.exists)
                assert one.ask("GET", "/health", key="").status == 200
                assert b"aisbx_requests_total" in one.ask("GET", "/metrics", key="").body
                one.process.send_signal(signal.SIGTERM)
                assert one.process.wait(20) == 0
            assert answers[0].status != 200
    finally:
        clear(home)


def test_what_fails_is_begun_anew_and_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("aisbx_supervisor.service._SWEEP", 0.0)

    async def tried() -> int:
        times, enough = 0, asyncio.Event()

        async def work() -> None:
            nonlocal times
            times += 1
            if times < 3:
                raise ZeroDivisionError
            enough.set()
            await asyncio.Event().wait()

        task = asyncio.ensure_future(_lasting(work))
        await asyncio.wait_for(enough.wait(), 10)
        task.cancel()
        return times

    assert asyncio.run(tried()) == 3
    assert caplog.text.count("is begun anew") == 2
    assert "ZeroDivisionError" in caplog.text


def test_a_record_that_cannot_be_counted_and_a_log_that_cannot_be_read_stop_no_feed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Follower):
        def new(self) -> Iterator[Record]:
            raise StateError("too many open files")

    def take(record: Record) -> None:
        raise ZeroDivisionError(record.text("kind"))

    async def heard() -> str:
        feed = Feed("/nowhere", take)
        listener = feed.listen()
        feed.tell(Record({"kind": "odd"}))
        assert feed.look(Broken("/nowhere", 0)) > feed.look(Follower("/nowhere", 0))
        return (await asyncio.wait_for(listener.__anext__(), 10)).text("kind")

    assert asyncio.run(heard()) == "odd"
    assert "ZeroDivisionError: odd" in caplog.text
    assert "too many open files" in caplog.text


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Service]]:
    """Begin a service in this process, in a home of its own, that keeps a sandbox waiting."""
    home = Home(tmp_path)
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in home.env.items():
        monkeypatch.setenv(name, value)

    def made() -> Service:
        options = ServeOptions(profile="shell", pools=(("shell", 1),), workspaces=str(tmp_path / "boxes"))
        service = Service(options)
        service.pools.adopt()
        return service

    yield made
    clear(home)


def test_one_of_a_pool_that_has_ended_is_replaced(begin: Callable[[], Service], tmp_path: Path) -> None:
    home, service = Home(tmp_path), begin()
    service.pools._fill()
    (waits,) = waiting(home)
    held = recall(str(home.state / "sandboxes" / waits / "home"))
    assert held
    send_to(held["first"], signal.SIGKILL)
    assert until(lambda: service.boxes.look(waits).state == "ended")
    service.reaper.look()
    assert (service.pools.waiting(), home.sandboxes()) == ({"shell": 0}, [])


def test_a_directory_that_a_killed_service_left_keeps_nobody_from_its_name(begin: Callable[[], Service]) -> None:
    boxes, wanted = begin().boxes, Wanted(environment={}, limits={})
    left = Path(boxes.places.make("work"), "left")
    left.touch()
    boxes.create(local(), "work", wanted, profile="", ttl=0.0, idle=0.0)
    assert not left.exists()
    left.touch()
    with pytest.raises(StateError, match="already"):
        boxes.create(local(), "work", wanted, profile="", ttl=0.0, idle=0.0)
    assert left.exists()
