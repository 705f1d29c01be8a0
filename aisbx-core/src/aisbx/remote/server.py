"""A supervisor, asked over HTTP or a Unix socket."""

import json
import os
import socket
import ssl
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from ipaddress import ip_address
from typing import Any, BinaryIO, cast
from urllib.parse import quote, urlencode, urlsplit

from aisbx.errors import AdmissionError, AisbxError, ControlError, NotFoundError, RemoteError, StateError, UsageError

KEY = "AISBX_REMOTE_KEY"
"""The variable with the key that is shown; a Unix socket's own user needs none."""
_API = "/api/v1/"
_PATIENCE = 60.0
"""Seconds for which a stream that was cut off is tried again: a supervisor that was killed is started anew."""
_PAUSE = 0.2
_DONE, _REFUSED = 200, 300
NO_LETTER = "\N{REPLACEMENT CHARACTER}"
"""What stands in a supervisor's answer for what is no UTF-8 in a name."""


class _ByPath(HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.connect(self._path)
        except BaseException:
            self.sock.close()
            raise


class Leaving:
    """Has another thread stop to follow something, which waits for what comes."""

    def __init__(self) -> None:
        """Nothing is followed yet."""
        self.over = False
        self._socket: socket.socket | None = None

    def join(self, stream: socket.socket | None) -> None:
        """Take note of what is read now."""
        self._socket = stream
        if self.over:
            self.leave()

    def leave(self) -> None:
        """Have whoever reads stop."""
        self.over = True
        if self._socket is not None:
            with suppress(OSError):  # it has ended already
                self._socket.shutdown(socket.SHUT_RDWR)


class Server:
    """One; any number of threads may ask."""

    def __init__(self, address: str, key: str | None = None) -> None:
        """`address` is `http://HOST:PORT`, `https://…` or `unix:PATH`; `key` None is the one in the environment."""
        self.address = address
        key = os.environ.get(KEY, "") if key is None else key
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        hint = "write http://HOST:PORT, https://HOST:PORT or unix:PATH"
        self._path = address.removeprefix("unix:") if address.startswith("unix:") else ""
        try:
            parts = urlsplit(address)
            self._host, self._port, self._tls = parts.hostname or "", parts.port, parts.scheme == "https"
        except ValueError as error:
            raise UsageError(f"--remote: {address!r} is no address", hint=hint) from error
        named = parts.scheme in {"http", "https"} and self._host and not parts.query and parts.path in {"", "/"}
        if not self._path and (not named or parts.username is not None):
            raise UsageError(f"--remote: {address!r} is no supervisor's address", hint=hint)
        if key and not self._path and not self._tls and not _is_loopback(self._host):
            message = f"--remote: a key would go to {self._host} where others on the network can read it"
            raise UsageError(message, hint="use https://, or a tunnel that ends on this machine")

    def get(self, path: str, /, **query: object) -> Any:  # noqa: ANN401 - JSON
        """Ask for something and give its data; an AisbxError says why not."""
        return self.ask("GET", path + _query(query))

    def post(self, path: str, body: object) -> Any:  # noqa: ANN401 - JSON
        """Have something done and give what came of it."""
        return self.ask("POST", path, body)

    def delete(self, path: str, /, **query: object) -> Any:  # noqa: ANN401 - JSON
        """End something and give what came of it."""
        return self.ask("DELETE", path + _query(query))

    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Send a request and give the answer's data; None where it has none."""
        data = json.dumps(body).encode() if body is not None else None
        connection, response = self.begin(method, path, data, {"Content-Type": "application/json"})
        try:
            told = response.read()
        except (OSError, HTTPException) as error:
            raise self._away(error) from error
        finally:
            connection.close()
        try:
            return json.loads(told) if told else None
        except ValueError as error:
            raise RemoteError(f"what answers at {self.address} is no supervisor", hint="see --remote") from error

    def begin(
        self, method: str, path: str, body: "bytes | BinaryIO | None" = None, headers: dict[str, str] | None = None
    ) -> tuple[HTTPConnection, HTTPResponse]:
        """Send a request and give the head of its answer, which is no problem; whoever asks closes the connection."""
        connection = self._connection()
        try:
            connection.request(method, _API + path, body, {**(headers or {}), **self._headers})
            response = connection.getresponse()
            error = raised(response, self.address) if response.status >= _REFUSED else None
        except (OSError, HTTPException) as away:
            connection.close()
            raise self._away(away) from away
        if error is not None:
            connection.close()
            if error.code == "unauthenticated" and not self._headers:
                error.hint = f"set {KEY} to a key that was made over there: aisbx key create"
            raise error
        return connection, response

    def follow(
        self, place: str, cursor: int = 0, leaving: Leaving | None = None
    ) -> Iterator[tuple[str, dict[str, Any], int]]:
        """Give (kind, data, cursor behind it) of each event of a process to its end, also across a restart."""
        for last, kind, data in self.listen(f"{place}/events", str(cursor), leaving):
            if kind != "process":
                yield kind, data, int(last)
            if kind == "end":
                return

    def listen(self, path: str, last: str, leaving: Leaving | None = None) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Give (its id or that of the one before, kind, data) of each event behind `last`, also across a restart."""
        until, leaving = 0.0, leaving or Leaving()
        while not leaving.over:
            try:
                for number, kind, data in self._events(path, last, leaving):
                    last, until = number or last, 0.0
                    if kind == "error":
                        raise rebuilt(data)
                    yield last, kind, data
                error: Exception | None = None
            except RemoteError as away:
                error = away
            if leaving.over:
                return
            until = until or time.monotonic() + _PATIENCE
            if time.monotonic() > until:
                raise RemoteError(f"the supervisor at {self.address} does not answer", hint="is it there?") from error
            time.sleep(_PAUSE)

    def _events(self, path: str, last: str, leaving: Leaving) -> Iterator[tuple[str, str, dict[str, Any]]]:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
        connection, response = self.begin("GET", path, None, headers)
        number, kind, data = "", "", ""
        leaving.join(connection.sock)
        try:
            for line in response:
                if leaving.over:  # also where a proxy's way to end an answer left no socket to be shut
                    return
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "id":
                    number = value
                elif name == "event":
                    kind = value
                elif name == "data":
                    data = value
                elif not name and data:  # whole only now: a supervisor that was killed leaves a part of one
                    yield number, kind, json.loads(data)
                    number, data = "", ""
        except (OSError, HTTPException, ValueError) as error:
            raise self._away(error) from error
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        if self._path:
            return _ByPath(self._path)
        if self._tls:
            return HTTPSConnection(self._host, self._port, context=ssl.create_default_context())
        return HTTPConnection(self._host, self._port)

    def _away(self, error: Exception) -> RemoteError:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        hint = "see that it runs: aisbx-supervisor"
        return RemoteError(f"the supervisor at {self.address} cannot be asked: {why}", hint=hint)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def path_of(*parts: str) -> str:
    """Give a path below the API."""
    return "/".join(quote(part, safe="", errors="replace") for part in parts)


@contextmanager
def there() -> Generator[None]:
    """Say that there is no sandbox as it is said here."""
    try:
        yield
    except NotFoundError as error:
        raise StateError(error.message, hint="see: aisbx ls") from error


def _query(query: dict[str, object]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    if not given:
        return ""
    words = {name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()}
    return f"?{query_of(words)}"


def query_of(words: dict[str, object]) -> str:
    """Write a query; UsageError for what is no UTF-8, which a supervisor would take for another name."""
    try:
        return urlencode(words, doseq=True, errors="strict")
    except UnicodeEncodeError as error:
        name = ascii(error.object)[:200]
        raise UsageError(f"{name} is no UTF-8, and no supervisor can be asked for it", hint="rename it") from error


def is_text(name: str) -> bool:
    """Tell whether a name can be told a supervisor."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def raised(response: HTTPResponse, address: str) -> AisbxError:
    """Give the error that an answer tells of."""
    data = response.read()
    try:
        told: object = json.loads(data)
    except ValueError:
        told = None
    if not isinstance(told, dict) or "code" not in told:
        return RemoteError(f"{address} answers {response.status}: it is no supervisor", hint="see --remote")
    return rebuilt(cast("dict[str, Any]", told))


def rebuilt(told: dict[str, Any]) -> AisbxError:
    """Give an error of the class that it had there."""
    kind = _classes().get(told["code"], AisbxError)
    error = kind.__new__(kind)
    AisbxError.__init__(error, str(told.get("detail", "")), hint=str(told.get("hint", "")))
    error.code = str(told["code"])
    error.findings = tuple(told.get("findings") or ())
    if isinstance(error, AdmissionError):
        error.retry_after = float(told.get("retry_after") or 1.0)
    elif isinstance(error, ControlError):
        error.control = ""
    elif isinstance(error, NotFoundError):
        error.name = ""
    return error


def _classes() -> dict[str, type[AisbxError]]:
    found: dict[str, type[AisbxError]] = {}
    left = [AisbxError]
    while left:
        kind = left.pop()
        found.setdefault(kind.code, kind)
        left += kind.__subclasses__()
    return found
