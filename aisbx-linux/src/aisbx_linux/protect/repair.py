"""Git's own files after a run: configurations, and lists of commits to rebase, without what would run a program."""

from aisbx_linux.protect.derive import join, resolve
from aisbx_linux.protect.keys import allowed
from aisbx_linux.protect.names import REPOSITORY
from aisbx_linux.protect.quarantine import printable
from aisbx_linux.protect.reconcile import reconcile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.protect.scan import State
    from aisbx_linux.protect.tree import Tree

# Keys of a configuration that a line names.
MAX_KEYS = 5


class Repair:
    """Repairs in one workspace; made while `state` is as it was before the run, and used when it is up to date."""

    def __init__(self, tree: "Tree", state: "State") -> None:
        """Remember how the configurations were: the walk replaces the values of these dictionaries."""
        self.tree = tree
        self.state = state
        self.configs = dict(state.configs)
        self.dirs = {path: place[:2] for path, place in state.dirs.items()}
        self.repositories = {self.dirs[path]: path for path in state.repositories if path in state.dirs}

    def config(self, directory: str, name: str) -> None:
        """Put back the entries that the inside may not write; those that it may stay as they are now."""
        path = directory + "/" + name
        data = self.state.configs.get(path)
        # By identity: a repository may have been moved, or another one put in its place.
        start = self.repositories.get(self.state.dirs[directory][:2])
        before = self.configs.get(start + "/" + name) if start else None
        result = reconcile(before, data, lambda key, value: self._may(directory, key, value))
        if result is None:
            return
        restored, changed = result
        copy = self.tree.store.copy(name, data) if data else ""
        if self.tree.write(directory, name, restored):
            self.state.configs[path] = restored
            what = ", ".join(map(printable, changed[:MAX_KEYS])) + (", …" if len(changed) > MAX_KEYS else "")
            tail = f": as it was found is {copy}" if copy else ""
            self.tree.lines.append(f"restored {self.tree.show(path)} ({what or 'it could not be read'}){tail}")

    def restore(self) -> None:
        """Write configurations again that were removed from a repository that is still there."""
        now = {self.state.dirs[path][:2]: path for path in self.state.repositories if path in self.state.dirs}
        for path, data in self.configs.items():
            directory, _, name = path.rpartition("/")
            place = now.get(self.dirs[directory]) if directory in self.dirs else None
            if not data or not place or place + "/" + name in self.state.configs or not resolve(place + "/HEAD"):
                continue  # also where all of it was removed, as far as that can be
            if self.tree.write(place, name, data):
                self.state.configs[place + "/" + name] = data
                self.tree.lines.append(f"restored {self.tree.show(place + '/' + name)} (it was removed)")

    def todo(self, directory: str, name: str, text: str) -> None:
        """Take the exec lines out of a list of commits to rebase."""
        kept = [line for line in text.splitlines(keepends=True) if (line.split() or [""])[0] not in ("exec", "x")]
        if "".join(kept) != text:
            self.tree.write(directory, name, "".join(kept).encode("utf-8", "surrogateescape"))
            self.tree.lines.append(
                f"removed the exec lines of {self.tree.show(directory + '/' + name)} ({REPOSITORY['rebase-merge']})"
            )

    def _may(self, directory: str, name: str, value: "str | None") -> bool:
        if name != "core.worktree":
            return allowed(name, value)
        # Where git checks files out: of a submodule it is set, and then a directory of this workspace.
        found = resolve(join(directory, value or ""))
        return found is not None and found[0].startswith(self.state.workspace + "/")
