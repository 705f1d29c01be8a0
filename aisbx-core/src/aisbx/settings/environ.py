"""`AISBX_*` variables as a nested table: `AISBX_LIMITS__MEMORY=2G` is `limits.memory`."""

from collections.abc import Mapping

from aisbx.errors import ConfigError

PREFIX = "AISBX_"
SEPARATOR = "__"
DISABLE = "AISBX_DISABLE_PLUGINS"

# Read elsewhere or by tools; not settings.
NOT_SETTINGS = frozenset({DISABLE, "AISBX_DEBUG", "AISBX_FRONT", "AISBX_PYTHON", "AISBX_REMOTE_KEY", "AISBX_REQUIRE"})

_LISTS = frozenset({"plugins.allow", "plugins.disable", "lower", "policies", "sinks"})


def parse(variables: Mapping[str, str], known: frozenset[str]) -> tuple[dict[str, object], dict[tuple[str, ...], str]]:
    """Give the table and which variable each key comes from; lists are written with commas.

    `known` holds the top-level keys; ConfigError for a variable that would set another one.
    """
    table: dict[str, object] = {}
    origins: dict[tuple[str, ...], str] = {}
    for name, value in sorted(variables.items()):
        if name in NOT_SETTINGS:
            continue
        path = tuple(name.removeprefix(PREFIX).lower().split(SEPARATOR))
        if path[0] not in known or not all(path):
            hint = f"unset {name}, or use AISBX_" + ", AISBX_".join(sorted(key.upper() for key in known))
            raise ConfigError("is not a setting", key=name, hint=hint)
        _put(table, path, split(value) if ".".join(path) in _LISTS else value, name)
        origins[path] = name
    return table, origins


def split(text: str) -> list[str]:
    """Give the entries of a list that is written with commas."""
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _put(table: dict[str, object], path: tuple[str, ...], value: object, name: str) -> None:
    for part in path[:-1]:
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"contradicts {PREFIX}{part.upper()}", key=name, hint="unset one of the two")
        table = inner  # pyright: ignore[reportUnknownVariableType]
    if path[-1] in table:
        raise ConfigError("contradicts another variable", key=name, hint="unset one of the two")
    table[path[-1]] = value
