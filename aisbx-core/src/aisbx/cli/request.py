"""From the raw strings of `run`'s options to a `RunRequest`: the one reading of them that both fronts share."""

from collections.abc import Mapping, Sequence

from aisbx.errors import UsageError
from aisbx.types import MountRequest, Network, NetworkMode, RunRequest, Secret, WorkspaceMode, WorkspaceRequest
from aisbx.units import parse_cores, parse_count, parse_duration, parse_size

OPTIONS = frozenset(
    {
        "cpus",
        "disk",
        "driver",
        "env",
        "memory",
        "mount",
        "network",
        "output",
        "pids",
        "profile",
        "publish",
        "rootfs",
        "sandbox",
        "secret",
        "timeout",
        "workspace",
    }
)
"""The long names, without dashes, of the options of `run` that have a value."""

MODES = frozenset(mode.value for mode in WorkspaceMode)
MAX_PORT = 65_535


def to_request(options: Mapping[str, Sequence[str]], command: Sequence[str], cwd: str) -> RunRequest:
    """Read the options of `run` as they were typed; UsageError names the option that is wrong.

    `options` maps each name of `OPTIONS` to its values in the order of the command line. Of options that hold
    one value the last counts, as in most command lines; `profile`, `env`, `mount`, `publish` and `secret` add up.
    """
    if "sandbox" in options:
        raise UsageError("--sandbox: that one is there already, and is not made by a request", hint="aisbx exec NAME")
    if unknown := options.keys() - OPTIONS:
        raise UsageError(f"unknown option --{min(unknown)}", hint="see: aisbx run --help")
    workspace = _last(options, "workspace")
    network = _last(options, "network")
    return RunRequest(
        command=tuple(command),
        cwd=cwd,
        profile=tuple(name for value in options.get("profile", ()) for name in _profiles(value)),
        driver=_driver(_last(options, "driver")),
        workspace=None if workspace is None else parse_workspace(workspace),
        mounts=tuple(parse_mount(value) for value in options.get("mount", ())),
        rootfs=_rootfs(_last(options, "rootfs")),
        environment=dict(_variable(value) for value in options.get("env", ())),
        network=None if network is None else parse_network(network),
        publish=tuple(_port(value, "--publish") for value in options.get("publish", ())),
        secrets=_secrets(options.get("secret", ())),
        limits=_limits(options),
    )


def parse_workspace(value: str) -> WorkspaceRequest:
    """Read `DIR[:rw|ro|cow|guarded]`; any other colon belongs to the name (`x:rw:rw` is `x:rw`, writable)."""
    path, colon, suffix = value.rpartition(":")
    mode = WorkspaceMode(suffix) if colon and suffix in MODES else None
    if mode is None:
        path = value
    if not path:
        raise UsageError("--workspace: the directory is missing", hint="write DIR or DIR:MODE, such as .:ro")
    return WorkspaceRequest(path, mode)


def parse_mount(value: str) -> MountRequest:
    """Read `SRC:DST[:ro|rw]`. DST is absolute and begins at the last `:/`, so SRC may contain colons."""
    hint = "write SRC:DST, SRC:DST:ro or SRC:DST:rw with an absolute DST"
    rest, writable = value, False
    for suffix in (":ro", ":rw"):
        if value.endswith(suffix):
            rest, writable = value.removesuffix(suffix), suffix == ":rw"
    source, separator, target = rest.rpartition(":/")
    if not source or not separator:
        raise UsageError(f"--mount: {value!r} is not SRC:DST", hint=hint)
    return MountRequest(source, f"/{target}", writable)


def parse_network(value: str) -> Network:
    """Read `none`, `open` or `allow=RULE,…`; an empty list is refused rather than read as either extreme."""
    hint = "write none, open or allow=HOST[:PORT],… such as allow=pypi.example:443"
    if value in (NetworkMode.NONE.value, NetworkMode.OPEN.value):
        return Network(NetworkMode(value))
    word, _, rules = value.partition("=")
    if word != "allow":
        raise UsageError(f"--network: {value!r} is not a network mode", hint=hint)
    return _allowing(rules.split(","))


def _secrets(values: Sequence[str]) -> tuple[Secret, ...]:
    if not values:
        return ()
    from aisbx.secrets.spelled import parse_secrets  # only who names one pays for `re`

    return parse_secrets(values)


def _allowing(texts: Sequence[str]) -> Network:
    """Read rules as profiles do, so that no two readers can differ in what they mean."""
    from aisbx.profiles.allowing import allowing  # only who names hosts pays for `ipaddress`

    return allowing(texts, "--network")


def _port(text: str, option: str) -> int:
    digits = text if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PORT)) else "0"
    if not 1 <= int(digits) <= MAX_PORT:
        raise UsageError(f"{option}: {text!r} is not a port", hint=f"write a number from 1 to {MAX_PORT}")
    return int(digits)


def _profiles(value: str) -> list[str]:
    names = value.split("+")
    if not all(names):
        raise UsageError(
            f"--profile: {value!r} has an empty name", hint="write NAME or NAME+NAME; see: aisbx profile list"
        )
    return names


def _driver(value: str | None) -> str:
    if value == "":
        raise UsageError("--driver: the name is empty", hint="write auto, or a name of: aisbx plugin list")
    return value or ""


def _rootfs(value: str | None) -> str:
    if value == "" or (value and "\0" in value):
        raise UsageError("--rootfs: the directory is missing", hint="make one first: aisbx init --rootfs DIR")
    return value or ""


def _variable(value: str) -> tuple[str, str]:
    name, equals, content = value.partition("=")
    # What was typed is not shown: where the name is missing it may be the secret itself.
    if not equals or not name:
        raise UsageError("--env: a value is not NAME=VALUE", hint='write NAME=VALUE, or NAME="$NAME" to pass yours on')
    return name, content


def _limits(options: Mapping[str, Sequence[str]]) -> dict[str, float]:
    limits: dict[str, float] = {}
    for option, limit, parse in (
        ("timeout", "wall_time", parse_duration),
        ("memory", "memory", parse_size),
        ("pids", "pids", parse_count),
        ("cpus", "cpus", parse_cores),
        ("disk", "disk", parse_size),
        ("output", "output", parse_size),
    ):
        value = _last(options, option)
        if value is not None:
            limits[limit] = parse(value, name=f"--{option}")
    return limits


def _last(options: Mapping[str, Sequence[str]], name: str) -> str | None:
    values = options.get(name, ())
    return values[-1] if values else None
