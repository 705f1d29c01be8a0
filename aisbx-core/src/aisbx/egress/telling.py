"""Decisions for sinks, before they are carried out: at the end of a sandbox its proxy is killed, with what it kept.

A thread of its own tells them. A decision waits for that, but only for a moment, and not at all while a sink is slow.
"""

import queue
import threading
from collections.abc import Callable, Mapping

from aisbx.types import Event, FlushableSink, Sink

_MOST = 1000
"""Events that wait; of more, the audit log alone knows."""


class Telling:
    """Hands events to sinks, in the order in which they came."""

    def __init__(self, sinks: Mapping[str, Sink], failed: Callable[[str, Exception], None], wait: float = 0.5) -> None:
        """`failed` hears of the first failure of each; a decision waits for `wait` seconds at most."""
        self._sinks = sinks
        self._failed = failed
        self._wait = wait
        self._heard: set[str] = set()
        self._slow = False
        self._waiting: queue.Queue[tuple[Event, threading.Event]] = queue.Queue(_MOST)
        threading.Thread(target=self._work, daemon=True).start()

    def tell(self, event: Event) -> None:
        """Have an event told, now or soon."""
        told = threading.Event()
        try:
            self._waiting.put_nowait((event, told))
        except queue.Full:
            return
        if not self._slow:
            self._slow = not told.wait(self._wait)

    def _work(self) -> None:
        while True:
            event, told = self._waiting.get()
            for name, sink in self._sinks.items():
                self._try(name, lambda sink=sink, event=event: sink.emit(event))
            if self._waiting.empty():
                for name, sink in self._sinks.items():
                    if isinstance(sink, FlushableSink):
                        self._try(name, sink.flush)
                self._slow = False
            told.set()

    def _try(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever a sink does, the network goes on
            if name not in self._heard:
                self._heard.add(name)
                self._failed(name, error)
