"""What is told to clients by themselves, and asked of them, in both eras; and that it is theirs alone."""

import itertools
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.types import (
    CallToolResult,
    ElicitResult,
    InputRequiredResult,
    ResourceUpdatedNotification,
    TextResourceContents,
)

from tests.mcp_host.conftest import Home, text_of
from tests.mcp_host.fixtures import with_fixtures
from tests.mcp_host.serving import Served, keyring, serving

pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
ERAS = ("legacy", "2026-07-28")
FILE = "aisbx://default/files/seen"
DENIED = "aisbx://default/violations"
MAKE = "echo {} > new; mv new seen"  # at one stroke: a look between two would be a change more
SCOPES = ["run", "files"]
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("watching"))


@pytest.fixture(scope="module")
def served(home: Home) -> Iterator[Served]:
    with with_fixtures(home.path / "site"), serving(home, "--profile", "shell") as found:
        yield found


@pytest.fixture
def key(home: Home) -> Callable[..., str]:
    return lambda *scopes: keyring(home).create(f"key{next(NUMBERS)}", list(scopes or SCOPES))[1]


class Heard:
    """The addresses of resources of which a client heard."""

    def __init__(self) -> None:
        self.uris: list[str] = []
        self.messages: list[Any] = []
        self._news = anyio.Event()
        self._more = anyio.Event()

    async def take(self, message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            self.hear(str(message.params.uri))

    def hear(self, uri: str) -> None:
        self.uris.append(uri)
        self._news.set()
        self._news = anyio.Event()

    async def log(self, params: Any) -> None:
        self.messages.append(params.data)
        self._more.set()
        self._more = anyio.Event()

    async def all_messages(self, count: int) -> None:
        with anyio.fail_after(20):
            while len(self.messages) < count:
                await self._more.wait()

    async def until(self, count: int) -> None:
        with anyio.fail_after(20):
            while len(self.uris) < count:
                await self._news.wait()


@asynccontextmanager
async def connected(served: Served, key: str, era: str, **more: Any) -> AsyncGenerator[Client]:
    async with (
        create_mcp_http_client(headers={"Authorization": f"Bearer {key}"}) as http,
        Client(streamable_http_client(served.url, http_client=http), mode=era, **more) as client,
    ):
        yield client


@asynccontextmanager
async def listening(served: Served, key: str, era: str, uri: str) -> AsyncGenerator[tuple[Client, Heard]]:
    """Connect, and hear of one resource."""
    heard = Heard()
    more = {"message_handler": heard.take} if era == "legacy" else {}
    async with connected(served, key, era, **more) as client, anyio.create_task_group() as tasks:
        if era == "legacy":
            await client.session.subscribe_resource(uri)  # pyright: ignore[reportDeprecated]
            yield client, heard
            await client.session.unsubscribe_resource(uri)  # pyright: ignore[reportDeprecated]
        else:

            async def listen(started: Any) -> None:
                async with client.listen(resource_subscriptions=[uri]) as stream:
                    started.set()
                    async for event in stream:
                        heard.hear(str(getattr(event, "uri", "")))

            started = anyio.Event()
            tasks.start_soon(listen, started)
            await started.wait()
            yield client, heard
        tasks.cancel_scope.cancel()


async def call(client: Client, name: str, **arguments: Any) -> str:
    found = await client.call_tool(name, arguments)
    assert isinstance(found, CallToolResult)
    assert not found.is_error, text_of(found)
    return text_of(found)


async def refused(client: Client) -> list[dict[str, Any]]:
    (found,) = (await client.read_resource(DENIED)).contents
    assert isinstance(found, TextResourceContents)
    return json.loads(found.text)["violations"]


def run(work: Callable[[], Any]) -> None:
    anyio.run(work)


@pytest.mark.parametrize("era", ERAS)
def test_who_subscribes_hears_of_changes_and_nobody_hears_of_anothers(
    era: str, served: Served, key: Callable[..., str]
) -> None:
    async def work() -> None:
        first, second = key(), key()
        async with (
            listening(served, first, era, FILE) as (mine, heard),
            listening(served, second, era, FILE) as (theirs, other),
        ):
            await call(mine, "run_command", command=MAKE.format(1))
            await heard.until(1)
            await call(theirs, "run_command", command=MAKE.format(22))
            await other.until(1)
            assert (heard.uris, other.uris) == ([FILE], [FILE])
            await call(mine, "run_command", command="rm seen")
            await heard.until(2)
            assert other.uris == [FILE]

    run(work)


def test_what_a_key_may_not_read_it_hears_nothing_of(served: Served, key: Callable[..., str]) -> None:
    async def work() -> None:
        async with connected(served, key("run"), "legacy") as client:
            with pytest.raises(MCPError, match=r"scope\.files"):
                await client.session.subscribe_resource(FILE)  # pyright: ignore[reportDeprecated]
            with pytest.raises(MCPError, match="there is no resource"):
                await client.session.subscribe_resource("file:///etc/passwd")  # pyright: ignore[reportDeprecated]
        async with connected(served, key("run"), "2026-07-28") as client:
            with pytest.raises(MCPError, match=r"scope\.files"):
                async with client.listen(resource_subscriptions=[FILE]):
                    pass

    run(work)


@pytest.mark.parametrize("era", ERAS)
def test_messages_come_from_the_severity_on_that_was_asked_for(
    era: str, served: Served, key: Callable[..., str]
) -> None:
    async def work() -> None:
        shown = key()
        for level, count in (("error", 0), ("warning", 1), ("debug", 1)):
            heard = Heard()
            more: dict[str, Any] = {"log_level": level} if era != "legacy" else {}
            async with connected(served, shown, era, logging_callback=heard.log, **more) as client:
                if era == "legacy":
                    await client.set_logging_level(level)  # pyright: ignore[reportDeprecated,reportArgumentType]
                await call(client, "test_logging_tool")
                await heard.all_messages(count)  # the client may hand on the result first
                assert heard.messages == ["here"] * count

    run(work)


@pytest.mark.parametrize("era", ERAS)
def test_who_subscribes_hears_what_its_own_sandbox_was_refused_and_nobody_elses(
    era: str, served: Served, key: Callable[..., str]
) -> None:
    async def work() -> None:
        first, second = key(), key()
        async with (
            listening(served, first, era, DENIED) as (mine, heard),
            listening(served, second, era, DENIED) as (
                theirs,
                other,
            ),
        ):
            await call(theirs, "run_command", command="true")
            await call(mine, "run_command", command="sleep 60", timeout_s=0.3)
            await heard.until(1)
            assert (heard.uris, other.uris) == ([DENIED], [])
            (row,) = await refused(mine)
            assert (row["rule"], row["what"], row["grant"]) == ("wall-time", "wall_time", "a larger limits.wall_time")
            assert not {"principal", "host", "mac", "sandbox"} & row.keys()
            assert await refused(theirs) == []

    run(work)


@pytest.mark.parametrize("era", ERAS)
def test_the_call_that_finds_something_denied_says_so_in_a_message(
    era: str, served: Served, key: Callable[..., str]
) -> None:
    async def work() -> None:
        heard = Heard()
        more: dict[str, Any] = {"log_level": "debug"} if era != "legacy" else {}
        async with connected(served, key(), era, logging_callback=heard.log, **more) as client:
            await call(client, "run_command", command="true")
            await call(client, "run_command", command="sleep 60", timeout_s=0.3)
            await heard.all_messages(1)
            assert [(told["rule"], told["sandbox"]) for told in heard.messages] == [("wall-time", "default")]
            await call(client, "run_command", command="true")
            assert len(heard.messages) == 1

    run(work)


@pytest.mark.parametrize("era", ERAS)
def test_a_tool_of_a_distribution_asks_the_user(era: str, served: Served, key: Callable[..., str]) -> None:
    async def say(ok: bool, context: Any, params: Any) -> ElicitResult:  # noqa: FBT001 - what the user says
        del context, params
        return ElicitResult(action="accept", content={"ok": ok})

    async def work() -> None:
        shown = key()
        for ok in (True, False):
            async with connected(served, shown, era, elicitation_callback=partial(say, ok)) as client:
                assert await call(client, "test_streaming_elicitation") == f"agreed: {ok}"

    run(work)


def test_what_a_call_carries_to_its_next_round_is_good_for_that_key_only(
    served: Served, key: Callable[..., str]
) -> None:
    async def carry(shown: str, state: str | None) -> str:
        said: Any = {"confirm": ElicitResult(action="accept", content={"ok": True})} if state else None
        async with connected(served, shown, "2026-07-28") as client:
            try:
                found = await client.session.call_tool(
                    "test_input_required_result_request_state",
                    input_responses=said,
                    request_state=state,
                    allow_input_required=True,
                )
            except MCPError as error:
                return str(error)
        if isinstance(found, InputRequiredResult):
            assert found.request_state
            return found.request_state
        return text_of(found)

    async def work() -> None:
        first, second = key(), key()
        state = await carry(first, None)
        assert "first" not in state
        assert await carry(second, state) == "Invalid or expired requestState"
        assert await carry(first, state) == "state-ok"

    run(work)
