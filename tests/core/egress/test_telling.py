"""Sinks hear of a decision before it is carried out, but no connection waits long for one that is slow."""

import threading
import time

from aisbx.egress.telling import Telling
from aisbx.types import Event


class Kept:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.gate = threading.Event()
        self.flushed = False

    def emit(self, event: Event) -> None:
        self.gate.wait(5)
        self.events.append(event)

    def flush(self) -> None:
        self.flushed = True


class Broken:
    def emit(self, event: Event) -> None:
        raise OSError(f"not {event.kind}")


def told_by(sink: Kept, kinds: int, wait: float = 0.05) -> tuple[float, list[str]]:
    failed: list[str] = []
    telling = Telling({"broken": Broken(), "kept": sink}, lambda name, error: failed.append(f"{name}: {error}"), wait)
    began = time.monotonic()
    for number in range(kinds):
        telling.tell(Event(f"k{number}", 0.0))
    return time.monotonic() - began, failed


def test_a_sink_has_heard_of_a_decision_when_it_is_carried_out_and_one_that_fails_is_told_of_once() -> None:
    kept = Kept()
    kept.gate.set()
    _, failed = told_by(kept, 3, wait=5)
    assert [event.kind for event in kept.events] == ["k0", "k1", "k2"]
    assert kept.flushed
    assert failed == ["broken: not k0"]


def test_a_slow_sink_holds_up_one_decision_for_a_moment_and_keeps_no_more_than_fits() -> None:
    kept = Kept()
    seconds, _ = told_by(kept, 3000)
    assert seconds < 4
    assert kept.events == []
    kept.gate.set()
    until = time.monotonic() + 5
    while not kept.flushed and time.monotonic() < until:
        time.sleep(0.01)
    told = [event.kind for event in kept.events]
    assert told[:1000] == [f"k{number}" for number in range(1000)]
    assert len(told) in {1000, 1001}
