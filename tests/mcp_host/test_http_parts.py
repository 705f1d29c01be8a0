"""Parts of the HTTP transport, without a server: addresses, slow clients, options that cannot be."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import uvicorn
from aisbx.hosting import connection, requests
from aisbx.hosting.addresses import host_allowed, is_loopback
from aisbx_mcp.main import main
from aisbx_mcp.options import HttpOptions
from aisbx_mcp.transports.ended import _is_failure, served_once
from aisbx_mcp.transports.front import Front
from aisbx_mcp.transports.http import _config
from anyio import BrokenResourceError, ClosedResourceError
from mcp.server.streamable_http import StreamableHTTPServerTransport
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.lifespan.off import LifespanOff
from uvicorn.protocols.http.h11_impl import H11Protocol

HERE, OUT = ("127.0.0.1", 8080), ("192.0.2.7", 8080)


@pytest.mark.parametrize(
    ("host", "server", "more", "allowed"),
    [
        ("127.0.0.1:8080", HERE, (), True),
        ("localhost:8080", HERE, (), True),
        ("[::1]:8080", HERE, (), True),
        ("LOCALHOST:8080", HERE, (), True),
        ("localhost", HERE, (), False),
        ("localhost:8081", HERE, (), False),
        ("localhost.evil.example:8080", HERE, (), False),
        ("evil@localhost:8080", HERE, (), False),
        ("127.0.0.1:8080,evil", HERE, (), False),
        ("127.0.0.1:٨٠٨٠", HERE, (), False),
        ("::1:8080", HERE, (), False),
        ("", HERE, (), False),
        ("192.0.2.7:8080", OUT, (), True),
        ("192.0.2.7:8080", ("::ffff:192.0.2.7", 8080), (), True),
        ("localhost:8080", OUT, (), False),
        ("127.0.0.1:8080", OUT, (), False),
        ("192.0.2.8:8080", OUT, (), False),
        ("started.example:8080", OUT, (), True),
        ("box.example", OUT, ("box.example",), True),
        ("box.example:1", OUT, ("box.example",), True),
        ("box.example:1", OUT, ("box.example:2",), False),
        ("xbox.example", OUT, ("box.example",), False),
    ],
)
def test_only_a_name_that_cannot_be_made_to_stand_for_the_server_is_its_host(
    host: str, server: tuple[str, int], more: tuple[str, ...], *, allowed: bool
) -> None:
    assert host_allowed(host, server, "http", "started.example", more) is allowed


def test_a_loopback_address_is_known_as_one_however_it_is_written() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost", "::ffff:127.0.0.1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.0.2.1", "localhost.evil.example", "")))


class _Nobody:
    """A service that knows nobody; no slow request gets as far."""


async def _left_open(protocol: type[asyncio.Protocol], data: bytes) -> bool:
    """Say whether a connection that sends this, a byte at a time, and no more, is still there a while after."""
    config = _config(Front(None, _Nobody(), HttpOptions(auth="")), HttpOptions())  # type: ignore[arg-type]
    config.http_protocol_class = protocol
    config.lifespan_class = LifespanOff
    server = uvicorn.Server(config)
    server.servers = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        serving = asyncio.ensure_future(server.serve(sockets=[listener.dup()]))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data.replace(b"PORT", str(port).encode()))
        try:
            await asyncio.wait_for(reader.read(), 1.0)
            open_still = False
        except TimeoutError:
            open_still = True
        writer.close()
        server.should_exit = server.force_exit = True
        await serving
    return open_still


HEAD = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n"


@pytest.mark.parametrize("data", [b"", HEAD, HEAD + b"Content-Length: 9\r\n\r\n{"], ids=["nothing", "head", "body"])
def test_a_slow_client_is_not_waited_for(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.3)
    assert not asyncio.run(_left_open(connection.BoundedProtocol, data))


def test_without_the_bound_it_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asyncio.run(_left_open(H11Protocol, HEAD))
    monkeypatch.setattr(requests, "BODY_SECONDS", 60)
    assert asyncio.run(_left_open(H11Protocol, HEAD + b"Content-Length: 9\r\n\r\n{"))


async def _straight(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    with suppress(ClosedResourceError, BrokenResourceError):
        await app(scope, receive, send)


async def _answers(served: Callable[[ASGIApp, Scope, Receive, Send], Awaitable[None]]) -> list[int]:
    """Give the statuses of the answers to a notification whose session ends before it is passed on."""
    transport, statuses = StreamableHTTPServerTransport(mcp_session_id="one"), list[int]()
    body = b'{"jsonrpc": "2.0", "method": "notifications/initialized"}'
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-session-id": "one",
    }
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])
        elif len(statuses) == 1:
            await transport.terminate()

    async with transport.connect():
        await served(transport.handle_request, scope, receive, send)
    return statuses


def test_a_request_has_one_answer_whose_session_ends_meanwhile(caplog: pytest.LogCaptureFixture) -> None:
    assert asyncio.run(_answers(served_once)) == [202]
    told = [record for record in caplog.records if record.exc_info]
    assert told, "the SDK says nothing of it any more: the filter can go"
    assert not any(_is_failure(record) for record in told)
    assert asyncio.run(_answers(_straight)) == [202, 500], "the SDK has mended it: `served_once` can go"


@pytest.mark.parametrize(("answered", "error"), [(False, ClosedResourceError()), (True, OSError("else"))])
def test_every_other_failure_of_a_request_is_one(answered: bool, error: Exception) -> None:  # noqa: FBT001
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": not answered})
        raise error

    async def send(_message: Message) -> None:
        pass

    with pytest.raises(type(error)):
        asyncio.run(served_once(app, {}, send, send))  # pyright: ignore[reportArgumentType]  (nothing is received)
    group = ExceptionGroup("two", [ClosedResourceError(), OSError("else")])
    for one, failure in ((group, True), (ExceptionGroup("one", [ClosedResourceError()]), False), (OSError(), True)):
        record = logging.LogRecord("x", logging.ERROR, "", 0, "x", None, (type(one), one, None))
        assert _is_failure(record) is failure


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--transport", "http", "--no-auth", "--host", "0.0.0.0"], "--no-auth: 0.0.0.0 can be reached by others"),
        (["--transport", "http", "--no-au"], "unrecognized"),
        (["--transport", "http", "--port", "65536"], "no number up to 65535"),
        (["--transport", "http", "--certfile", "x"], "go together"),
        (["--transport", "http", "--port", "0", "--certfile", "/no", "--keyfile", "/no"], "No such file"),
        (["--transport", "http", "--host", "192.0.2.1"], "cannot be served"),
        (["--transport", "http", "--allow-host", "a/b"], "is no host"),
        (["--port", "1"], "--port says nothing to the transport stdio"),
        (["--no-auth"], "--no-auth says nothing"),
    ],
)
def test_what_a_server_cannot_be_is_one_line(
    options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    try:
        code = main(options)
    except SystemExit as ended:
        code = int(str(ended.code))
    told = capsys.readouterr()
    assert code == 125
    assert said in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_a_damaged_file_of_keys_is_said_when_the_server_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / ".local/state/aisbx/keys.json"
    file.parent.mkdir(parents=True, mode=0o700)
    file.write_text("{")
    assert main(["--transport", "http", "--port", "0"]) == 125
    assert "keys.json cannot be used" in capsys.readouterr().err
