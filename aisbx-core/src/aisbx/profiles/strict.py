"""How tables of a profile's file are checked."""

from pydantic import ConfigDict

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)
"""Their keys and types are exactly these."""
