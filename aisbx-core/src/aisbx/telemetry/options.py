"""`[sink_settings.otel]`: where spans go."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from aisbx.errors import ConfigError

TABLE = "sink_settings.otel"
_LONGEST, _TIMEOUT = 60.0, 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """What can be set; OpenTelemetry's own variables (`OTEL_*`) hold for the rest, such as headers with a token."""

    endpoint: str = ""
    """The collector's address for traces (OTLP over HTTP); empty: what OpenTelemetry's variables say."""
    timeout: float = _TIMEOUT
    """Seconds that sending a batch may take, and that the end of a host waits for the last one."""

    @classmethod
    def of(cls, table: Mapping[str, object]) -> "Options":
        """Read the table; ConfigError for what it may not say."""
        if unknown := sorted(table.keys() - {"endpoint", "timeout"}):
            raise ConfigError("there is no such key", key=f"{TABLE}.{unknown[0]}", hint="endpoint, timeout")
        endpoint, timeout = table.get("endpoint", ""), table.get("timeout", _TIMEOUT)
        if isinstance(timeout, str):  # of a variable
            timeout = _number(timeout)
        if not isinstance(endpoint, str) or (endpoint and not _is_address(endpoint)):
            hint = "write http://HOST:4318/v1/traces; a token goes into OTEL_EXPORTER_OTLP_HEADERS"
            raise ConfigError("is no address without a password", key=f"{TABLE}.endpoint", hint=hint)
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout <= _LONGEST:
            raise ConfigError("is no number of seconds", key=f"{TABLE}.timeout", hint=f"at most {_LONGEST:.0f}")
        return cls(endpoint, float(timeout))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _is_address(text: str) -> bool:
    try:
        found = urlsplit(text)
        return found.scheme in {"http", "https"} and bool(found.hostname) and found.password is None
    except ValueError:
        return False
