"""Profiles in words and as data."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, cast

from aisbx.errors import AisbxError
from aisbx.inputs import Inputs
from aisbx.types import LIMITS, Network, Profile, Secret
from aisbx.units import format_duration, format_size

if TYPE_CHECKING:
    from aisbx.profiles import Lookup


def profile_rows(names: Mapping[str, str], find: "Lookup", inputs: Inputs) -> Iterator[tuple[str, str, str]]:
    """Give name, origin and description of each profile; of a broken one what is wrong with it."""
    from aisbx.profiles import parse_profile  # YAML, which nobody else here needs

    for name, origin in names.items():
        try:
            found = find(name)
            told = parse_profile(found, inputs)[0].description if found else ""
        except AisbxError as error:
            told = f"(broken: {error.message})"  # one broken file must not hide the others
        yield name, origin, told


def profile_lines(profile: Profile) -> Iterator[str]:
    """Say what a profile gives and demands, one aligned line for each; what it leaves open is not listed."""
    yield from _row("name", [profile.name])
    yield from _row("description", [profile.description])
    yield from _row("kind", ["a restriction: it only takes away"] if profile.restriction else [])
    yield from _row("toolchains", sorted(profile.toolchains))
    yield from _row("workspace", [profile.workspace_mode.value] if profile.workspace_mode else [])
    yield from _row("network", [network(profile.network)] if profile.network else [])
    yield from _row("system calls", sorted(profile.syscalls))
    for mount in profile.mounts:
        yield from _row("mount", [f"{mount.source} at {mount.target} ({'rw' if mount.writable else 'ro'})"])
    for name, value in sorted(profile.environment.items()):
        yield from _row("environment", [f"{name}={value}"])
    yield from _row("path", [":".join(profile.path)])
    for name, limit in sorted(profile.limits.items()):
        yield from _row("limit", [f"{name} {amount(name, limit.amount)} ({limit.strength.value})"])
    yield from _row("cache", ["/var/cache, kept for each project"] if profile.cache else [])
    for secret in profile.secrets:
        yield from _row("secret", [_secret(secret)])
    yield from _row("preload", sorted(profile.preload))
    for rule in profile.detections:
        yield from _row("rule", [f"{rule.id} ({rule.severity}): {rule.means}"])
    for reaction in profile.reactions:
        yield from _row("on", [f"{reaction.on}: {' and '.join(reaction.do)}"])
    yield from _row("root", [profile.rootfs])
    yield from _row("shell", [profile.shell])
    if profile.ceiling is not None:
        yield from _row("at most", [profile.ceiling.name + ": a run cannot ask for more than it allows"])


def profile_record(profile: Profile) -> object:
    """Give a profile as JSON data."""
    return data(profile)


def network(asked: Network) -> str:
    """Write a network for people: its mode, and the hosts of a list."""
    return f"{asked.mode.value}: {', '.join(asked.allow)}" if asked.allow else asked.mode.value


def _secret(secret: Secret) -> str:
    name = f"{secret.store}:{secret.name}" if secret.store else secret.name
    if not secret.placeholder:
        return f"{name} at {secret.place}" if secret.target else f"{name} in ${secret.place}"
    hosts = ", ".join(secret.binding.hosts) if secret.binding else "the hosts that it is bound to"
    return f"{name} put into requests to {hosts}, for the placeholder in ${secret.place}"


def amount(name: str, value: float) -> str:
    """Write a limit's amount in the unit that its name has in the contract."""
    unit = LIMITS[name][0] if name in LIMITS else ""
    if unit == "seconds":
        return format_duration(value)
    return format_size(value) if unit == "bytes" else f"{value:g}"


def data(value: object) -> object:
    """Turn specs, plans and profiles into what JSON can hold: sets sorted, bytes by their length."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: data(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): data(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, (set, frozenset)):
        return sorted(str(item) for item in cast("frozenset[object]", value))
    if isinstance(value, (list, tuple)):
        return [data(item) for item in cast("list[object]", value)]
    return {"bytes": len(value)} if isinstance(value, (bytes, bytearray)) else value


def _row(label: str, values: Iterable[str]) -> Iterator[str]:
    text = ", ".join(value for value in values if value)
    if text:
        yield f"{label:<13} {text}"
