"""Alerts: a violation as a signed request to the user's own webhook. Whoever sends one never waits for it.

Requests are signed as the Standard Webhooks specification (1.0.0) has it: HMAC-SHA256 of `ID.SECONDS.BODY`.
"""

import base64
import binascii
import hashlib
import hmac
import http.client
import json
import queue
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

WAITING = 100
"""Alerts that wait; more are dropped, and counted."""
RATE = 60
"""Alerts a minute, and at once."""
_TRIES = (0.0, 1.0, 5.0)
"""Seconds before each attempt."""
_PATIENCE = 5.0
_ENDED = "its process ended before"
_PREFIX = "whsec_"
_TOO_MANY, _TIMEOUT, _SERVERS = 429, 408, 500


class Alerts:
    """Sends to one place, in a thread of its own."""

    def __init__(self, url: str, secret: bytes, failed: Callable[[str, str], None]) -> None:
        """`failed` hears, in that thread or in `close`, of each that was not taken: its violation's id, and why."""
        self._url = urlsplit(url)
        self._key = key_of(secret)
        self._failed = failed
        self._waiting: queue.Queue[Mapping[str, object]] = queue.Queue(WAITING)
        self._tokens, self._at = float(RATE), time.monotonic()
        self._dropped = 0
        self._sending = ""
        self._closed = self._given_up = False
        threading.Thread(target=self._work, name="aisbx alerts", daemon=True).start()

    def send(self, row: Mapping[str, object]) -> None:
        """Have a violation told, soon; where too many wait, or too many came, it is counted, and the next says so."""
        if self._closed:
            self._failed(str(row.get("id", "")), _ENDED)
            return
        now = time.monotonic()
        self._tokens = min(float(RATE), self._tokens + (now - self._at) * RATE / 60)
        self._at = now
        if self._tokens < 1:
            self._dropped += 1
            return
        told = {**row, "alerts_dropped": self._dropped} if self._dropped else row
        try:
            self._waiting.put_nowait(told)
        except queue.Full:
            self._dropped += 1
            return
        self._tokens -= 1
        self._dropped = 0

    def flush(self, patience: float) -> bool:
        """Wait for so many seconds until all have been sent; False where they were not."""
        done = self._waiting.all_tasks_done
        with done:
            return done.wait_for(lambda: not self._waiting.unfinished_tasks, patience)

    def close(self, patience: float) -> None:
        """Take none any more, and wait for so many seconds for those that there are; what was not sent has failed."""
        self._closed = True
        if not self.flush(patience):
            self._given_up = True
            left = [self._sending]
            with suppress(queue.Empty):
                while True:
                    left.append(str(self._waiting.get_nowait().get("id", "")))
            for name in filter(None, left):
                self._failed(name, _ENDED)
        self._waiting.put({})  # the last

    def _work(self) -> None:
        while True:
            row = self._waiting.get()
            if not row:
                return
            self._sending = str(row.get("id", ""))
            if (why := self._told(row)) and not self._given_up:
                self._failed(self._sending, why)
            self._sending = ""
            self._waiting.task_done()

    def _told(self, row: Mapping[str, object]) -> str:
        """Try to tell one; gives why it could not be, nothing where it was."""
        body = json.dumps({"type": "aisbx.violation", "data": row}, default=str).encode()
        why = ""
        for wait in _TRIES:
            time.sleep(wait)
            try:
                status = self._post(str(row.get("id", "")), body)
            except (OSError, http.client.HTTPException, ValueError) as error:
                why = f"{type(error).__name__}: {error}"
                continue
            if status // 100 == 2:  # noqa: PLR2004 - success (RFC 9110, 15.3)
                return ""
            why = f"the server answered {status}"
            if status < _SERVERS and status not in {_TOO_MANY, _TIMEOUT}:
                break  # it will not take it a second time either
        return why

    def _post(self, name: str, body: bytes) -> int:
        """Send one request, and give the answer's status. No redirect is followed: the place is the user's to say."""
        url = self._url
        at = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "aisbx",
            "webhook-id": name,
            "webhook-timestamp": str(at),
            "webhook-signature": signature(self._key, name, at, body),
        }
        host, port = url.hostname or "", url.port
        if url.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, port, timeout=_PATIENCE, context=context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=_PATIENCE)
        try:
            connection.request("POST", f"{url.path or '/'}{f'?{url.query}' if url.query else ''}", body, headers)
            answer = connection.getresponse()
            answer.read(1 << 16)
            return answer.status
        finally:
            connection.close()


def key_of(secret: bytes) -> bytes:
    """Give the key of a secret: its bytes, or what `whsec_…` means. ValueError where that is no base64."""
    text = secret.strip()
    if not text.startswith(_PREFIX.encode()):
        return text
    try:
        return base64.b64decode(text[len(_PREFIX) :], validate=True)
    except binascii.Error:
        raise ValueError(f"the secret begins with {_PREFIX} and is no base64") from None


def signature(key: bytes, name: str, at: int, body: bytes) -> str:
    """Give the signature of an alert, sent at a time in seconds since the epoch."""
    signed = f"{name}.{at}.".encode() + body
    return f"v1,{base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"
