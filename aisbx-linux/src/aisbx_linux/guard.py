"""The workspace of a launch, before and after: protected files of a live one, or the layer over it.

On the hot path: builtin modules only.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import LocalPlan

    from aisbx_linux.compose import Layout
    from aisbx_linux.layer.end import RunLayer
    from aisbx_linux.protect.scan import State


class Guard:
    """Watches the workspace of one launch; does nothing where the command cannot write to it."""

    __slots__ = ("_home", "_layer", "_plan", "_quarantine", "_run", "_shared", "_state", "_store")

    def __init__(self, plan: "LocalPlan", state: str, run: str, home: str = "") -> None:
        """Look at nothing yet. `state` is a private directory of ours for the memory of looks, quarantine and layers.

        `home` is that of a sandbox that lasts.
        """
        self._plan = plan
        self._layer: RunLayer | None = None
        self._home = home
        self._run = run
        self._store = state
        self._state: State | None = None
        self._shared = ""
        self._quarantine = f"{state}/quarantine/{run}"

    def lay(self) -> "tuple[int, bool, list[str]] | None":
        """Make the layer over the workspace, if it is to have one, or take what a fork has made.

        Gives it open, whether it is volatile, and the directories of the frozen layers below it, the uppermost first.

        OSError where it cannot be made.
        """
        workspace = self._plan["workspace"]
        if workspace is None or workspace[1] in {"rw", "ro"}:
            return None
        from aisbx_linux.layer.place import make, opened

        outside = self._plan["outside"]
        place = f"{self._home}/layer" if self._home else f"{self._store}/layers/{self._run}"
        if self._home and (descriptor := opened(place)) >= 0:
            from aisbx_linux.layer.stack import below

            return descriptor, False, below(place)
        descriptor = make(place, *workspace, outside and outside[:2], volatile=not self._home)
        if not self._home:
            from aisbx_linux.layer.end import RunLayer

            self._layer = RunLayer(place, descriptor)
        return descriptor, not self._home, []

    def hold(self, layout: "Layout | None") -> "list[tuple[int, str]]":
        """Look at the workspace before anything runs, and cover what is to be covered where `layout` says it is.

        Gives what is to be covered, also without a layout, in this order: (a kind of `compose`, absolute path). OSError
        where the workspace can't be read, or something in it was moved meanwhile.
        """
        workspace = self._plan["workspace"]
        if workspace is None or workspace[1] != "rw":
            return []
        from aisbx_linux.protect.scan import scan

        path = workspace[0]
        self._state = scan(path, scans(self._store, path) if self._store else None)
        covered = self._covers(self._state)
        if layout is not None and covered:
            from aisbx_linux.compose import cover

            cover(layout, covered)
        return covered

    def since(self, baseline: str) -> None:
        """Take what the workspace held when the sandbox was made, as `keep` left it; OSError where that is lost."""
        workspace = self._plan["workspace"]
        if workspace is None or workspace[1] != "rw":
            return
        from aisbx_linux.protect.scan import recall

        self._state = recall(workspace[0], baseline)
        if self._state is None:
            msg = f"what {workspace[0]} held when the sandbox was made is not known any more ({baseline})"
            raise OSError(msg)

    def share(self, state: "State", baseline: str) -> None:
        """Take what `since` would, from one who keeps it for many: it is only compared with, and read anew to undo."""
        self._state, self._shared = state, baseline

    def renew(self, baseline: str) -> bool:
        """Look anew, where anything may have changed since what `since` gave, and remember that instead.

        Tells whether the same is to be protected. OSError where the workspace can't be read.
        """
        known = self._state
        if known is None:
            return True
        from aisbx_linux.protect.scan import compare, scan

        if compare(known) is None:
            return True
        path = known.workspace
        found = self._state = scan(path, scans(self._store, path) if self._store else None)
        self.keep(baseline)
        return all(getattr(found, name) == getattr(known, name) for name in found.FOUND)

    def keep(self, baseline: str) -> None:
        """Remember, in a file of ours, what `hold` found."""
        if self._state is not None:
            from aisbx_linux.protect.remember import store

            self._state.cache = baseline
            store(self._state)

    def _covers(self, state: "State") -> "list[tuple[int, str]]":
        from aisbx_linux.compose import HELD, HIDDEN, PINNED

        # A pin that the plan has made is not made again: that would hide the plan's mounts in it.
        made = {source["target"] for source in self._plan["sources"] if source["target"] == source["path"]}
        covered = [(PINNED, place) for place in state.pins if place not in made]
        covered += [(HELD, place) for place in state.mounts]
        return covered + [(HIDDEN, place) for place in state.sockets]

    def settle(self) -> "list[str]":
        """Undo, after the last process has ended, what was planted for the host; gives a line for each thing."""
        if self._layer is not None:
            return self._layer.settle()
        if self._state is None:
            return []
        from aisbx_linux.protect.settle import settle

        try:
            if self._shared:
                from aisbx_linux.protect.scan import compare

                if compare(self._state) is None:
                    return []
                self.since(self._shared)
            return settle(self._state.workspace, self._state, self._quarantine)
        except OSError as error:
            return [f"cannot look at the workspace again: {error.strerror or error}: what it holds now is unchecked"]


def scans(state: str, path: str) -> str:
    """Give the file of what is known of a workspace, in the private directory of all runs."""
    from _imp import source_hash

    data = path.encode(errors="surrogateescape")
    return f"{state}/scans/{(source_hash(1, data) + source_hash(2, data)).hex()}"
