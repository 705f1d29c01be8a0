"""Spans are sent by a thread of their own, some at a time.

The SDK's own processor also begins such a thread in every fork of its process (os.register_at_fork), its provider one
for a moment, and a process with a second thread can make no user namespace: an ordinary user's next sandbox would be
refused.
"""

import logging
import os
from collections import deque
from threading import Event, Lock, Thread

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

WAITING = 2048
"""Spans that wait to be sent; the oldest are dropped for more."""
TOGETHER = 512
DELAY = 5.0
"""Seconds until those that have come are sent."""
_LOG = logging.getLogger(__name__)


class Provider(TracerProvider):
    """One that leaves forks alone: the SDK's finds out anew, by threads, what process this is; its spans do not say."""

    def _handle_fork(self) -> None:
        """Do nothing."""


class Batches(SpanProcessor):
    """Sends spans by an exporter; any thread may end one.

    Where no thread can be started any more (a process that has served its one run) all is sent at the end.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        """Begin."""
        self._exporter = exporter
        self._waiting: deque[ReadableSpan] = deque(maxlen=WAITING)
        self._wake = Event()
        self._sending = Lock()
        self._over = False
        self._owner = os.getpid()
        self._thread: Thread | None = Thread(target=self._work, name="aisbx-spans", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._thread = None

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a span to be sent."""
        if self._owner != os.getpid():  # a fork: what waits is its parent's, and so is the thread
            self._waiting, self._sending, self._owner, self._thread = deque(maxlen=WAITING), Lock(), os.getpid(), None
        self._waiting.append(span)
        if len(self._waiting) >= TOGETHER:
            self._wake.set()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what waits; the exporter has a time limit of its own."""
        del timeout_millis
        return self._owner != os.getpid() or self._send()

    def shutdown(self) -> None:
        """Send what waits, and no more after that."""
        self._over = True
        self._wake.set()
        self.force_flush()
        self._exporter.shutdown()

    def _work(self) -> None:
        while not self._over:
            self._wake.wait(DELAY)
            self._wake.clear()
            self._send()

    def _send(self) -> bool:
        sent = True
        with self._sending:
            while self._waiting:
                some = [self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))]
                try:
                    sent = self._exporter.export(some) is SpanExportResult.SUCCESS and sent
                except Exception:  # noqa: BLE001 - whatever a network does, what is traced goes on
                    _LOG.exception("%d spans are lost", len(some))
                    sent = False
        return sent
