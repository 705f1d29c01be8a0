"""Compare a workspace with what it was before a run, and neutralise what is new among the protected files."""

import posix
import time

from aisbx_linux.protect.derive import join, named, pointer, renew, resolve
from aisbx_linux.protect.folding import folded
from aisbx_linux.protect.look import (
    CONFIG,
    DEEP,
    GITFILE,
    HOOKS,
    LINK,
    NAMED,
    REDIRECT,
    SHUT,
    STRAY,
    TODO,
)
from aisbx_linux.protect.names import REPOSITORY
from aisbx_linux.protect.repair import Repair
from aisbx_linux.protect.scan import RACY
from aisbx_linux.protect.tree import Tree
from aisbx_linux.protect.walk import open_beneath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.protect.scan import Item, State

_S_IFMT, _S_IFDIR = 0o170000, 0o040000


class Undo:
    """One comparison."""

    def __init__(self, state: "State", quarantine: str) -> None:
        state.unpack()
        state.before = time.time_ns() - RACY  # for what is read from now on
        self.state = state
        self.tree = Tree(state, quarantine)
        self.repair = Repair(self.tree, state)
        # How it was. The walk replaces the values of these dictionaries and never changes one.
        self.held = state.held
        self.links = state.links
        self.dirs = dict(state.dirs)
        self.twins = dict(state.twins)
        self.files = dict(state.files)
        self.known = {item for items in state.items.values() for item in items}

    @property
    def lines(self) -> "list[str]":
        """What was done."""
        return self.tree.lines

    def close(self) -> None:
        """Close what is open."""
        self.tree.close()

    def all(self, stale: "tuple[list[str], list[str]]") -> None:
        """Look at what changed, and undo."""
        healed: list[str] = []
        renew(self.state, stale, healed)
        self.tree.lines += [f"made {self.tree.show(path)} readable to its owner again" for path in healed]
        for directory, items in list(self.state.items.items()):
            for item in items:
                if item[0] == CONFIG or item not in self.known:
                    self._one(directory, item)
        self._restore_twins()
        self.repair.restore()
        self._by_name()
        self._restore_links()

    def _one(self, directory: str, item: "Item") -> None:
        """Neutralise one item that was not there before; a configuration also if it was."""
        kind, name, device, inode, text = item
        path = directory + "/" + name
        if kind == CONFIG:
            self.repair.config(directory, name)
        elif kind == LINK:
            if self.links.get(path) != text:
                self.tree.take(path)
        elif kind == STRAY:
            if text.startswith("/") or ".." in text.split("/"):
                self.tree.take(path, "a link out of the repository, through which git would write")
        elif kind == TODO:
            self.repair.todo(directory, name, text)
        elif kind in (DEEP, SHUT):
            self._unread(path, kind)
        elif (device, inode) not in self.held:
            self._named(directory, item)

    def _unread(self, path: str, kind: int) -> None:
        if kind == DEEP:
            self.tree.take(path, "nested too deep to be checked")
        else:
            self.tree.lines.append(f"cannot check {self.tree.show(path)}: it can't be read")

    def _named(self, directory: str, item: "Item") -> None:
        path = directory + "/" + item[1]
        if item[0] == HOOKS:
            self._hooks(path)
        elif item[0] == NAMED or (item[0] in (GITFILE, REDIRECT) and not self._inside(directory, item)):
            self.tree.take(path)

    def _inside(self, directory: str, item: "Item") -> bool:
        """Say whether what points elsewhere points at a repository of this workspace, which is looked at itself."""
        kind, name, _, _, text = item
        if kind == REDIRECT and folded(name) == "gitdir":
            # Where a linked worktree is: git deletes it there on request.
            place = join(directory, text.strip())
            return place.startswith(self.state.workspace + "/") and ".." not in place.split("/") and bool(text.strip())
        target = pointer(directory, item)
        found = resolve(target) if target else None
        return found is not None and found[0] in self.state.repositories

    def _hooks(self, path: str) -> None:
        """Take all that git could run from a directory of hooks; samples are never run."""
        try:
            fd = open_beneath(self.tree.root, path[len(self.state.workspace) + 1 :])
        except OSError:
            self.tree.take(path)  # a file, or what can't be opened
            return
        try:
            with posix.scandir(fd) as entries:
                names = [
                    entry.name
                    for entry in entries
                    if not (entry.name.endswith(".sample") and entry.is_file(follow_symlinks=False))
                ]
        finally:
            posix.close(fd)
        for name in names:
            self.tree.take(path + "/" + name, REPOSITORY["hooks"])

    def _restore_twins(self) -> None:
        """Put back what was written to a protected file through another hard link."""
        for path, data in self.twins.items():
            if self.state.twins.get(path, data) == data and (
                data or self.state.files.get(path) == self.files.get(path)
            ):
                continue
            directory, _, name = path.rpartition("/")
            if data is None:
                self.tree.lines.append(f"cannot restore {self.tree.show(path)}: it was too large to keep a copy")
            elif self.tree.write(directory, name, data):
                self.tree.lines.append(f"restored {self.tree.show(path)} (it was written through another hard link)")

    def _by_name(self) -> None:
        """Check what configurations and links name: the names are as they were, what they lead to may not be."""
        links = {**self.links, **self.state.links}
        paths = [(path, True) for path in links]
        paths += named(self.state)
        for path, always in paths:
            found = resolve(path)
            if found is None or not found[0].startswith(self.state.workspace + "/"):
                continue
            real, status = found
            if real == path and path in links:
                continue  # the link was taken
            if (status.st_dev, status.st_ino) in self.held or not (always or real in self.held.values()):
                continue
            if status.st_mode & _S_IFMT == _S_IFDIR and path not in links:
                self._hooks(real)
            else:
                self.tree.take(real, "it is what a protected name leads to")

    def _restore_links(self) -> None:
        for path, text in self.links.items():
            directory, _, name = path.rpartition("/")
            fd, mode = self.tree.open(directory)
            if fd < 0:
                continue
            try:
                status = posix.fstat(fd)
                if self.dirs.get(directory, (0, 0))[:2] != (status.st_dev, status.st_ino):
                    continue
                try:
                    posix.symlink(text, name, dir_fd=fd)
                except FileExistsError:
                    continue
                self.tree.lines.append(f"restored the link {self.tree.show(path)}")
            except OSError as error:
                self.tree.lines.append(f"cannot restore the link {self.tree.show(path)}: {error.strerror}")
            finally:
                self.tree.shut(fd, mode)
