"""What a supervisor is started with: where it listens, and the most that its clients can have."""

from dataclasses import dataclass

from aisbx.types import Network, NetworkMode, RunRequest, WorkspaceMode, WorkspaceRequest

HOST = "rest"
"""What the audit log says of whoever asked."""
UPLOAD = "upload-"
"""How the names of files begin that are on their way into a sandbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """Set by whoever starts it; no request goes beyond it."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0: any that is free."""
    uds: str = ""
    """The path of a Unix socket, in place of an address."""
    certfile: str = ""
    keyfile: str = ""
    auth: str = "api-key"
    """The authenticator; empty: everybody who reaches it is the user whom it runs as."""
    hosts: tuple[str, ...] = ()
    """More names that it goes by, each with a port or for any."""
    origins: tuple[str, ...] = ()
    """Of web pages that may use it, besides its own."""
    workspace: str | None = None
    """A directory of the host, with a mode or without; None gives each sandbox a private one that ends with it."""
    mode: str | None = None
    workspaces: str = ""
    """Where private ones are made; empty: /var/tmp/aisbx-supervisor-UID."""
    profile: str = ""
    """The profile of sandboxes whose maker names none; empty: what the settings say."""
    profiles: tuple[str, ...] = ()
    """Others that a client may name."""
    network: str = "none"
    """`none` or `open`: the most that a sandbox can have."""
    driver: str = ""
    sandboxes: int = 64
    """So many of a key's at once."""
    pools: tuple[tuple[str, int], ...] = ()
    """Profiles of which so many sandboxes wait, made before they are asked for."""
    drain: float = 30.0
    """Seconds that requests have to end when it is to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a request says of a sandbox; all of it within `ServeOptions`."""

    profile: str = ""
    workspace: WorkspaceRequest | None = None
    environment: dict[str, str]
    limits: dict[str, float]
    mode: str = ""
    """`ro` and `cow` give up writing to it."""
    network: str = ""
    """`none` gives up what the server would give."""


def to_request(options: ServeOptions, wanted: Wanted, directory: str) -> RunRequest:
    """Give what a sandbox is made by that works in a directory, or in the `workspace` that its maker's key has."""
    mode = WorkspaceMode(options.mode) if options.mode else None
    workspace = wanted.workspace or WorkspaceRequest(directory, mode)
    if wanted.mode:
        workspace = WorkspaceRequest(workspace.path, WorkspaceMode(wanted.mode))
    profile = wanted.profile or options.profile
    return RunRequest(
        command=(),
        cwd=workspace.path,
        profile=(profile,) if profile else (),
        driver=options.driver,
        workspace=workspace,
        environment=wanted.environment,
        limits=wanted.limits,
        network=Network(NetworkMode(wanted.network)) if wanted.network else None,
        network_ceiling=Network(NetworkMode(options.network)),
    )
