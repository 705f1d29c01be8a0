"""Compare a workspace with what it was before a run, and neutralise what is new among the protected files."""

import posix
import time

from aisbx_linux.protect.derive import join, named, pointer, renew, resolve
from aisbx_linux.protect.gitconfig import reconcile
from aisbx_linux.protect.keys import allowed
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
from aisbx_linux.protect.names import NAMES, REPOSITORY, SUFFIXES
from aisbx_linux.protect.quarantine import Quarantine, printable, write
from aisbx_linux.protect.scan import RACY
from aisbx_linux.protect.walk import DIRECTORY, open_beneath, open_shut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.protect.scan import Item, State

# Keys of a configuration that a line names.
MAX_KEYS = 5

_S_IFMT, _S_IFDIR, _MODE, _OWNER, _READABLE = 0o170000, 0o040000, 0o7777, 0o700, 0o500


class Undo:
    """One comparison; `lines` say what was done."""

    def __init__(self, state: "State", quarantine: str) -> None:
        state.unpack()
        state.before = time.time_ns() - RACY  # for what is read from now on
        self.state = state
        self.lines: list[str] = []
        self.store = Quarantine(quarantine)
        self.root = self._open_root()
        # How it was. The walk replaces the values of these dictionaries and never changes one.
        self.held = state.held
        self.links = state.links
        self.dirs = dict(state.dirs)
        self.configs = dict(state.configs)
        self.twins = dict(state.twins)
        self.files = dict(state.files)
        self.repositories = {state.dirs[path][:2]: path for path in state.repositories if path in state.dirs}
        self.known = {item for items in state.items.values() for item in items}

    def _open_root(self) -> int:
        try:
            fd = posix.open(self.state.workspace, DIRECTORY)
        except PermissionError:
            fd = open_shut(self.state.workspace)
            if fd < 0:
                raise
        else:
            mode = posix.fstat(fd).st_mode
            if mode & _READABLE == _READABLE or not posix.geteuid():
                return fd
            posix.fchmod(fd, mode & _MODE | _OWNER)
        self.lines.append("made the workspace readable to its owner again")
        return fd

    def close(self) -> None:
        """Close what is open."""
        posix.close(self.root)
        self.store.close()

    def all(self, stale: "tuple[list[str], list[str]]") -> None:
        """Look at what changed, and undo."""
        healed: list[str] = []
        renew(self.state, stale, healed)
        self.lines += [f"made {self._show(path)} readable to its owner again" for path in healed]
        for directory, items in list(self.state.items.items()):
            for item in items:
                if item[0] == CONFIG or item not in self.known:
                    self._one(directory, item)
        self._restore_twins()
        self._restore_configs()
        self._by_name()
        self._restore_links()

    def _one(self, directory: str, item: "Item") -> None:
        """Neutralise one item that was not there before; a configuration also if it was."""
        kind, name, device, inode, text = item
        path = directory + "/" + name
        if kind == CONFIG:
            self._config(directory, name)
        elif kind == LINK:
            if self.links.get(path) != text:
                self._take(path)
        elif kind == STRAY:
            if text.startswith("/") or ".." in text.split("/"):
                self._take(path, "a link out of the repository, through which git would write")
        elif kind == TODO:
            self._todo(directory, name, text)
        elif kind in (DEEP, SHUT):
            self._unread(path, kind)
        elif (device, inode) not in self.held:
            self._named(directory, item)

    def _unread(self, path: str, kind: int) -> None:
        if kind == DEEP:
            self._take(path, "nested too deep to be checked")
        else:
            self.lines.append(f"cannot check {self._show(path)}: it can't be read")

    def _named(self, directory: str, item: "Item") -> None:
        path = directory + "/" + item[1]
        if item[0] == HOOKS:
            self._hooks(path)
        elif item[0] == NAMED or (item[0] in (GITFILE, REDIRECT) and not self._inside(directory, item)):
            self._take(path)

    def _inside(self, directory: str, item: "Item") -> bool:
        """Say whether what points elsewhere points at a repository of this workspace, which is looked at itself."""
        kind, name, _, _, text = item
        if kind == REDIRECT and name.lower() == "gitdir":
            # Where a linked worktree is: git deletes it there on request.
            place = join(directory, text.strip())
            return place.startswith(self.state.workspace + "/") and ".." not in place.split("/") and bool(text.strip())
        target = pointer(directory, item)
        found = resolve(target) if target else None
        return found is not None and found[0] in self.state.repositories

    def _take(self, path: str, why: str = "") -> None:
        directory, _, name = path.rpartition("/")
        fd, mode = self._open(directory)
        if fd < 0:
            return  # a parent was taken
        try:
            done = self.store.take(fd, name)
        except FileNotFoundError:
            return
        except OSError as error:
            self.lines.append(f"cannot quarantine {self._show(path)}: {error.strerror}")
            return
        finally:
            self._close(fd, mode)
        self.lines.append(f"quarantined {self._show(path)} ({why or _why(name)}): {done}")

    def _open(self, path: str) -> tuple[int, int]:
        """Open a directory to change it: the descriptor, or -1, and the mode to give back; a `chmod 555` is no bar."""
        try:
            fd = open_beneath(self.root, path[len(self.state.workspace) + 1 :])
        except OSError:
            return -1, 0
        mode = posix.fstat(fd).st_mode
        if mode & _OWNER == _OWNER:
            return fd, 0
        try:
            posix.fchmod(fd, mode & _MODE | _OWNER)
        except OSError:
            return fd, 0  # what follows says what is wrong
        return fd, mode & _MODE

    def _close(self, fd: int, mode: int) -> None:
        if mode:
            posix.fchmod(fd, mode)
        posix.close(fd)

    def _hooks(self, path: str) -> None:
        """Take all that git could run from a directory of hooks; samples are never run."""
        try:
            fd = open_beneath(self.root, path[len(self.state.workspace) + 1 :])
        except OSError:
            self._take(path)  # a file, or what can't be opened
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
            self._take(path + "/" + name, REPOSITORY["hooks"])

    def _todo(self, directory: str, name: str, text: str) -> None:
        kept = [line for line in text.splitlines(keepends=True) if (line.split() or [""])[0] not in ("exec", "x")]
        if "".join(kept) != text:
            self._write(directory, name, "".join(kept).encode("utf-8", "surrogateescape"))
            self.lines.append(
                f"removed the exec lines of {self._show(directory + '/' + name)} ({_why('rebase-merge')})"
            )

    def _write(self, directory: str, name: str, data: bytes) -> bool:
        path = directory + "/" + name
        fd, before = self._open(directory)
        if fd < 0:
            return False
        try:
            try:
                mode = posix.lstat(name, dir_fd=fd).st_mode
                if mode & _S_IFMT == _S_IFDIR:
                    self.store.take(fd, name)
                    mode = 0o644
            except FileNotFoundError:
                mode = 0o644
            write(fd, name, data, mode & 0o666 | 0o600)
        except OSError as error:
            self.lines.append(f"cannot restore {self._show(path)}: {error.strerror}")
            return False
        finally:
            self._close(fd, before)
        return True

    def _config(self, directory: str, name: str) -> None:
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
        copy = self.store.copy(name, data) if data else ""
        if self._write(directory, name, restored):
            self.state.configs[path] = restored
            what = ", ".join(map(printable, changed[:MAX_KEYS])) + (", …" if len(changed) > MAX_KEYS else "")
            tail = f": as it was found is {copy}" if copy else ""
            self.lines.append(f"restored {self._show(path)} ({what or 'it could not be read'}){tail}")

    def _may(self, directory: str, name: str, value: "str | None") -> bool:
        if name != "core.worktree":
            return allowed(name, value)
        # Where git checks files out: of a submodule it is set, and then a directory of this workspace.
        found = resolve(join(directory, value or ""))
        return found is not None and found[0].startswith(self.state.workspace + "/")

    def _restore_configs(self) -> None:
        """Write configurations again that were removed from a repository that is still there."""
        now = {self.state.dirs[path][:2]: path for path in self.state.repositories if path in self.state.dirs}
        for path, data in self.configs.items():
            directory, _, name = path.rpartition("/")
            place = now.get(self.dirs[directory][:2]) if directory in self.dirs else None
            if not data or not place or place + "/" + name in self.state.configs or not resolve(place + "/HEAD"):
                continue  # also where all of it was removed, as far as that can be
            if self._write(place, name, data):
                self.state.configs[place + "/" + name] = data
                self.lines.append(f"restored {self._show(place + '/' + name)} (it was removed)")

    def _restore_twins(self) -> None:
        """Put back what was written to a protected file through another hard link."""
        for path, data in self.twins.items():
            if self.state.twins.get(path, data) == data and (
                data or self.state.files.get(path) == self.files.get(path)
            ):
                continue
            directory, _, name = path.rpartition("/")
            if data is None:
                self.lines.append(f"cannot restore {self._show(path)}: it was too large to keep a copy")
            elif self._write(directory, name, data):
                self.lines.append(f"restored {self._show(path)} (it was written through another hard link)")

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
                self._take(real, "it is what a protected name leads to")

    def _restore_links(self) -> None:
        for path, text in self.links.items():
            directory, _, name = path.rpartition("/")
            fd, mode = self._open(directory)
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
                self.lines.append(f"restored the link {self._show(path)}")
            except OSError as error:
                self.lines.append(f"cannot restore the link {self._show(path)}: {error.strerror}")
            finally:
                self._close(fd, mode)

    def _show(self, path: str) -> str:
        return printable(path[len(self.state.workspace) + 1 :] or ".")


def _why(name: str) -> str:
    low = name.lower()
    for suffix, why in SUFFIXES.items():
        if low.endswith(suffix):
            return why
    return NAMES.get(low) or REPOSITORY.get(low) or "git on the host trusts it"
