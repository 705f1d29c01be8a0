"""`aisbx-driver-lima`: build the guest's image, look at the machine, end it."""

import argparse
import os
import sys
from collections.abc import Sequence

from aisbx.errors import AisbxError, UsageError

from aisbx_driver_lima.configuration import default_image, read
from aisbx_driver_lima.machine import Machine


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line; gives the exit code."""
    parser = argparse.ArgumentParser(prog="aisbx-driver-lima", description="The machine of aisbx's Lima driver.")
    commands = parser.add_subparsers(dest="command", required=True)
    image = commands.add_parser("image", help="the guest's image").add_subparsers(dest="what", required=True)
    build = image.add_parser("build", help="build it from Debian packages; needs root and a package mirror")
    build.add_argument("place", nargs="?", metavar="DIR", help="where it is put (usually: in your cache)")
    build.add_argument("--include", default="", metavar="PACKAGES", help="Debian packages on top, with commas between")
    build.add_argument("--mirror", default="", metavar="URL", help="a package mirror (usually: that of this system)")
    for name, told in (("status", "say in what state the machine is"), ("stop", "end the machine and remove it")):
        each = commands.add_parser(name, help=told)
        if name == "stop":
            each.add_argument("--force", action="store_true", help="also where sandboxes that last are in it")
        each.add_argument("--home", default="", metavar="DIR", help="where it lies (usually: home of [drivers.lima])")
    try:
        options = parser.parse_args(arguments)
    except SystemExit as error:
        return 125 if error.code else 0
    try:
        _carry_out(options)
    except AisbxError as error:
        hint = f"; hint: {error.hint}" if error.hint else ""
        print(f"aisbx-driver-lima: {error.code}: {error.message}{hint}", file=sys.stderr)
        return error.exit_code
    return 0


def _carry_out(options: argparse.Namespace) -> None:
    if options.command == "image":
        from aisbx_driver_lima.image.build import build

        if not hasattr(os, "geteuid"):
            raise UsageError(
                "an image is built on Linux", hint="copy the directory of one here, and name it in the settings"
            )
        packages = [word for word in str(options.include).split(",") if word]
        build(
            options.place or default_image(os.environ), packages, options.mirror, lambda line: print(line, flush=True)
        )
        return
    settings = {**_own(), "cache_dir": os.path.dirname(default_image(os.environ))}
    if options.home:
        settings["home"] = os.path.abspath(options.home)
    machine = Machine(read(settings), os.environ)
    if options.command == "stop":
        machine.remove(force=options.force)
    print(machine.status())


def _own() -> dict[str, object]:
    """Give what the user's settings, file and environment, say of the driver: this program has no host that does."""
    from aisbx.inputs import Inputs
    from aisbx.settings import load

    return dict(load(os.environ, None, Inputs()).drivers.get("lima", {}))


if __name__ == "__main__":
    sys.exit(main())
