"""The table `[drivers.lima]`, checked; and where things are."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from aisbx.errors import ConfigError

_PATHS = ("image", "limactl", "home")
_NUMBERS = {
    "cpus": (1, 64, 1),
    "memory": (512, 1 << 20, 1024),
    "copy": (1, 1 << 20, 1024),
    "start": (10, 3600, 300),
}
"""Name → least, most, and what it is where nothing is said."""
INSTANCE = "aisbx"
"""Of Lima's instances, ours."""
LONGEST = 60
"""Bytes of the directory: the path of a socket in an instance's has 107 at most, what ssh adds included (unix(7))."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Where the image, limactl (empty: on PATH) and LIMA_HOME are, and how large the machine is.

    `memory` and `copy` are MiB: the machine's, and the most that is copied in or out for one run; `start` seconds.
    """

    image: str
    limactl: str
    home: str
    cache: str
    cpus: int
    memory: int
    copy: int
    start: int


def read(settings: Mapping[str, object]) -> Configuration:
    """Give the settings with what is usual for the rest; ConfigError for one that there is not, or makes no sense."""
    cache = str(settings["cache_dir"])
    for name in sorted(settings.keys() - {"cache_dir", *_PATHS, *_NUMBERS}):
        hint = f"there are {', '.join(sorted((*_PATHS, *_NUMBERS)))}"
        raise ConfigError("there is no such setting", key=f"drivers.lima.{name}", hint=hint)
    paths = {name: _path(name, settings.get(name, "")) for name in _PATHS}
    numbers = {name: _number(name, settings.get(name, usual)) for name, (_, _, usual) in _NUMBERS.items()}
    home = paths["home"] or os.path.join(cache, "lima")
    return Configuration(
        # Not in that `cache`: who only looks at what would be has one of their own, with nothing in it.
        image=paths["image"] or default_image(os.environ),
        limactl=paths["limactl"],
        home=home,
        cache=cache,
        cpus=numbers["cpus"],
        memory=numbers["memory"],
        copy=numbers["copy"],
        start=numbers["start"],
    )


def default_image(environ: Mapping[str, str]) -> str:
    """Give where the driver looks for its image with no settings: in the cache of aisbx."""
    named = environ.get("XDG_CACHE_HOME", "")
    base = named if os.path.isabs(named) else os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "aisbx", "lima-image")


def _path(name: str, value: object) -> str:
    if not isinstance(value, str) or (value and not os.path.isabs(value)):
        hint = "write an absolute path, or remove it"
        raise ConfigError(f"{value!r} is not an absolute path", key=f"drivers.lima.{name}", hint=hint)
    return value


def _number(name: str, value: object) -> int:
    least, most, _ = _NUMBERS[name]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        hint = f"write a whole number from {least} to {most}"
        raise ConfigError(f"{value!r} makes no sense", key=f"drivers.lima.{name}", hint=hint)
    return value
