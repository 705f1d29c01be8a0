"""Go on with a run that the compiled front has started (`aisbx-linux/native`, ADR 24). Builtin modules only.

The front executes Python in its own process, so its children and descriptors are this process's. What it knows besides
is in a memory file: lines of a name and words, numbers in decimal and bytes in hexadecimal (`-` for none). The plan
comes from the entry that the front has held open, not from its path, where another may be by now.
"""

import marshal
import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from aisbx.types import PlanEntry

    Handed = dict[str, list[str]]
    """What the front tells of its run: the words of each line, by its name."""

_PIECE = 1 << 20
_REFUSED = 125


def rows(told: bytes) -> "Handed":
    """Give the words of each line by its name; ValueError where that describes no run."""
    found = {name: words for name, *words in (line.split(" ") for line in told.decode("ascii").splitlines())}
    if not {"entry", "run", "processes", "status", "clock", "budget"} <= found.keys():
        msg = "it does not describe a run"
        raise ValueError(msg)
    return found


def read_all(descriptor: int) -> bytes:
    """Give the whole of an open file, and leave its offset alone."""
    data = b""
    while piece := posix.pread(descriptor, _PIECE, len(data)):
        data += piece
    return data


def main(arguments: "list[str]") -> "NoReturn":
    """Go on with a run, and end the process with its exit code."""
    from aisbx.cli import lean
    from aisbx.plan.recall import install

    try:
        handed = rows(read_all(int(arguments[0])))
        entry: PlanEntry = marshal.loads(read_all(int(handed["entry"][0])))  # noqa: S302 - the front has looked at it
        asked = [int(word) for word in handed.get("program", ())]
        read = lean.read_line(arguments[1:]) if not asked else None
    except (OSError, ValueError, IndexError, EOFError, TypeError):
        refuse()
    if asked:
        from aisbx.cli.program import go_on_for

        install(entry["code"])
        end(go_on_for(asked[0], asked[1], entry, handed))
    if read is None:
        refuse()
    options, environment, command = read
    install(entry["code"])
    from aisbx.plan.run import go_on

    request = lean.request(entry, environment, command, handed["run"][0])
    result = go_on(entry, request, handed, f"uid:{posix.geteuid()}", "cli")
    end(lean.conclude(options, command, result))


def refuse() -> "NoReturn":
    """End the process of somebody who has no run to go on with."""
    posix.write(2, b"aisbx: usage: it is no run of the compiled front; hint: see aisbx run --help\n")
    end(_REFUSED)


def end(code: int) -> "NoReturn":
    """End the process at once, as `lean` does."""
    posix._exit(code)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
