"""A process that ends what a server leaves: it reads names from the server, and acts when that is gone.

A server that is killed cannot clean up. This one has a session of its own, so that what ends the server's process
group does not end it, and it does nothing before its input ends.
"""

import os
import subprocess
import sys
from collections.abc import Sequence

DIRECTORY, SANDBOX, FORGET = "directory", "sandbox", "forget"


class Lifeline:
    """The server's end of it."""

    def __init__(self) -> None:
        """Start the process."""
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-m", "aisbx_mcp.lifeline"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )

    def tell(self, what: str, name: str) -> None:
        """Say what is to be ended (`sandbox`, `directory`), or no more (`forget`)."""
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        self._process.stdin.write(f"{what} {name}\n".encode(errors="surrogateescape"))

    def close(self) -> None:
        """Let it end what is left, and wait for that."""
        if self._process.stdin is not None:
            self._process.stdin.close()  # also a second time
        self._process.wait()


def main(lines: Sequence[str]) -> None:
    """End what these lines name and do not take back."""
    left: dict[str, str] = {}
    for line in lines:
        what, _, name = line.rstrip("\n").partition(" ")
        if what == FORGET:
            left.pop(name, None)
        else:
            left[name] = what
    sandboxes = [name for name, what in left.items() if what == SANDBOX]
    if sandboxes:
        _destroy(sandboxes)
    for name, what in left.items():
        if what == DIRECTORY:
            import shutil

            shutil.rmtree(name, ignore_errors=True)


def _destroy(names: Sequence[str]) -> None:
    from aisbx.engine import Engine
    from aisbx.errors import AisbxError
    from aisbx.types import Principal

    engine = Engine(os.environ, "/")
    for name in names:
        try:
            engine.sandboxes.destroy(name, Principal(f"uid:{os.geteuid()}"), "mcp", discard=False)
        except AisbxError as error:
            print(f"aisbx-mcp: {error.message}; hint: {error.hint}", file=sys.stderr)


if __name__ == "__main__":
    import signal

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    main(sys.stdin.readlines())
