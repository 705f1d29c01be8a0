"""A process that ends what a server leaves: it reads names from the server, and acts when that is gone.

A server that is killed cannot clean up. This one has a session of its own, so that what ends the server's process
group does not end it, and it does nothing before its input ends: until then it is a bare interpreter, which is started
by this file and finds what is installed only when it needs it.
"""

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_PATIENCE, _PAUSE = 10.0, 0.1
DIRECTORY, SANDBOX, FORGET = "directory", "sandbox", "forget"


class Lifeline:
    """The server's end of it."""

    def __init__(self) -> None:
        """Start the process."""
        import subprocess

        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )

    def tell(self, what: str, name: str) -> None:
        """Say what is to be ended (`sandbox`, `directory`), or no more (`forget`)."""
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        try:
            self._process.stdin.write(f"{what} {name}\n".encode(errors="surrogateescape"))
        except (BrokenPipeError, ValueError):
            if what != FORGET:
                from aisbx.errors import StateError

                raise StateError("what ends the server's sandboxes has gone", hint="start the server anew") from None

    def close(self) -> None:
        """Let it end what is left, and wait for that."""
        if self._process.stdin is not None:
            self._process.stdin.close()  # also a second time
        self._process.wait()


def main(lines: "Sequence[str]") -> None:
    """End what these lines name and do not take back."""
    left: dict[str, str] = {}
    for line in lines:
        what, _, name = line.rstrip("\n").partition(" ")
        if what == FORGET:
            left.pop(name, None)
        else:
            left[name] = what
    if left:
        import site

        site.main()
    sandboxes = [name for name, what in left.items() if what == SANDBOX]
    if sandboxes:
        _destroy(sandboxes)
    for name, what in left.items():
        if what == DIRECTORY:
            from contextlib import suppress

            from aisbx.caches.tree import discard

            with suppress(OSError):
                discard(name)


def _destroy(names: "Sequence[str]") -> None:
    from aisbx.engine import Engine
    from aisbx.errors import AisbxError
    from aisbx.types import Principal

    engine = Engine(os.environ, "/")
    until = time.monotonic() + _PATIENCE
    left = [*names]
    while left:  # one may still be in the making, by a process that outlives the server
        problems: list[str] = []
        for name in [*left]:
            try:
                if engine.sandboxes.destroy(name, Principal(f"uid:{os.geteuid()}"), "mcp", keep=True) is not None:
                    left.remove(name)
            except AisbxError as error:
                problems.append(f"aisbx-mcp: {error.message}; hint: {error.hint}")
        if time.monotonic() > until:
            for problem in problems:
                print(problem, file=sys.stderr)
            return
        if left:
            time.sleep(_PAUSE)


if __name__ == "__main__":
    import signal

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    main(sys.stdin.readlines())
