"""Events as spans: one tree for each request, whose root is the request and whose other spans are what came of it."""

import signal
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from threading import Lock

from aisbx.errors import ConfigError
from aisbx.telemetry.attributes import LONGEST, code_of, of
from aisbx.telemetry.options import TABLE, Options
from aisbx.types import REQUEST_BEGIN, REQUEST_END, Event

try:
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanLimits
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    from aisbx.telemetry.batches import Batches, Provider
except ImportError as missing:
    raise ConfigError(
        f"otel: {missing.name} is not installed", key="sinks", hint="pip install 'aisbx-core[otlp]'"
    ) from missing

REQUESTS = 4096
"""Roots that are remembered, so that what ends after them still belongs to them."""
_NANO = 1_000_000_000


class Spans:
    """The sink. Any thread may use it; sending is a thread's own, and what it cannot keep up with is dropped."""

    def __init__(self, exporter: SpanExporter, timeout: float) -> None:
        """Send spans by this exporter; `timeout` is for the last of them (seconds)."""
        self._timeout = timeout
        self._lock = Lock()
        self._roots: OrderedDict[str, trace.Span] = OrderedDict()
        self._provider = Provider(
            # Whoever calls may say whose trace this belongs to, but not that there be none.
            sampler=ALWAYS_ON,
            resource=Resource.create({"service.name": "aisbx"}),
            span_limits=SpanLimits(max_span_attributes=32, max_events=0, max_links=0),
        )
        self._exporter: SpanExporter | None = exporter
        """Until the first event: most processes have none to send, and need no thread for that."""
        self._tracer = self._provider.get_tracer("aisbx")

    @classmethod
    def exporting(cls, options: Options) -> "Spans":
        """Send by OTLP over HTTP; ConfigError where the exporter is not installed."""
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        except ImportError as missing:
            hint = "pip install 'aisbx-core[otlp]'"
            raise ConfigError(f"the OTLP exporter is not installed: {missing.name}", key=TABLE, hint=hint) from missing
        return cls(OTLPSpanExporter(endpoint=options.endpoint or None, timeout=options.timeout), options.timeout)

    def emit(self, event: Event) -> None:
        """Begin or end a request's span, or add the span of what has ended."""
        self._start()
        if event.kind == REQUEST_BEGIN:
            self._begin(event)
        elif event.kind == REQUEST_END:
            self._end(event)
        else:
            with self._lock:
                root = self._roots.get(event.request)
            context = trace.set_span_in_context(root) if root is not None else None
            began = event.began or event.time
            span = self._tracer.start_span(event.kind, context, attributes=of(event.data), start_time=_nano(began))
            _settle(span, event)
            span.end(_nano(event.time))

    def flush(self) -> None:
        """Send what is there, and wait for that for as long as the settings say."""
        self._provider.force_flush(int(self._timeout * 1000))

    def _start(self) -> None:
        with self._lock:
            exporter, self._exporter = self._exporter, None
        if exporter is None:
            return
        with _no_signals():
            self._provider.add_span_processor(Batches(exporter))

    def _begin(self, event: Event) -> None:
        # In the context of whoever calls: where the client's request named a trace, this is a part of that.
        name = f"request {str(event.data.get('what', ''))[:LONGEST]}"
        span = self._tracer.start_span(
            name, kind=trace.SpanKind.SERVER, attributes=of(event.data), start_time=_nano(event.time)
        )
        with self._lock:
            self._roots[event.request] = span
            forgotten = self._roots.popitem(last=False)[1] if len(self._roots) > REQUESTS else None
        if forgotten is not None and forgotten.is_recording():
            forgotten.end()

    def _end(self, event: Event) -> None:
        with self._lock:
            span = self._roots.get(event.request)
        if span is not None:
            span.set_attributes(of(event.data))
            _settle(span, event)
            span.end(_nano(event.time))


@contextmanager
def _no_signals() -> Generator[None]:
    """Start threads that get no signal: the one that serves a run waits for those."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _settle(span: trace.Span, event: Event) -> None:
    code = code_of(event.data.get("error"))
    if code:
        span.set_status(trace.StatusCode.ERROR, code)


def _nano(seconds: float) -> int:
    return int(seconds * _NANO)
