"""`Sandbox`: made or found by name, its commands, its end."""

import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, Unpack

from aisbx.api.options import Options, to_request
from aisbx.api.result import Result, to_result
from aisbx.api.stream import Stream
from aisbx.engine import Engine
from aisbx.engine.opened import Opened, Started
from aisbx.errors import UsageError
from aisbx.types import Command, Principal, Stdio

CAPTURE = 64 << 20
"""Bytes of each stream that a result has at most."""
HOST = "python"
"""What the audit log says of whoever asked."""


def run(
    argv: Sequence[str],
    *,
    input: bytes | str | None = None,  # noqa: A002 - as subprocess.run has it
    check: bool = False,
    **options: Unpack[Options],
) -> Result:
    """Run one command in a sandbox of its own, of which nothing is left; an AisbxError says why it was refused."""
    request = to_request(options, _words(argv))
    result = to_result(request.command, engine().run(request, principal(), Stdio(_fed(input), capture=CAPTURE), HOST))
    return result.check() if check else result


class Sandbox:
    """A sandbox that lasts. Any number of threads may use one.

    As a context manager it is destroyed at the end where `create` made it, and only let go where `attach` found it.
    """

    def __init__(self, opened: Opened, engine: Engine, *, made: bool) -> None:
        """Use `create` or `attach`."""
        self.name = opened.record.name
        self._opened = opened
        self._engine = engine
        self._made = made

    @classmethod
    def create(cls, name: str = "", *, ttl: float = 0.0, **options: Unpack[Options]) -> Self:
        """Make one; without a name one is made up. `ttl` is its time to live in seconds, 0 for none."""
        made = engine()
        record = made.sandboxes.create(to_request(options), principal(), HOST, name, ttl)
        return cls(made.sandboxes.open(record.name), made, made=True)

    @classmethod
    def attach(cls, name: str) -> Self:
        """Find one that is there; StateError where there is none, or it has ended."""
        found = engine()
        return cls(found.sandboxes.open(name), found, made=False)

    @staticmethod
    def names() -> list[str]:
        """Give the names of all that there are."""
        return engine().sandboxes.names()

    def exec(
        self,
        argv: Sequence[str],
        *,
        input: bytes | str | None = None,  # noqa: A002 - as subprocess.run has it
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
        output: int | None = None,
        check: bool = False,
    ) -> Result:
        """Run a command to its end and give what came of it; an AisbxError says why it did not run.

        `timeout` (seconds) and `output` (bytes) narrow what the sandbox was made with. With `check`, CommandFailed is
        raised where it does not end with 0.
        """
        words = _words(argv)
        outcome = self.start(words, Stdio(_fed(input), capture=CAPTURE), env, cwd, timeout, output).wait()
        result = to_result(words, outcome)
        return result.check() if check else result

    def stream(
        self,
        argv: Sequence[str],
        *,
        input: bytes | str | None = None,  # noqa: A002 - as subprocess.run has it
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
        output: int | None = None,
    ) -> Stream:
        """Start a command and give its lines while it runs: a context manager that ends it."""
        words = _words(argv)

        def begin(target: int) -> Started:
            return self.start(words, Stdio(_fed(input), target, capture=CAPTURE), env, cwd, timeout, output)

        return Stream(words, begin)

    def start(
        self,
        words: tuple[str, ...],
        stdio: Stdio,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
        output: int | None = None,
    ) -> Started:
        """Start a command whose streams go where `stdio` says, and leave it to the caller to wait for it."""
        limits: dict[str, float] = {} if timeout is None else {"wall_time": timeout}
        if output is not None:
            limits["output"] = output
        if any(not amount > 0 for amount in limits.values()):
            raise UsageError("timeout and output are more than 0", hint="leave them out for no bound")
        command = Command(argv=words, environment=env or {}, cwd=cwd, limits=limits)
        return self._opened.start(command, stdio, principal(), HOST)

    def destroy(self, *, discard: bool = False) -> list[str]:
        """End everything in it and remove it; gives a line for each thing that was found planted for the host.

        StateError where a layer holds changes that were not applied, and then it stays; `discard` drops them.
        """
        self.close()
        return self._engine.sandboxes.destroy(self.name, principal(), HOST, discard=discard) or []

    def close(self) -> None:
        """Let it go; it stays, and can be used again."""
        self._opened.release()

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Destroy it where it was made here, let it go where not."""
        if self._made:
            self.destroy()
        else:
            self.close()

    def __repr__(self) -> str:
        """Say which."""
        return f"<Sandbox {self.name}>"


def engine() -> Engine:
    """Make the engine for this process's environment and directory."""
    return Engine(os.environ, os.getcwd())


def principal() -> Principal:
    """Say who asks."""
    return Principal(f"uid:{os.geteuid()}")


def _words(argv: Sequence[str]) -> tuple[str, ...]:
    if isinstance(argv, str):
        raise UsageError("a command is a list of words, not a string", hint=f"write ['sh', '-c', {argv!r}]")
    if not argv:
        raise UsageError("no command was given", hint="write a list of words")
    return tuple(argv)


def _fed(given: bytes | str | None) -> bytes | None:
    return given.encode() if isinstance(given, str) else given
