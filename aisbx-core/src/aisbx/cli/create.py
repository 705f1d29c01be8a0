"""`aisbx create`: a sandbox that lasts."""

from dataclasses import replace
from typing import Annotated

import typer

from aisbx.cli.options import Json
from aisbx.cli.render import emit_json
from aisbx.cli.request import to_request
from aisbx.cli.request_options import (
    Cpus,
    Disk,
    Driver,
    Env,
    Memory,
    Monitor,
    Mount,
    Pids,
    Profile,
    Publish,
    Rootfs,
    Secret,
)
from aisbx.cli.session import directory, engine, principal
from aisbx.units import parse_duration

EXAMPLES = """\b
Examples:
  aisbx create --name work -p python-dev          in this directory
  aisbx create -w ~/src/app:ro --ttl 2h
  aisbx exec work -- pytest -q
  aisbx destroy work

Its -t and --output bound each command; --memory and --pids bound all of them together.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("create", epilog=EXAMPLES)(create)


def create(  # noqa: PLR0913, PLR0917 - the options are fixed; each is one parameter
    name: Annotated[str, typer.Option("--name", metavar="N", help="What to call it; otherwise one is made up.")] = "",
    ttl: Annotated[str, typer.Option("--ttl", metavar="T", help="End it after 30m, 8h, 2d.")] = "",
    idle_ttl: Annotated[
        str, typer.Option("--idle-ttl", metavar="T", help="End it when nobody has used it for 30m, 8h.")
    ] = "",
    profile: Profile = None,
    driver: Driver = None,
    workspace: Annotated[
        list[str] | None,
        typer.Option("--workspace", "-w", metavar="DIR[:MODE]", help="Directory to work in; rw, ro, cow or guarded."),
    ] = None,
    env: Env = None,
    mount: Mount = None,
    rootfs: Rootfs = None,
    network: Annotated[
        list[str] | None, typer.Option("--network", metavar="NET", help="none or open; none is the default.")
    ] = None,
    publish: Publish = None,
    secret: Secret = None,
    timeout: Annotated[
        list[str] | None, typer.Option("--timeout", "-t", metavar="TIME", help="End each command after 30s, 5m, 1h30m.")
    ] = None,
    memory: Memory = None,
    pids: Pids = None,
    cpus: Cpus = None,
    disk: Disk = None,
    output: Annotated[
        list[str] | None, typer.Option("--output", metavar="SIZE", help="Pass on this much output of each command.")
    ] = None,
    monitor: Monitor = None,
    json: Json = False,
) -> None:
    """Make a sandbox that lasts until it is destroyed; prints its name."""
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
    }
    given = {option: values for option, values in options.items() if values}
    seconds = parse_duration(ttl, name="--ttl") if ttl else 0.0
    idle = parse_duration(idle_ttl, name="--idle-ttl") if idle_ttl else 0.0
    request = replace(to_request(given, (), directory()), monitor=monitor)
    record = engine().sandboxes.create(request, principal(), "cli", name, seconds, idle)
    if json:
        row = {"name": record.name, "profile": record.profile, "driver": record.driver}
        emit_json({**row, "until": record.until or None, "idle_ttl": record.idle or None})
    else:
        print(record.name)
