"""What of a layer the host would execute by itself, by its name and where it lies; see `aisbx_linux.protect.names`.

A directory is gone through in a context, as `protect.look` does it; here the names are those of the layer and of the
workspace together, so that a repository of which each has a half is one all the same.
"""

from aisbx_linux.protect.folding import folded
from aisbx_linux.protect.look import CLOSED, GITDIR, INNER, INSIDE, MODULES, PACKAGES, TREE, WORKTREE, WORKTREES
from aisbx_linux.protect.names import DEPENDENCIES, GIT, NAMES, ONLY_BELOW, REPOSITORY, SUFFIXES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

CONFIGURATIONS = frozenset({"config", "config.worktree"})
OUT_OF_IT = "a link in a repository, through which git would write"


class Place:
    """A directory on the way: its path below the workspace, its context, and why all in it is protected, if it is."""

    __slots__ = ("context", "path", "repository", "why")

    def __init__(self, path: str, context: int, why: str = "") -> None:
        """Know nothing of what is in it yet."""
        self.path = path
        self.context = context
        self.why = why
        self.repository = context in {GITDIR, WORKTREE}

    def hears(self, names: "Iterable[str]") -> None:
        """Take the names in it: they may make it a repository (setup.c, is_git_directory)."""
        have = {folded(name) for name in names}
        headed = "head" in have and ("commondir" in have or {"objects", "refs"} <= have)
        if self.context in {TREE, PACKAGES, INNER, MODULES}:
            self.repository = headed or (self.context == MODULES and "config" in have)

    def mark(self, name: str, *, directory: bool, link: bool) -> str:
        """Say why the host would execute what this name is; "" where it would not."""
        low = folded(name)
        if self.why:
            # Of git's hooks the samples are never run.
            sample = self.why == REPOSITORY["hooks"] and low.endswith(".sample") and not directory and not link
            return "" if sample else self.why
        if low == ".git":
            return "" if directory else GIT
        if self._named(low):
            return NAMES.get(low) or next(why for suffix, why in SUFFIXES.items() if low.endswith(suffix))
        return self._gits(low, directory=directory, link=link)

    def _gits(self, low: str, *, directory: bool, link: bool) -> str:
        """Say why git on the host would trust it."""
        if self.repository and (low in {"commondir", *CONFIGURATIONS} or (low, self.context) == ("gitdir", WORKTREE)):
            return REPOSITORY[low]
        if self.repository and low == "hooks":  # a directory of them is nothing by itself
            return "" if directory else REPOSITORY[low]
        if self.context == INNER and low == "git-rebase-todo":
            return REPOSITORY["rebase-merge"]
        return OUT_OF_IT if link and (self.repository or self.context in {GITDIR, INNER, WORKTREES}) else ""

    def gits_own(self, name: str) -> bool:
        """Tell whether what is protected here under this name is git's own: some of it may be as git writes it."""
        low = folded(name)
        return not self.why and (low in {".git", "commondir", "gitdir", *CONFIGURATIONS} and not self._named(low))

    def below(self, name: str, why: str) -> "Place":
        """Give the directory `name` in it, which is protected for the reason `why`."""
        path = f"{self.path}/{name}" if self.path else name
        low = folded(name)
        if self.repository and low == "hooks":
            why = REPOSITORY[low]
        return Place(path, CLOSED if why else self._context(low), why)

    def _context(self, low: str) -> int:
        if low == ".git":
            return GITDIR
        if self.context == WORKTREES:
            return WORKTREE
        if self.repository and low in INSIDE:
            return INSIDE[low]
        if self.context == TREE and low in DEPENDENCIES:
            return PACKAGES
        return INNER if self.context in {GITDIR, WORKTREE} else self.context

    def _named(self, low: str) -> bool:
        if self.context not in {TREE, INNER, MODULES}:
            return False
        if low not in NAMES:
            return low.endswith(tuple(SUFFIXES))
        where = "/" + folded(self.path)
        return low not in ONLY_BELOW or where.endswith(tuple(f"/{place}" for place in ONLY_BELOW[low]))
