"""What a server is started with: the most that its clients can have."""

from dataclasses import dataclass

from aisbx.cli.request import parse_network
from aisbx.types import RunRequest, WorkspaceMode, WorkspaceRequest

HOST = "mcp"
"""What the audit log says of whoever asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """What only the transport `http` reads."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0: any that is free."""
    certfile: str = ""
    keyfile: str = ""
    auth: str = "api-key"
    """The authenticator; empty: everybody who reaches it is the user whom it runs as."""
    hosts: tuple[str, ...] = ()
    """More names that it goes by, each with a port or for any."""
    origins: tuple[str, ...] = ()
    """Of web pages that may use it, besides its own."""
    idle: float = 1800.0
    """Seconds after the last request of a principal, when all of theirs ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """Set by whoever starts the server; no tool argument goes beyond it."""

    workspace: str | None = None
    """A directory of the host, with a mode or without; None gives each client a private one that ends with it."""
    mode: str | None = None
    profile: str = ""
    """The profile of sandboxes whose maker names none; empty: what the settings say."""
    profiles: tuple[str, ...] = ()
    """Others that a client may name."""
    network: str = "none"
    """`none`, `open`, or `allow=RULE,…`."""
    grants: bool = False
    """Whether a client's user may be asked for one host more."""
    driver: str = ""
    preload: tuple[str, ...] = ()
    """Python packages that are imported before the first code comes."""
    http: HttpOptions = HttpOptions()
    sandboxes: int = 8
    """So many of a client's at once."""
    commands: int = 16
    """So many of a client's commands at once."""


def request(
    options: ServeOptions, directory: str, profile: str, workspace: WorkspaceRequest | None = None
) -> RunRequest:
    """Give what a sandbox is made by that works in a directory, or in a `workspace` that comes before it."""
    mode = WorkspaceMode(options.mode) if options.mode else None
    chosen = workspace or WorkspaceRequest(directory, mode)
    return RunRequest(
        command=(),
        cwd=chosen.path,
        profile=(profile,) if profile else (),
        driver=options.driver,
        workspace=chosen,
        network_ceiling=parse_network(options.network),
    )
