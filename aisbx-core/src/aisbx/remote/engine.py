"""`RemoteEngine`: what is asked of it, a supervisor does."""

from collections.abc import Iterator, Mapping
from contextlib import suppress

from aisbx.engine.found import ENDED, UNFINISHED, Found
from aisbx.errors import NotFoundError, StateError, UsageError
from aisbx.plan.run import new_run
from aisbx.remote import asked, told
from aisbx.remote.background import RemoteBackground
from aisbx.remote.inside import RemoteInside
from aisbx.remote.opened import RemoteOpened
from aisbx.remote.review import RemoteReview, RemoteSnapshots
from aisbx.remote.server import Server, path_of
from aisbx.store import Record
from aisbx.types import Command, Outcome, Principal, RunRequest, Stdio, WorkspaceMode

_PAGE = 200
_LEFT = 60.0
"""Seconds without use after which a sandbox of one command ends whose client was killed."""


class RemoteEngine:
    """In place of `aisbx.engine.Engine`; who asks is whom the supervisor takes the key or the socket's peer for."""

    def __init__(self, server: Server) -> None:
        """Ask nothing yet."""
        self.server = server
        self.sandboxes = RemoteSandboxes(server)
        self.changes = RemoteReview(server)
        self.snapshots = RemoteSnapshots(server)

    def run(
        self,
        request: RunRequest,
        principal: Principal,
        stdio: Stdio,
        host: str = "cli",
        options: Mapping[str, list[str]] | None = None,
    ) -> Outcome:
        """Run one command in a sandbox of its own, of which nothing is left; an AisbxError says why not."""
        del options  # no plan is kept of what others launch
        if request.workspace is not None and request.workspace.mode is WorkspaceMode.COW:
            hint = "aisbx create -w .:cow, exec, diff"
            raise UsageError("a supervisor keeps changes for review in sandboxes that last only", hint=hint)
        if not request.command:
            raise UsageError("no command was given", hint="aisbx --remote ... run -- sh")
        record = self.sandboxes.create(request, principal, host, f"run-{new_run()}", idle=_LEFT)
        try:
            command = Command(argv=request.command)
            return self.sandboxes.execute(record.name, command, principal, stdio, host)
        finally:
            self.sandboxes.destroy(record.name, principal, host, discard=True)


class RemoteSandboxes:
    """In place of `aisbx.engine.lasting.Sandboxes`."""

    def __init__(self, server: Server) -> None:
        """Ask nothing yet."""
        self._server = server

    def create(
        self,
        request: RunRequest,
        _principal: Principal,
        _host: str,
        name: str = "",
        ttl: float = 0.0,
        idle: float = 0.0,
    ) -> Record:
        """Make a sandbox and give its record; an AisbxError says why not."""
        times = {"ttl": ttl or None, "idle_ttl": idle or None, "name": name or None}
        body = {**asked.of_request(request), **{key: value for key, value in times.items() if value is not None}}
        return _record(self._server.post("sandboxes", body))

    def execute(
        self,
        name: str,
        command: Command,
        principal: Principal,
        stdio: Stdio,
        host: str,
        _options: Mapping[str, list[str]] | None = None,
    ) -> Outcome:
        """Run a command in a sandbox that is there; an AisbxError says why it did not run."""
        return self.open(name).execute(command, stdio, principal, host)

    def open(self, name: str) -> RemoteOpened:
        """Open a sandbox that is there for many commands; StateError where there is none, or it has ended."""
        found = self.look(name)
        if found.state in {ENDED, UNFINISHED} or found.record is None:
            hint = f"aisbx destroy {name} removes what is left of it"
            raise StateError(f"sandbox {name}: {found.problem or 'the sandbox has ended'}", hint=hint)
        return RemoteOpened(self._server, found.record, found.enforcement)

    def detach(
        self, name: str, command: Command, _principal: Principal, _host: str, *, terminal: bool, stdin: bool
    ) -> str:
        """Start a command in the background of a sandbox and give its id; an AisbxError says why it does not run."""
        body = {**asked.of_command(command), "terminal": terminal, "stdin": stdin}
        made: str = self._server.post(path_of("sandboxes", name, "processes"), body)["id"]
        return made

    def background(self, name: str) -> RemoteBackground:
        """Give the commands in the background of a sandbox; StateError where there is no such sandbox."""
        self.look(name)
        return RemoteBackground(self._server, name)

    def inside(self, name: str) -> RemoteInside:
        """Give what else can be done with a sandbox; StateError where it is not there, or has ended."""
        self.open(name)
        return RemoteInside(self._server, name)

    def destroy(self, name: str, _principal: Principal, _host: str, *, discard: bool = False) -> list[str] | None:
        """End a sandbox and remove all of it; gives what was found planted, None where there was no such sandbox."""
        try:
            found: list[str] = self._server.delete(path_of("sandboxes", name), discard=discard)["findings"]
        except NotFoundError:
            return None
        return found

    def prune(self, principal: Principal, host: str) -> list[str]:
        """Remove all that have ended or were never finished; gives their names. What has changes to apply stays."""
        gone: list[str] = []
        for found in [*self.all()]:
            if found.state in {ENDED, UNFINISHED}:
                with suppress(StateError):
                    self.destroy(found.name, principal, host)
                    gone.append(found.name)
        return gone

    def names(self) -> list[str]:
        """Give the names of all that are yours."""
        return [found.name for found in self.all()]

    def all(self) -> Iterator[Found]:
        """Give every sandbox of yours as it is now, by name; what is enforced `look` tells."""
        after: str | None = None
        while True:
            page = self._server.get("sandboxes", limit=_PAGE, after=after)
            yield from map(told.found, page["sandboxes"])
            after = page["next"]
            if after is None:
                return

    def look(self, name: str) -> Found:
        """Give one sandbox as it is now; StateError where there is none."""
        try:
            return told.found(self._server.get(path_of("sandboxes", name)))
        except NotFoundError as error:
            raise StateError(f"there is no sandbox {name!r}", hint="see: aisbx ls") from error


def _record(row: dict[str, object]) -> Record:
    found = told.record(row)
    if found is None:
        raise StateError(f"the sandbox {row['name']} ended at once", hint="see the supervisor's log")
    return found
