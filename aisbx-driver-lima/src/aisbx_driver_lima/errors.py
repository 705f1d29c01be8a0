"""The one line with which this driver says what keeps it from working, and what to do."""

from aisbx.errors import DriverUnavailableError


def unavailable(reason: str, remedy: str) -> DriverUnavailableError:
    """Give the error for a driver that is there and cannot work here."""
    return DriverUnavailableError(f"lima: {reason}", hint=remedy)
