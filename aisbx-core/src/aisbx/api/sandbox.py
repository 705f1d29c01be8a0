"""`Sandbox`: made or found by name, its commands, its end."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self, Unpack

from aisbx.api.background import BackgroundProcess
from aisbx.api.changes import Changes
from aisbx.api.doors import HOST, engine, principal
from aisbx.api.files import SandboxFiles
from aisbx.api.options import CommandOptions, Options, to_command, to_request, words_of
from aisbx.api.result import Result, brief_result, to_result
from aisbx.api.running import Running
from aisbx.api.stream import Stream
from aisbx.engine import Engine
from aisbx.engine.background import Background
from aisbx.engine.found import Found
from aisbx.engine.inside import Inside
from aisbx.engine.opened import Opened, Started
from aisbx.snapshots import Snapshot
from aisbx.types import Brief, Command, ProcessRow, Stdio

CAPTURE = 64 << 20
"""Bytes of each stream that a result has at most, unless it is asked otherwise."""
_CAPTURED = Stdio(capture=CAPTURE)


def run(
    argv: Sequence[str],
    *,
    input: bytes | str | None = None,  # noqa: A002 - as subprocess.run has it
    check: bool = False,
    remote: str = "",
    **options: Unpack[Options],
) -> Result:
    """Run one command in a sandbox of its own, of which nothing is left; an AisbxError says why it was refused.

    In a `cow` workspace its changes are left: `Changes(result.run)`. `remote` is a supervisor's address.
    """
    request = to_request(options, words_of(argv))
    stdio = Stdio(_fed(input), capture=CAPTURE)
    if remote:
        outcome = engine(remote).run(request, principal(), stdio, HOST)
    else:
        from aisbx.engine import again  # plans are for systems with `posix`

        outcome = again.shared.run(engine, request, principal(), stdio, HOST)
    result = to_result(request.command, outcome)
    return result.check() if check else result


class Sandbox:
    """A sandbox that lasts. Any number of threads may use one.

    As a context manager it is destroyed at the end where `create` made it, and only let go where `attach` found it.
    """

    def __init__(self, opened: Opened, engine: Engine, *, made: bool) -> None:
        """Use `create` or `attach`."""
        self.name = opened.record.name
        self.files = SandboxFiles(self._inside, opened.record.workspace)
        """Its files."""
        self.changes = Changes(self.name, engine.changes)
        """What it changed in a `cow` or `guarded` workspace."""
        self._opened = opened
        self._shortest = opened.shortest(principal(), HOST, CAPTURE)
        self._engine = engine
        self._made = made

    @classmethod
    def create(
        cls, name: str = "", *, ttl: float = 0.0, idle_ttl: float = 0.0, remote: str = "", **options: Unpack[Options]
    ) -> Self:
        """Make one; without a name one is made up.

        It ends after `ttl` seconds, and when nobody has used it for `idle_ttl` seconds; 0 is for neither. `remote` is
        the address of a supervisor that makes it: `https://HOST:PORT`, `unix:PATH`.
        """
        made = engine(remote)
        record = made.sandboxes.create(to_request(options), principal(), HOST, name, ttl, idle_ttl)
        return cls(made.sandboxes.open(record.name), made, made=True)

    @classmethod
    def attach(cls, name: str, *, remote: str = "") -> Self:
        """Find one that is there; StateError where there is none, or it has ended."""
        found = engine(remote)
        return cls(found.sandboxes.open(name), found, made=False)

    @staticmethod
    def names(*, remote: str = "") -> list[str]:
        """Give the names of all that there are."""
        return engine(remote).sandboxes.names()

    @staticmethod
    def list(*, remote: str = "") -> list[Found]:
        """Give every sandbox as it is now: name, state, record and what is enforced (of a supervisor's: `info`)."""
        return [*engine(remote).sandboxes.all()]

    @property
    def info(self) -> Found:
        """How it is now."""
        return self._engine.sandboxes.look(self.name)

    def exec(
        self,
        argv: Sequence[str],
        *,
        input: bytes | str | None = None,  # noqa: A002 - as subprocess.run has it
        keep: tuple[int, int] | None = None,
        check: bool = False,
        **own: Unpack[CommandOptions],
    ) -> Result:
        """Run a command to its end and give what came of it; an AisbxError says why it did not run.

        It may have variables, a directory and bounds of its `own`; ControlError where a bound can't be held for one
        command. Of each stream the result has the first 64 MiB, or so many bytes of its beginning and of its end as
        `keep` says; all of it is read. With `check`, CommandFailed is raised where it does not end with 0.
        """
        words = words_of(argv)
        if input is None and keep is None and not own and self._shortest is not None:
            done = self._shortest.run(words)
            if done is not None:
                result = brief_result(words, done) if isinstance(done, Brief) else to_result(words, done)
                return result.check() if check else result
        command = to_command(words, own)
        if keep is None:
            stdio = _CAPTURED if input is None else Stdio(_fed(input), capture=CAPTURE)
            result = to_result(words, self._opened.execute(command, stdio, principal(), HOST))
        else:
            running = self.running(command, input, apart=True)
            try:
                result = running.gather(*keep)
            finally:
                running.end()
        return result.check() if check else result

    def stream(
        self,
        argv: Sequence[str],
        *,
        input: bytes | str | None = None,  # noqa: A002 - as subprocess.run has it
        **own: Unpack[CommandOptions],
    ) -> Stream:
        """Start a command and give its lines while it runs: a context manager that ends it."""
        command = to_command(words_of(argv), own)
        return Stream(self.running(command, input, apart=False))

    def running(self, command: Command, given: bytes | str | None, *, apart: bool) -> Running:
        """Start a command with its stdout in a pipe that the caller reads, if `apart` its stderr in another."""

        def begin(out: int, errors: int | None) -> Started:
            return self._begin(command, Stdio(_fed(given), out, errors, capture=CAPTURE))

        return Running(command.argv, begin, apart=apart)

    def start(
        self,
        argv: Sequence[str],
        *,
        stdin: bool = False,
        terminal: bool = False,
        **own: Unpack[CommandOptions],
    ) -> BackgroundProcess:
        """Start a command in the background: it goes on when this program has ended, and ends with the sandbox.

        With `stdin` its input stays open for `write`; a `terminal` has open input too. Its output is kept on disk: the
        first 16 MiB and the last.
        """
        command = to_command(words_of(argv), own)
        sandboxes = self._engine.sandboxes
        run = sandboxes.detach(self.name, command, principal(), HOST, terminal=terminal, stdin=stdin)
        return self._process(sandboxes.background(self.name), run)

    def process(self, id: str = "") -> BackgroundProcess:  # noqa: A002 - it is its name everywhere
        """Find a command in the background by its id, or the beginning of one; without one, the last started."""
        background = self._engine.sandboxes.background(self.name)
        return self._process(background, background.find(id).id)

    def processes(self) -> "list[BackgroundProcess]":
        """Give the commands in the background, also those that have ended, the oldest first."""
        background = self._engine.sandboxes.background(self.name)
        return [self._process(background, one.id) for one in background.all()]

    def ps(self) -> Sequence[ProcessRow]:
        """Give every process that runs in it, with its number inside."""
        return self._inside().processes()

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to one process, by its number inside; StateError where there is none."""
        self._inside().signal(pid, number)

    @property
    def paused(self) -> bool:
        """Whether it is paused."""
        return self._inside().paused

    def pause(self) -> None:
        """Stop every process where it stands, until `resume`; no command joins meanwhile."""
        self._inside().pause(principal(), HOST)

    def resume(self) -> None:
        """Let the processes go on."""
        self._inside().resume(principal(), HOST)

    def snapshot(self, tag: str = "") -> Snapshot:
        """Keep what its `cow` or `guarded` workspace holds now; without a tag it gets a number.

        In constant time while no command runs in it (`mechanism` is `overlay`). Else its processes stand still while
        what it has written since the last snapshot is copied (`reflink`, `copy`). UsageError where it has no layer.
        """
        return self._engine.snapshots.create(self.name, principal(), HOST, tag)

    def snapshots(self) -> "list[Snapshot]":
        """Give its snapshots, the oldest first."""
        return self._engine.snapshots.all(self.name)

    def restore(self, tag: str) -> None:
        """Have its workspace hold what it did at a snapshot and drop what came since; StateError while commands run."""
        self._engine.snapshots.restore(self.name, tag, principal(), HOST)

    def remove_snapshot(self, tag: str) -> None:
        """Remove a snapshot; StateError where there is none. Sandboxes that were made from it stay."""
        self._engine.snapshots.remove(self.name, tag, principal(), HOST)

    def fork(self, name: str = "", *, tag: str = "", ttl: float = 0.0) -> Self:
        """Make another from what this was made from, whose workspace holds what this one's does, or did at a snapshot.

        Processes and private files (`/tmp`, the home) are not in it. Without a name one is made up; `ttl`: seconds.
        """
        record = self._engine.snapshots.fork(self.name, name, principal(), HOST, tag=tag, ttl=ttl)
        return type(self)(self._engine.sandboxes.open(record.name), self._engine, made=True)

    def destroy(self, *, discard: bool = False) -> "list[str]":
        """End everything in it and remove it; gives a line for each thing that was found planted for the host.

        StateError where a layer holds changes that were not applied, or it has snapshots, and then it stays; `discard`
        drops them.
        """
        self.close()
        return self._engine.sandboxes.destroy(self.name, principal(), HOST, discard=discard) or []

    def close(self) -> None:
        """Let it go; it stays, and can be used again."""
        self._opened.release()

    def _begin(self, command: Command, stdio: Stdio) -> Started:
        return self._opened.start(command, stdio, principal(), HOST)

    def _process(self, background: Background, id: str) -> BackgroundProcess:  # noqa: A002 - as above
        if not self._opened.far:
            return BackgroundProcess(background, id)
        from aisbx.api.remoted import RemoteBackgroundProcess

        return RemoteBackgroundProcess(background, id)

    def _inside(self) -> Inside:
        return self._opened.inside()

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


def _fed(given: bytes | str | None) -> bytes | None:
    return given.encode() if isinstance(given, str) else given
