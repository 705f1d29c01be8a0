"""How grave a violation is."""

SEVERITIES = ("info", "low", "medium", "high", "critical")
"""From the least on."""


def as_grave(severity: str, least: str) -> bool:
    """Tell whether a severity is `least` or graver; one that is none is not."""
    return severity in SEVERITIES and SEVERITIES.index(severity) >= SEVERITIES.index(least)
