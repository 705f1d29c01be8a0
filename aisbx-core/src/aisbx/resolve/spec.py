"""`resolve`: the parts put together."""

import os
from collections.abc import Mapping
from dataclasses import replace

from aisbx import caches
from aisbx.errors import PolicyError
from aisbx.places import within
from aisbx.profiles.allowing import allowing
from aisbx.profiles.lattice import DEFAULT_SYSCALLS, narrower_network
from aisbx.profiles.order import network_within
from aisbx.resolve.limits import merged_limits
from aisbx.resolve.mounts import merged_mounts
from aisbx.resolve.runtimes import told
from aisbx.settings import Settings
from aisbx.toolchains import Toolchain
from aisbx.types import (
    PROXY_PORT,
    Identity,
    Limit,
    Mount,
    Network,
    NetworkMode,
    Profile,
    RunRequest,
    SandboxSpec,
    Secret,
    Workspace,
)

PATH = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin")
SHELL = "/bin/sh"
MASKED = "aisbx-learn-masked"
"""The value of a secret in a sandbox from which a profile is learned."""
_PROXY = f"http://127.0.0.1:{PROXY_PORT}"
_OWN = "localhost,127.0.0.1,::1"
PROXY_VARIABLES = {
    **{name: _PROXY for key in ("http_proxy", "https_proxy", "all_proxy") for name in (key, key.upper())},
    **dict.fromkeys(("no_proxy", "NO_PROXY"), _OWN),
    "NODE_USE_ENV_PROXY": "1",  # Node.js 24 and 22.21: fetch and http take the variables above
}
"""By which programs find the proxy of an allow-list."""
_JAVA = " ".join(f"-D{scheme}.proxyHost=127.0.0.1 -D{scheme}.proxyPort={PROXY_PORT}" for scheme in ("http", "https"))


def resolve(
    request: RunRequest,
    profile: Profile,
    settings: Settings,
    workspace: Workspace | None,
    toolchain: Toolchain,
    identity: Identity,
    cache: Mount | None = None,
) -> SandboxSpec:
    """Give the specification of a request; `cache` is what it keeps between runs, as `aisbx.caches` gives it.

    UsageError for what makes no sense, PolicyError for what a restriction excludes, TrustError for an untrusted
    project that asks for more. What the request adds to the environment is not in it: that goes with the command.
    """
    limits = merged_limits(request, profile, settings)
    path = tuple(dict.fromkeys((*toolchain.path, *profile.path, *PATH)))
    network = _network(request, profile)
    mounts = merged_mounts(request, profile, toolchain, workspace, identity, settings.own_dirs, cache)
    links = dict(toolchain.links)
    if profile.cache and not any(within(mount.target, caches.INSIDE) for mount in mounts):
        links[caches.INSIDE] = "/tmp"  # a place to write to, for this run alone
    return SandboxSpec(
        profile=profile.name,
        identity=identity,
        cwd=_directory(request, workspace, identity),
        workspace=workspace,
        mounts=mounts,
        links=dict(sorted(links.items())),
        rootfs=os.path.normpath(os.path.join(request.cwd, request.rootfs)) if request.rootfs else profile.rootfs,
        path=path,
        environment=dict(
            sorted(
                {
                    **_masked(request, profile),
                    **_told(limits, network),
                    **_environment(profile, toolchain, identity, path, network),
                }.items()
            )
        ),
        network=network,
        publish=request.publish,
        syscalls=tuple(sorted(profile.syscalls or DEFAULT_SYSCALLS)),
        limits=limits,
        secrets=() if request.learn else _secrets(request, profile, settings),
        lowered=frozenset(settings.lower),
        preload=tuple(sorted(profile.preload)),
        monitored=bool(request.monitor) or (bool(profile.reactions or profile.detections) and not request.learn),
        probes=bool(request.monitor),
        recorded=request.learn,
        detections=() if request.learn else profile.detections,
        reactions=() if request.learn else profile.reactions,
    )


def _secrets(request: RunRequest, profile: Profile, settings: Settings) -> tuple[Secret, ...]:
    """Give the request's, and those of the profile in whose place it has none."""
    own = {secret.place for secret in request.secrets}
    both = (*request.secrets, *(secret for secret in profile.secrets if secret.place not in own))
    return tuple(replace(each, store=each.store or settings.secret_store) for each in both)


def _masked(request: RunRequest, profile: Profile) -> dict[str, str]:
    """Give what stands in the place of secrets that are variables, where a profile is learned and no value is given."""
    both = (*request.secrets, *profile.secrets) if request.learn else ()
    return dict.fromkeys((name for each in both if (name := each.variable or each.placeholder)), MASKED)


def _told(limits: Mapping[str, Limit], network: Network) -> dict[str, str]:
    """Give what runtimes are told of limits, and Java of the proxy, which it takes from nowhere else."""
    variables = told(limits)
    if network.mode is NetworkMode.ALLOWLIST:
        name = "JAVA_TOOL_OPTIONS"
        variables[name] = f"{variables[name]} {_JAVA}" if name in variables else _JAVA
    return variables


def _directory(request: RunRequest, workspace: Workspace | None, identity: Identity) -> str:
    if workspace is None:
        return identity.home
    return request.cwd if within(request.cwd, workspace.path) else workspace.path


def _environment(
    profile: Profile, toolchain: Toolchain, identity: Identity, path: tuple[str, ...], network: Network
) -> dict[str, str]:
    """Give every variable there is inside, in the order of who may replace whose: defaults, toolchain, profile."""
    fixed = {
        "HOME": identity.home,
        "LOGNAME": identity.name,
        "PATH": ":".join(path),
        "SHELL": profile.shell or SHELL,
        "TMPDIR": "/tmp",
        "USER": identity.name,
    }
    # The C.UTF-8 locale is part of glibc since 2.35 and of musl; no other one is sure to exist inside.
    defaults = {"LANG": "C.UTF-8", "TERM": "xterm-256color"}
    if profile.cache:
        defaults["XDG_CACHE_HOME"] = caches.INSIDE
    if network.mode is NetworkMode.NONE:
        defaults |= toolchain.offline
    if network.mode is NetworkMode.ALLOWLIST:
        defaults |= PROXY_VARIABLES
    return {**defaults, **toolchain.environment, **profile.environment, **fixed}


def _network(request: RunRequest, profile: Profile) -> Network:
    ceiling = profile.ceiling.network if profile.ceiling else None
    if request.network is None:
        own = profile.network or Network()
        return own if request.network_ceiling is None else _given(_rules(request.network_ceiling), own, ceiling)
    asked = _rules(request.network)
    if ceiling is not None and not network_within(asked, ceiling):
        raise PolicyError(
            f"the profile {profile.name} allows the network {_shown(ceiling)} at most, not {_shown(asked)}",
            hint="leave out --network, or the restriction in -p",
        )
    return asked


def _given(most: Network, own: Network, ceiling: Network | None) -> Network:
    """Give what a server gives at most, as far as the profile names hosts, within its restriction."""
    given = narrower_network(own, most) if own.mode is NetworkMode.ALLOWLIST else most
    return given if ceiling is None else narrower_network(given, ceiling)


def _rules(network: Network) -> Network:
    if network.mode is not NetworkMode.ALLOWLIST:
        return network
    return allowing(network.allow, "--network") if network.allow else Network()


def _shown(network: Network) -> str:
    return f"allow={','.join(network.allow)}" if network.allow else network.mode.value
