"""Limits as files write them (`memory: 4G`), in the units of `aisbx.types.LIMITS`."""

from aisbx import units
from aisbx.errors import UsageError

Written = int | float | str
"""`4G`, `30s` or a plain number."""


def parse(name: str, written: Written) -> float:
    """Give a limit's amount; ValueError for what is not one, with the way to write it.

    A core file of 0 bytes is a limit like any other; for every other limit 0 is refused, because further down it
    would read as "no limit".
    """
    text = repr(written) if isinstance(written, float) else str(written)
    if name == "core" and text == "0":
        return 0.0
    try:
        return float(_PARSERS[name](text))
    except UsageError as error:
        raise ValueError(f"{error.message}; {error.hint}") from error


_PARSERS = {
    "wall_time": units.parse_duration,
    "output": units.parse_size,
    "memory": units.parse_size,
    "pids": units.parse_count,
    "cpus": units.parse_cores,
    "disk": units.parse_size,
    "open_files": units.parse_count,
    "core": units.parse_size,
}
