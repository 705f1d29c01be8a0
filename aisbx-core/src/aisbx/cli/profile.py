"""`aisbx profile`: see what profiles there are and say, make your own, and trust a project's."""

import os
from collections.abc import Iterable
from typing import Annotated

import typer

from aisbx import trust as trusting
from aisbx.cli import complete
from aisbx.cli.describe import profile_lines, profile_record, profile_rows
from aisbx.cli.groups import group
from aisbx.cli.options import Json
from aisbx.cli.render import emit_json, printable, table
from aisbx.cli.session import Session, directory, remote, server, session
from aisbx.errors import AisbxError, ProfileError, UsageError
from aisbx.inputs import Inputs

Name = Annotated[str, typer.Argument(metavar="NAME", hidden=True, autocompletion=complete.profiles)]
Names = Annotated[str, typer.Argument(metavar="P[+P]", hidden=True, autocompletion=complete.profiles)]

LIST = """\b
Examples:
  aisbx profile list
  aisbx profile list --json
"""
SHOW = """\b
Examples:
  aisbx profile show python-dev
  aisbx profile show python-dev+offline      what the composition comes to
"""
CREATE = """\b
Examples:
  aisbx profile create mine --from python-dev
  $EDITOR ~/.config/aisbx/profiles/mine.yaml
  aisbx profile validate mine
"""
VALIDATE = """\b
Examples:
  aisbx profile validate                     every profile
  aisbx profile validate mine ./other.yaml
"""
DETECT = """\b
Examples:
  aisbx profile detect
  aisbx run -p "$(aisbx profile detect)" -- make
"""
TRUST = """\b
Examples:
  aisbx profile trust                        this project, as it is now
  aisbx profile trust --revoke

What a project says in aisbx.toml and .aisbx/ can only narrow your own settings until you trust it.
Any change to these files takes the trust back.
"""


def register(app: typer.Typer) -> None:
    """Add the group."""
    commands = group("See, make and check profiles; trust a project's.")
    commands.command("list", epilog=LIST)(listing)
    commands.command("show", epilog=SHOW)(show)
    commands.command("create", epilog=CREATE)(create)
    commands.command("validate", epilog=VALIDATE)(validate)
    commands.command("detect", epilog=DETECT)(detect)
    commands.command("trust", epilog=TRUST)(trust)
    app.add_typer(commands, name="profile")


def listing(json: Json = False) -> None:
    """List the profiles that can be used here."""
    rows = _rows()
    if json:
        emit_json({"profiles": [dict(zip(("name", "origin", "description"), row, strict=True)) for row in rows]})
    elif rows:
        print(table(("NAME", "FROM", "DESCRIPTION"), rows))
    else:
        print("No profile is installed. Install some: pip install aisbx-profiles")


def show(name: Names, json: Json = False) -> None:
    """Show what the profile P comes to, or the composition P+P of several."""
    record, lines = _shown(name)
    if json:
        emit_json({"profile": record})
        return
    for line in lines:
        print(printable(line))


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", hidden=True)],
    base: Annotated[
        str, typer.Option("--from", metavar="P[+P]", help="What to start from.", autocompletion=complete.profiles)
    ] = "base",
    force: Annotated[bool, typer.Option("--force", help="Replace yours of that name.")] = False,
) -> None:
    """Make a profile NAME of your own that extends another."""
    from aisbx.cli.profile_files import create_profile

    here = session()
    path = create_profile(name, base.split("+"), here.profiles, here.inputs, force=force)
    print(printable(f"{path} extends {base}. Edit it, then: aisbx profile validate {name}"))


def validate(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME|FILE", hidden=True, autocompletion=complete.profiles),
    ] = None,
    json: Json = False,
) -> int:
    """Check profiles by name, or files by path: every key, what they extend, and that the parts fit together."""
    here = session()
    results = {name: _check(here, name) for name in names or here.profiles.names()}
    if json:
        problems = {name: error.as_record() if error else None for name, error in results.items()}
        emit_json({"valid": not any(results.values()), "profiles": problems})
    else:
        for name, error in results.items():
            print(printable(f"{name}: {f'{error.code}: {error.message}' if error else 'ok'}"))
    return ProfileError.exit_code if any(results.values()) else 0


def detect(
    where: Annotated[str, typer.Argument(metavar="DIR", hidden=True)] = "",
    json: Json = False,
) -> None:
    """Say which profile suits the project in DIR, or here. Looks at the names of files; runs nothing."""
    from aisbx import project

    found = project.detect(where or directory())
    if json:
        emit_json({"profile": found.profile, "kinds": list(found.kinds), "evidence": found.evidence})
    else:
        print(printable(found.profile))


def trust(
    where: Annotated[str, typer.Argument(metavar="DIR", hidden=True)] = "",
    revoke: Annotated[bool, typer.Option("--revoke", help="Take it back.")] = False,
) -> None:
    """Accept what the project in DIR, or here, says in aisbx.toml and .aisbx/, until it changes."""
    path = os.path.realpath(where or directory())
    if revoke:
        if not trusting.distrust(path, Inputs()):
            raise UsageError(f"{path} was not trusted", hint="nothing to do")
        print(printable(f"{path} is not trusted any more"))
        return
    found = trusting.trust(path, Inputs())
    for name in sorted(found.files):
        print(printable(f"  {name}"))
    print(printable(f"{path} is trusted with this content (sha256 {found.sha256[:16]}…)"))


def _rows() -> list[tuple[str, str, str]]:
    if remote:
        return [(row["name"], row["origin"], row["description"]) for row in server().get("profiles")["profiles"]]
    here = session()
    return list(profile_rows(here.profiles.names(), here.profiles, here.inputs))


def _shown(name: str) -> tuple[object, Iterable[str]]:
    """Give a profile as data, and in words."""
    if remote:
        from aisbx.remote.server import path_of

        told = server().get(path_of("profiles", name))
        return told["profile"], told["lines"]
    from aisbx.profiles import load_profile

    here = session()
    profile = load_profile([name], here.profiles, here.inputs, default=here.settings.profile)
    return profile_record(profile), profile_lines(profile)


def _check(here: Session, name: str) -> AisbxError | None:
    """Load a profile, or a file by its path, whole; give what is wrong."""
    from aisbx.cli.profile_files import file_lookup
    from aisbx.profiles import load_profile

    try:
        if os.sep in name or name.endswith((".yaml", ".yml")):
            lookup, names = file_lookup(name, here.profiles)
            load_profile([names], lookup, here.inputs)
        else:
            load_profile([name], here.profiles, here.inputs)
    except AisbxError as error:
        return error
    return None
