"""`aisbx init`: look at a project and write its `aisbx.toml`, or make a root directory."""

from typing import Annotated

import typer

from aisbx.cli import complete
from aisbx.cli.render import printable
from aisbx.cli.session import directory, session
from aisbx.errors import UsageError

EXAMPLES = """\b
Examples:
  aisbx init                        detect what kind of project this is
  aisbx init --profile python-dev
  aisbx init --force                replace an aisbx.toml
  aisbx init --rootfs ~/roots/debian               a small Debian, for run --rootfs
  aisbx init --rootfs ~/roots/image --from tar:image.tar
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init", epilog=EXAMPLES)(init)


def init(
    where: Annotated[str, typer.Argument(metavar="DIR", hidden=True)] = "",
    profile: Annotated[
        str,
        typer.Option(
            "--profile", "-p", metavar="P[+P]", help="Not the detected one.", autocompletion=complete.profiles
        ),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace an aisbx.toml that is there.")] = False,
    rootfs: Annotated[
        str, typer.Option("--rootfs", metavar="DIR", help="Make a root directory for run --rootfs instead.")
    ] = "",
    origin: Annotated[
        str, typer.Option("--from", metavar="ORIGIN", help="Of that: debian (the default), host or tar:FILE.")
    ] = "",
) -> None:
    """Detect what kind of project is in DIR, or here, and write its aisbx.toml; or make a root directory."""
    if rootfs or origin:
        _root(rootfs, origin, others=bool(where or profile or force))
        return
    from aisbx import project
    from aisbx.profiles import load_profile

    target = where or directory()
    found = project.detect(target)
    name = profile or found.profile
    # Without the project's own words: they may be what is to be replaced. Unknown profiles are refused here.
    here = session(project=False)
    load_profile([name], here.profiles, here.inputs)
    path = project.write_aisbx_toml(target, name, force=force)
    seen = ", ".join(f"{evidence} ({kind})" for kind, evidence in found.evidence.items())
    print(printable(f"wrote {path}: profile {name}" + (f", because of {seen}" if seen and not profile else "")))
    print("Look at it, then let it count here: aisbx profile trust")


def _root(place: str, origin: str, *, others: bool) -> None:
    if others or not place:
        raise UsageError("--rootfs DIR stands alone, or beside --from", hint="see: aisbx init --help")
    from aisbx.cli.rootfs import make

    make(place, origin)
