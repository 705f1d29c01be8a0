"""`aisbx learn`: run a command confined and observed, and write the narrowest profile that covers what it did."""

import os
import time
from typing import Annotated

import typer

from aisbx.cli.asked import asked
from aisbx.cli.options import Json
from aisbx.cli.perform import told
from aisbx.cli.render import emit_json, say
from aisbx.cli.request import to_request
from aisbx.cli.request_options import (
    Cpus,
    Disk,
    Driver,
    Env,
    Memory,
    Mount,
    Network,
    Pids,
    Profile,
    Rootfs,
    Secret,
    Timeout,
    Workspace,
)
from aisbx.cli.session import directory, engine, principal
from aisbx.errors import StateError, UsageError
from aisbx.learn import Lesson, learn, profile_text
from aisbx.types import Stdio

EXAMPLES = """\b
Examples:
  aisbx learn -p python-dev --name tests -- python -m unittest
  aisbx run -p tests -- python -m unittest         the same under what was learned
  aisbx learn --output learned.yaml -- make        into a file of that name
  aisbx learn --mount ~/models:/models -- ./train  of what is offered, what is used is kept
  aisbx learn --network allow=api.example:443 -- make to see what comes after a host that was asked for

The command sees what its profile allows, its workspace is copy-on-write and what it wrote is dropped, hosts
are recorded and refused, secrets are masked. The exit code is the command's.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    settings = {"allow_interspersed_args": False}  # as `run` has it
    app.command("learn", epilog=EXAMPLES, context_settings=settings)(learning)


def learning(  # noqa: PLR0913, PLR0917 - the options of `run`; each is one parameter
    command: Annotated[list[str] | None, typer.Argument(metavar="CMD", hidden=True)] = None,
    profile: Profile = None,
    driver: Driver = None,
    workspace: Workspace = None,
    env: Env = None,
    mount: Mount = None,
    rootfs: Rootfs = None,
    network: Network = None,
    secret: Secret = None,
    timeout: Timeout = None,
    memory: Memory = None,
    pids: Pids = None,
    cpus: Cpus = None,
    disk: Disk = None,
    output: Annotated[str, typer.Option("--output", metavar="FILE", help="Write the profile there.")] = "",
    name: Annotated[str, typer.Option("--name", metavar="N", help="Save it among your profiles.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    json: Json = False,
) -> int:
    """Run CMD confined and observed; write the narrowest profile for it, with the evidence of each grant."""
    options = {
        "profile": profile,
        "driver": driver,
        "workspace": workspace,
        "env": env,
        "mount": mount,
        "rootfs": rootfs,
        "network": network,
        "secret": secret,
        "timeout": timeout,
        "memory": memory,
        "pids": pids,
        "cpus": cpus,
        "disk": disk,
    }
    place = _place(output, name, force=force)  # before anything runs
    request = to_request({key: values for key, values in options.items() if values}, command or (), directory())
    stdio = Stdio(0) if json else Stdio(0, 1, 2, terminal=os.isatty(0) and os.isatty(1))
    lesson = asked(lambda: learn(engine(), os.environ, request, principal(), stdio, "cli"))
    text = profile_text(lesson.learned, request.command[0], time.time())
    if place:
        _write(place, text, force=force)
    if json:
        emit_json({**lesson.outcome.as_record(), **_record(lesson), "text": text, "file": place or None})
    else:
        _show(lesson, text, place)
    return lesson.outcome.status.code


def _place(output: str, name: str, *, force: bool) -> str:
    """Give where the profile is to be written, empty for nowhere; UsageError where something is there."""
    if output and name:
        raise UsageError("--output and --name say both where to write", hint="leave one out")
    place = _named(name) if name else os.path.join(directory(), output) if output else ""
    if place and os.path.lexists(place) and not force:
        raise UsageError(f"{place} is there already", hint="take another name, or --force to replace it")
    return place


def _named(name: str) -> str:
    import re

    from aisbx.inputs import Inputs
    from aisbx.paths import config_dir
    from aisbx.profiles.load import NAME

    if not re.fullmatch(NAME.rstrip("$"), name):
        raise UsageError(f"{name!r} is not a profile's name", hint="letters, digits, `.`, `_` and `-`")
    return str(config_dir(Inputs()) / "profiles" / f"{name}.yaml")


def _write(place: str, text: str, *, force: bool) -> None:
    from pathlib import Path

    from aisbx.inputs import Inputs
    from aisbx.paths import config_dir, ensure_private, write_own

    file = Path(place)
    if file.parent == config_dir(Inputs()) / "profiles":
        ensure_private(file.parent.parent)
        ensure_private(file.parent)
    try:
        if force:
            write_own(file, text.encode())
        else:
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write(text.encode())
    except OSError as error:
        raise StateError(f"{place} cannot be written: {error.strerror}", hint="write it elsewhere") from error


def _show(lesson: Lesson, text: str, place: str) -> None:
    for line in told(lesson.outcome.status):
        say(line)
    for row in lesson.learned.never:
        say(f"asked for and never granted: {row.what} ({row.why})")
    for row in lesson.learned.granted:
        if row.why.startswith("new: "):
            say(f"granted beyond {lesson.base}: {row.key} {row.value}")
    for line in lesson.learned.unused:
        say(f"unused of {lesson.base}: {line}")
    for line in lesson.learned.notes:
        say(line)
    if place:
        say(f"the profile is in {place}; read it before you use it")
    else:
        print(text, end="")


def _record(lesson: Lesson) -> dict[str, object]:
    """Give what was learned as the object of `--json` has it."""
    learned = lesson.learned
    return {
        "base": lesson.base,
        "granted": [{"key": row.key, "value": row.value, "why": row.why} for row in learned.granted],
        "never": [{"what": row.what, "why": row.why, "seen": row.trace} for row in learned.never],
        "unused": learned.unused,
        "notes": learned.notes,
    }
