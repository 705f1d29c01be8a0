"""The sink `otel`: what hosts do, as OpenTelemetry spans. Off where the settings' `sinks` do not name it."""

from collections.abc import Mapping

from aisbx.hookspecs import hookimpl
from aisbx.types import Sink


@hookimpl
def aisbx_sink(name: str, settings: Mapping[str, object]) -> Sink | None:
    """Give it; ConfigError where a setting of `[sink_settings.otel]` is wrong, or what it needs is not installed."""
    if name != "otel":
        return None
    from aisbx.telemetry.options import Options
    from aisbx.telemetry.spans import Spans  # OpenTelemetry is loaded for nobody else

    return Spans.exporting(Options.of(settings))
