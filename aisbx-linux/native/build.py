"""build.py OUT [--strict] [--sanitize]: compile the program that OUT's name says, of the files here, with $CC or `cc`.

For the set-up of a checkout, the wheel of aisbx-linux, and the tests: builtin modules only, any Python from 3.11 on.
`--strict` makes warnings errors; `--sanitize` builds with the address and undefined-behaviour sanitizers.
"""

import os
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = os.path.dirname(os.path.abspath(__file__))
# By name, never by pattern: what is compiled is executed, and a sandbox that works on this folder must not add to it.
SOURCES = {
    "aisbx-front": (
        *("front", "options", "launch", "start", "hand", "assemble", "instruct", "spawn", "stage", "kernel"),
        *("stay", "enter", "join", "program", "watch"),
        *("output", "input", "plan", "plan_name", "plan_read", "look", "entries", "group", "record", "text", "sha256"),
    ),
    "aisbx-helper": ("helper", "command", "join", "plan_read", "sha256"),
    "aisbx-watcher": ("watcher", "notify", "recorder", "tally", "join", "plan_read", "sha256"),
    "aisbx-client.so": ("client", "brief", "append", "look", "entries", "record", "text", "sha256"),
}
COMMON = ("-std=c11", "-Wall", "-Wextra", "-fstack-protector-strong")
FAST = ("-O2", "-D_FORTIFY_SOURCE=2", "-s")
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
# Without a dynamic loader it starts in half the time; not every machine has the static C library.
LINKS = (("-static-pie", "-fPIE"), ("-static",), ("-pie", "-fPIE"))
LIBRARY = ("-shared", "-fPIC", "-pthread", "-fvisibility=hidden")


def compiler() -> list[str]:
    """Give the command of the C compiler, empty where there is none."""
    named = shlex.split(os.environ.get("CC", "")) or ["cc"]
    return named if shutil.which(named[0]) else []


def build(out: str, *flags: str) -> str:
    """Compile to `out`, whole or not at all; gives what went wrong, empty where nothing did."""
    command = compiler()
    if not command:
        return "there is no C compiler"
    sources = [os.path.join(FOLDER, f"{name}.c") for name in SOURCES[os.path.basename(out)]]
    strict = ("-Werror",) if "--strict" in flags else ()
    links = (LIBRARY,) if out.endswith(".so") else LINKS
    kinds: Sequence[tuple[str, ...]] = [(*FAST, *link) for link in links]
    if "--sanitize" in flags:
        kinds = [(*SANITIZED, *LIBRARY) if out.endswith(".so") else SANITIZED]
    said = ""
    for more in kinds:
        new = f"{out}.{os.getpid()}"
        argv = [*command, *COMMON, *strict, *more, "-o", new, *sources]
        done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode == 0:
            os.replace(new, out)
            return ""
        said = said or done.stderr.decode(errors="replace")
    return said.strip() or "the C compiler failed"


if __name__ == "__main__":
    sys.exit(build(*sys.argv[1:]) or 0)
