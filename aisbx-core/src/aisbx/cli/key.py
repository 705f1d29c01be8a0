"""`aisbx key`: who may reach a host of aisbx over a network."""

import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from aisbx.audit.jsontext import dumps
from aisbx.audit.reserve import recording
from aisbx.audit.write import append_once, start
from aisbx.cli import complete
from aisbx.cli.groups import group
from aisbx.cli.options import Json
from aisbx.cli.render import emit_json, printable, table
from aisbx.cli.session import audit_place, principal, remote, server, session
from aisbx.cli.when import local
from aisbx.errors import StateError, UsageError, WorkspaceError
from aisbx.inputs import Inputs
from aisbx.keys import SCOPES, Key, Keyring
from aisbx.paths import state_dir
from aisbx.plan.run import new_run
from aisbx.units import parse_duration

if TYPE_CHECKING:
    from aisbx.remote.host import RemoteKeyring

CREATE = """\b
Examples:
  aisbx key create laptop                              commands and files, for 90 days
  aisbx key create ci --scope run --expires 12h
  aisbx key create docs -w ~/work/docs:cow -p python-dev --expires never

The key is printed once and is kept nowhere: aisbx keeps its SHA-256.
"""
LIST = """\b
Examples:
  aisbx key list
  aisbx key list --json | python3 -m json.tool
"""
REVOKE = """\b
Examples:
  aisbx key revoke laptop
"""
NEVER = "never"
_MODES = ("rw", "ro", "cow", "guarded")


def register(app: typer.Typer) -> None:
    """Add the group."""
    commands = group("Keys for those who reach this machine's sandboxes over a network.")
    commands.command("create", epilog=CREATE)(create)
    commands.command("list", epilog=LIST)(show)
    commands.command("revoke", epilog=REVOKE)(revoke)
    app.add_typer(commands, name="key")


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    scope: Annotated[
        list[str] | None, typer.Option("--scope", metavar="SCOPE", help="What it may do: run, files, admin.")
    ] = None,
    expires: Annotated[str, typer.Option("--expires", metavar="AGE", help=f"When it ends: 12h, 30d, {NEVER}.")] = "90d",
    workspace: Annotated[
        str, typer.Option("--workspace", "-w", metavar="DIR[:MODE]", help="What its sandboxes work in.")
    ] = "",
    profile: Annotated[
        str, typer.Option("--profile", "-p", metavar="P", help="What they are.", autocompletion=complete.profiles)
    ] = "",
    json: Json = False,
) -> None:
    """Make a key and print it, once. Without --scope it may run commands and use files."""
    seconds = 0.0 if expires == NEVER else parse_duration(expires, name="--expires")
    if expires != NEVER and seconds < 1:
        raise UsageError(f"--expires: {expires!r} is over at once", hint=f"write 12h, 30d or {NEVER}")
    directory, mode = (workspace, "") if remote else _workspace(workspace) if workspace else ("", "")
    if profile and not remote:
        from aisbx.profiles import load_profile

        here = session(project=False)
        load_profile(profile.split("+"), here.profiles, here.inputs, default=here.settings.profile)
    key, written = _keyring().create(
        name, scope or ["run", "files"], seconds=seconds, workspace=directory, mode=mode, profile=profile
    )
    _record("key.create", key)
    if json:
        emit_json({"key": written, **key.as_record()})
        return
    until = f"until {local(key.expires)}" if key.expires else "until it is revoked"
    said = f"key {key.id} ({key.name}): {', '.join(key.scopes)}, {until}. It is not shown again:"
    print(printable(said), file=sys.stderr, flush=True)
    print(written)


def show(json: Json = False) -> None:
    """List the keys, never the secrets: those that hold, and those that ended in the last 90 days."""
    now = time.time()
    keys = sorted(_keyring().all().values(), key=lambda key: key.created)
    if json:
        emit_json({"keys": [{**key.as_record(), "state": key.state(now)} for key in keys], "scopes": list(SCOPES)})
        return
    rows = [(key.id, key.name, key.state(now), ",".join(key.scopes), _until(key), _place(key)) for key in keys]
    print(table(("ID", "NAME", "STATE", "SCOPES", "UNTIL", "WORKSPACE"), rows))


def revoke(
    name: Annotated[str, typer.Argument(metavar="ID|NAME", help="As `aisbx key list` says.")], json: Json = False
) -> None:
    """End a key for good; a server knows with the next request."""
    key = _keyring().revoke(name)
    _record("key.revoke", key)
    if json:
        emit_json(key.as_record())
    else:
        print(f"revoked {key.id} ({key.name})")


def _keyring() -> "Keyring | RemoteKeyring":
    if remote:
        from aisbx.remote.host import RemoteKeyring

        return RemoteKeyring(server())
    return Keyring(state_dir(Inputs()))


def _record(kind: str, key: Key) -> None:
    if remote:
        return  # the supervisor has
    beginning = start(kind, new_run(), principal().id, "cli", [])
    line = f'{beginning},"key":{dumps({"id": key.id, "name": key.name, "scopes": list(key.scopes)})}}}'
    place = audit_place()
    try:
        with recording(place["path"], f"{kind} {key.id}"):
            append_once(place, line)
    except StateError:
        if kind == "key.create":  # a key that nobody can know of
            with suppress(StateError):
                _keyring().revoke(key.id)
        raise


def _workspace(text: str) -> tuple[str, str]:
    """Give a directory that may be one, and its mode; UsageError or WorkspaceError else."""
    from aisbx.places import forbidden

    path, _, mode = text.rpartition(":")
    if not (path and mode in _MODES):
        path, mode = text, ""
    real = os.path.realpath(os.path.expanduser(path))
    if not os.path.isdir(real):
        raise UsageError(f"--workspace: {path} is no directory", hint="name one that is there")
    if why := forbidden(real, Inputs()):
        raise WorkspaceError(f"{real} may not be a workspace: it {why}", hint="name a project's directory")
    return real, mode


def _until(key: Key) -> str:
    return local(key.revoked or key.expires) if key.revoked or key.expires else NEVER


def _place(key: Key) -> str:
    return printable(f"{key.workspace}{f':{key.mode}' if key.mode else ''}") or "-"
