"""What a sandbox is made with, in a program's own words."""

import os
from collections.abc import Mapping, Sequence
from typing import TypedDict

from aisbx.errors import UsageError
from aisbx.profiles.allowing import allowing
from aisbx.secrets.spelled import parse_secrets
from aisbx.types import Command, MountRequest, Network, NetworkMode, RunRequest, WorkspaceMode, WorkspaceRequest


class Options(TypedDict, total=False):
    """As the options of `aisbx create`; what is left out the profile and the settings decide."""

    profile: str | Sequence[str]
    """One or several, composed."""
    driver: str
    workspace: str | os.PathLike[str]
    """A directory; the current one if it is left out."""
    mode: str
    """`rw`, `ro`, `cow` or `guarded`."""
    mounts: Mapping[str, str]
    """Host path → path inside, read-only."""
    writable_mounts: Mapping[str, str]
    rootfs: str | os.PathLike[str]
    """A root directory, as `aisbx init --rootfs` makes one."""
    env: Mapping[str, str]
    """Variables of all its commands."""
    network: str
    """`none` or `open`."""
    secrets: Sequence[str]
    """As `--secret`: `NAME,type=proxy,target=VARIABLE,host=HOST`, or a file in `/run/secrets`."""
    allow: Sequence[str]
    """Rules of an allow-list, in the place of `network` (docs/network.md)."""
    publish: Sequence[int]
    """Ports of servers inside that are reached on the host's loopback."""
    timeout: float
    """Seconds for each command."""
    output: int
    """Bytes of output that each command may have."""
    memory: int
    """Bytes for all of it together."""
    pids: int
    cpus: float
    """Cores."""
    disk: int
    """Bytes of private space."""
    monitor: bool
    """Whether what it tries that it may not is recorded as it happens (docs/monitoring.md): all of it, or nothing.
    Left out: of a sandbox that lasts, where that can be, but for what libraries try and do without."""


def to_request(options: Options, command: Sequence[str] = ()) -> RunRequest:
    """Give a program's options as a request, relative to the current directory; UsageError where one cannot be."""
    named = options.get("profile", ())
    workspace = os.fspath(options["workspace"]) if "workspace" in options else None
    mode = _mode(options["mode"]) if "mode" in options else None
    limits = {
        name: float(amount)
        for name, amount in (
            ("wall_time", options.get("timeout")),
            ("output", options.get("output")),
            ("memory", options.get("memory")),
            ("pids", options.get("pids")),
            ("cpus", options.get("cpus")),
            ("disk", options.get("disk")),
        )
        if amount is not None
    }
    mounts = [MountRequest(source, target) for source, target in options.get("mounts", {}).items()]
    mounts += [
        MountRequest(source, target, writable=True) for source, target in options.get("writable_mounts", {}).items()
    ]
    return RunRequest(
        command=tuple(command),
        cwd=os.getcwd(),
        profile=(named,) if isinstance(named, str) else tuple(named),
        driver=options.get("driver", ""),
        workspace=WorkspaceRequest(workspace or ".", mode) if workspace or mode else None,
        mounts=tuple(mounts),
        rootfs=os.fspath(options.get("rootfs", "")),
        environment=dict(options.get("env", {})),
        network=_network(options),
        publish=tuple(options.get("publish", ())),
        secrets=parse_secrets(options.get("secrets", ())),
        limits=limits,
        monitor=options.get("monitor"),
    )


class CommandOptions(TypedDict, total=False):
    """What one command may have of its own; its bounds narrow what its sandbox was made with."""

    env: Mapping[str, str] | None
    cwd: str | None
    """Absolute."""
    timeout: float | None
    """Seconds."""
    output: int | None
    """Bytes."""
    memory: int | None
    """Bytes, of the command and all that came of it."""
    pids: int | None


_LIMITS = (("wall_time", "timeout"), ("output", "output"), ("memory", "memory"), ("pids", "pids"))


def to_command(words: tuple[str, ...], own: CommandOptions) -> Command:
    """Give a command with what it has of its own; UsageError where that cannot be."""
    for word in words:
        if not isinstance(word, str):  # pyright: ignore[reportUnnecessaryIsInstance]  (who has no types may say anything)
            raise UsageError(f"the word {word!r} of a command is not a string", hint="write str() around it")
    if not own:
        return Command(argv=words)
    limits = {limit: float(amount) for limit, name in _LIMITS if (amount := own.get(name)) is not None}
    if limits and any(not amount > 0 for amount in limits.values()):
        raise UsageError("timeout, output, memory and pids are more than 0", hint="leave them out for no bound")
    cwd = own.get("cwd")
    if cwd is not None and not cwd.startswith("/"):
        raise UsageError(f"cwd: {cwd!r} is not absolute", hint="name a directory inside, such as /tmp")
    return Command(argv=words, environment=own.get("env") or {}, cwd=cwd, limits=limits)


def words_of(argv: Sequence[str]) -> tuple[str, ...]:
    """Give a command's words; UsageError where it is none."""
    if isinstance(argv, str):
        raise UsageError("a command is a list of words, not a string", hint=f"write ['sh', '-c', {argv!r}]")
    if not argv:
        raise UsageError("no command was given", hint="write a list of words")
    return tuple(argv)


def _mode(value: str) -> WorkspaceMode:
    try:
        return WorkspaceMode(value)
    except ValueError:
        known = ", ".join(mode.value for mode in WorkspaceMode)
        raise UsageError(f"mode: {value!r} is none", hint=f"one of {known}") from None


def _network(options: Options) -> Network | None:
    if "allow" in options:
        if "network" in options:
            raise UsageError("allow is a network of its own", hint="leave out network, or allow")
        if isinstance(options["allow"], str):
            raise UsageError("allow is a list of rules, not a string", hint=f"write [{options['allow']!r}]")
        return allowing(options["allow"], "allow")
    if "network" not in options:
        return None
    value = options["network"]
    if value not in {NetworkMode.NONE.value, NetworkMode.OPEN.value}:
        raise UsageError(f"network: {value!r} is no network mode", hint="none or open; rules go to allow")
    return Network(NetworkMode(value))
