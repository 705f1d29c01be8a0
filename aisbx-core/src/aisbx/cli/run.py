"""`aisbx run`: collects the raw strings of its options; `perform` does the rest."""

from typing import Annotated

import typer

from aisbx.cli.options import Json
from aisbx.cli.perform import perform
from aisbx.cli.request_options import (
    Cpus,
    Disk,
    Driver,
    Env,
    Memory,
    Monitor,
    Mount,
    Network,
    Output,
    Pids,
    Profile,
    Publish,
    Rootfs,
    Secret,
    Timeout,
    Workspace,
)

EXAMPLES = """\b
Examples:
  aisbx run -p python-dev python script.py
  aisbx run                                       a shell in the sandbox
  aisbx run -p python-dev+offline -t 30s --memory 512M -- pytest -q
  aisbx run -w ~/src/app:ro -e MODE=test -- make check
  aisbx run --mount ~/data:/data -- ls /data      extra mounts are read-only
  aisbx run --dry-run -p shell -- make            what it would see and what would hold
  aisbx run --json -- make                        one JSON object: exit code, streams, limits
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    # Whatever stands behind the command is the command's own, also where it looks like an option.
    settings = {"allow_interspersed_args": False}
    app.command("run", epilog=EXAMPLES, context_settings=settings)(run)


def run(  # noqa: PLR0913, PLR0917 - the options are fixed; each is one parameter
    command: Annotated[list[str] | None, typer.Argument(metavar="CMD", hidden=True)] = None,
    profile: Profile = None,
    driver: Driver = None,
    workspace: Workspace = None,
    env: Env = None,
    mount: Mount = None,
    rootfs: Rootfs = None,
    network: Network = None,
    publish: Publish = None,
    secret: Secret = None,
    timeout: Timeout = None,
    memory: Memory = None,
    pids: Pids = None,
    cpus: Cpus = None,
    disk: Disk = None,
    output: Output = None,
    sandbox: Annotated[
        list[str] | None, typer.Option("--sandbox", "-s", metavar="NAME", help="In a sandbox that aisbx create made.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be mounted, filtered and limited.")
    ] = False,
    monitor: Monitor = None,
    json: Json = False,
    interactive: Annotated[bool, typer.Option("--interactive", "-i", hidden=True)] = False,
) -> int:
    """Run CMD in a fresh sandbox; without CMD, on a terminal, a shell."""
    del interactive  # an older spelling; stdin is always passed on
    options = {
        "profile": profile,
        "driver": driver,
        "workspace": workspace,
        "env": env,
        "mount": mount,
        "rootfs": rootfs,
        "network": network,
        "publish": publish,
        "secret": secret,
        "timeout": timeout,
        "memory": memory,
        "pids": pids,
        "cpus": cpus,
        "disk": disk,
        "output": output,
        "sandbox": sandbox,
    }
    given = {name: values for name, values in options.items() if values}
    return perform(given, command or (), dry_run=dry_run, as_json=json, monitor=monitor)
