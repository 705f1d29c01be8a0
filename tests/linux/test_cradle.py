"""Making namespaces in a fork of a program that begins threads in every fork."""

import os
import subprocess
import sys

import pytest

HOOK = """
import os, threading, time
from aisbx_linux import cradle
print(cradle.possible(), cradle.hindrance() == "")
os.register_at_fork(after_in_child=lambda: threading.Thread(target=time.sleep, args=(1,), daemon=True).start())
print(cradle.possible(), "thread" in cradle.hindrance())
"""
SPANS = """
import os
from aisbx.telemetry.spans import Spans
from aisbx.types import Event
from aisbx_linux import cradle
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
sent = InMemorySpanExporter()
spans = Spans(sent, 1.0)
spans.emit(Event("run.end", 1.0, {}))
print(all(cradle.possible() for _ in range(20)))
if os.fork() == 0:
    spans.emit(Event("run.end", 1.0, {}))  # the parent's, and it is not sent twice
    spans.flush()
    os._exit(len(sent.get_finished_spans()))
print(os.waitstatus_to_exitcode(os.wait()[1]))
spans.flush()
print(len(sent.get_finished_spans()))
"""


def said(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout.split()


@pytest.mark.skipif(os.geteuid() == 0, reason="root needs no user namespace, which is what two threads can't make")
def test_a_program_that_begins_threads_in_its_forks_is_told_so() -> None:
    assert said(HOOK) == ["True", "True", "False", "True"]


def test_the_sink_for_spans_begins_none() -> None:
    assert said(SPANS) == ["True", "1", "1"]
