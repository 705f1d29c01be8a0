"""Protected files of a live workspace, before and after a run. On the hot path: builtin modules only."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import LocalPlan

    from aisbx_linux.protect.scan import State


class Guard:
    """Watches the workspace of one launch; does nothing where the command cannot write to it."""

    __slots__ = ("_quarantine", "_state")

    def __init__(self, plan: "LocalPlan", state: str, run: str) -> None:
        """Look at the workspace before anything runs. OSError where it can't be read.

        `state` is a private directory of ours for the memory of earlier looks and for quarantine.
        """
        self._state: State | None = None
        self._quarantine = f"{state}/quarantine/{run}"
        workspace = plan["workspace"]
        if workspace is not None and workspace[1] == "rw":
            from aisbx_linux.protect.scan import scan

            path = workspace[0]
            self._state = scan(path, f"{state}/scans/{_name(path)}" if state else None)

    def covers(self, plan: "LocalPlan") -> "list[tuple[str, str, str]]":
        """Give what is to be mounted over the workspace: (option of the tool, source, target), in this order."""
        state = self._state
        if state is None:
            return []
        from aisbx_linux.sources import STAGE

        root = path = state.workspace
        if plan["outside"] is not None:
            root = f"{STAGE}/{[source['path'] for source in plan['sources']].index(path)}"
        # A pin that the plan has made is not made again: that would hide the plan's mounts in it.
        pinned = {source["target"] for source in plan["sources"] if source["target"] == source["path"]}
        rows = [("--bind", place) for place in state.pins if place not in pinned]
        rows += [("--ro-bind", place) for place in state.mounts]
        covered = [(option, root + place[len(path) :], place) for option, place in rows]
        return covered + [("--ro-bind", "/dev/null", place) for place in state.sockets]

    def settle(self) -> "list[str]":
        """Undo, after the last process has ended, what was planted for the host; gives a line for each thing."""
        if self._state is None:
            return []
        from aisbx_linux.protect.settle import settle

        try:
            return settle(self._state.workspace, self._state, self._quarantine)
        except OSError as error:
            return [f"cannot look at the workspace again: {error.strerror}: what it holds now is unchecked"]


def _name(path: str) -> str:
    """Give a file name that stands for a path."""
    from _imp import source_hash

    data = path.encode(errors="surrogateescape")
    return (source_hash(1, data) + source_hash(2, data)).hex()
