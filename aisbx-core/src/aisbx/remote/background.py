"""Commands in the background of a supervisor's sandbox."""

from collections.abc import Iterator

from aisbx.engine.background import BackgroundCommand
from aisbx.errors import StateError, UsageError
from aisbx.remote import told
from aisbx.remote.opened import RemoteProcess
from aisbx.remote.server import Server, path_of


class RemoteBackground:
    """In place of `aisbx.engine.background.Background`."""

    def __init__(self, server: Server, name: str) -> None:
        """Ask nothing yet."""
        self.server = server
        self._name = name

    def all(self) -> Iterator[BackgroundCommand]:
        """Give every command as it is now, the oldest first."""
        yield from map(told.command, self.server.get(self._place)["processes"])

    def find(self, beginning: str = "") -> BackgroundCommand:
        """Give the command with an id, or the beginning of one; of the last that was started where it is empty.

        StateError where there is none, UsageError where there are several.
        """
        found = [one for one in self.all() if one.id.startswith(beginning)]
        if not beginning and not found:
            hint = f"aisbx exec --detach {self._name}"
            raise StateError(f"nothing was run in the background of {self._name}", hint=hint)
        if beginning and len(found) > 1:
            hint = f"aisbx ps {self._name}"
            raise UsageError(f"{beginning!r} is the beginning of {len(found)} commands", hint=hint)
        if not found:
            raise StateError(f"there is no command {beginning!r} in {self._name}", hint=f"see: aisbx ps {self._name}")
        return found[-1]

    def signal(self, command: BackgroundCommand, number: int) -> None:
        """Send a signal to a command and all that came of it; nothing happens where it has ended."""
        self.process(command.id).signal(number)

    def process(self, id: str) -> RemoteProcess:  # noqa: A002 - it is its name everywhere
        """Give what can be done with a command, by its whole id."""
        return RemoteProcess(self.server, f"{self._place}/{id}")

    def position(self, id: str, tail: int | None = None, since: float = 0.0) -> int:  # noqa: A002 - as above
        """Give where the last `tail` lines begin, or what was printed `since` a time: whichever is later."""
        found: int = self.server.get(f"{self._place}/{id}/position", tail=tail, since=since or None)["cursor"]
        return found

    @property
    def _place(self) -> str:
        return path_of("sandboxes", self._name, "processes")
