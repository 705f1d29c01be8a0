"""The trace that whoever asks names (W3C Trace Context), for the sink `otel`: what is served then is a part of it."""

import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager

HEADER = "traceparent"


@contextmanager
def carried(headers: Mapping[str, str]) -> Generator[None]:
    """Serve a request in the trace that its headers (in small letters) name; nothing happens where nobody traces."""
    if HEADER not in headers or "opentelemetry.sdk.trace" not in sys.modules:
        yield
        return
    from opentelemetry.context import attach, detach
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    token = attach(TraceContextTextMapPropagator().extract(headers))
    try:
        yield
    finally:
        detach(token)
