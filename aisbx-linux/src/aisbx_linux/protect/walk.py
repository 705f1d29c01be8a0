"""Go through a workspace, or through the part of it that has changed, component by component and without links."""

import errno
import posix

from aisbx_linux.protect.look import DEEP, GITDIR, SHUT, TREE, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.protect.scan import State

# Nothing that people make is nested deeper, and hardly a tool opens a longer path: below it nothing is read, and
# what lies there is reported.
MAX_DEPTH = 128
MAX_PATH = 3500

_MODE, _OWNER = 0o777, 0o700
DIRECTORY = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC


def open_beneath(root: int, path: str) -> int:
    """Open the directory `path` below the directory `root` ("" is itself); OSError where a component is a link."""
    fd = posix.dup(root)
    try:
        for name in path.split("/") if path else ():
            child = posix.open(name, DIRECTORY, dir_fd=fd)
            posix.close(fd)
            fd = child
    except BaseException:
        posix.close(fd)
        raise
    return fd


def open_shut(name: str, above: int) -> int:
    """Open a directory after giving its owner back what a `chmod 000` took; -1 where that fails."""
    try:
        handle = posix.open(name, posix.O_PATH | DIRECTORY, dir_fd=above)
    except OSError:
        return -1
    try:
        # Through /proc: fchmod refuses such a handle, and chmod would follow a link put in its place.
        posix.chmod(f"/proc/self/fd/{handle}", posix.fstat(handle).st_mode & _MODE | _OWNER)
        return posix.open(name, DIRECTORY, dir_fd=above)
    except OSError:
        return -1
    finally:
        posix.close(handle)


class Walk:
    """One pass over a workspace into a `State`.

    With `heal` (a list), directories that their owner can't read are made readable and named in it; without, they are
    left alone and kept as items of the kind SHUT.
    """

    def __init__(self, state: "State", heal: "list[str] | None" = None) -> None:
        self.state = state
        self.heal = heal
        self.fresh: set[str] = set()

    def everything(self) -> None:
        """Read the whole workspace; OSError if it can't be opened."""
        self._descend(self.state.open(DIRECTORY), self.state.workspace, TREE, 0)

    def repository(self, path: str) -> None:
        """Read a directory of the workspace as a repository: something says that it is one."""
        beneath = path[len(self.state.workspace) + 1 :]
        parent, _, name = beneath.rpartition("/")
        root = self.state.open(DIRECTORY)
        try:
            above = open_beneath(root, parent)
            try:
                self._step(above, path, name, GITDIR, beneath.count("/"))
            finally:
                posix.close(above)
        except OSError:
            return  # gone again
        finally:
            posix.close(root)

    def changes(self, touched: "list[str]", replaced: "list[str]") -> None:
        """Read directories again whose entries changed, drop those that are gone, and read what took their place."""
        state = self.state
        if state.workspace in replaced:
            state.clear()
            self.everything()
            return
        dropped = set(replaced)
        if dropped:
            for path in sorted(state.dirs, key=len):  # parents are shorter than what lies in them
                if path in dropped or path[: path.rfind("/")] in dropped:
                    dropped.add(path)
                    state.forget(path)
                    del state.dirs[path]
        again = {path for path in touched if path in state.dirs}
        again.update(parent for parent in (path[: path.rfind("/")] for path in replaced) if parent in state.dirs)
        root = state.open(DIRECTORY)
        try:
            for path in sorted(again, key=len):
                if path not in self.fresh:
                    self._again(root, path)
        finally:
            posix.close(root)

    def _again(self, root: int, path: str) -> None:
        state = self.state
        context = state.dirs[path][3]
        beneath = path[len(state.workspace) + 1 :]
        parent, _, name = beneath.rpartition("/")
        depth = beneath.count("/") + bool(beneath)
        try:
            above = open_beneath(root, parent)
        except OSError:
            return  # replaced meanwhile: its parent is read again as well
        try:
            fd = self._enter(above, path, name or ".")
        finally:
            posix.close(above)
        try:
            for name, inner in self._read(fd, path, context) if fd >= 0 else ():
                known = state.dirs.get(path + "/" + name)
                if known is None or known[3] != inner:
                    self._step(fd, path + "/" + name, name, inner, depth)
        finally:
            if fd >= 0:
                posix.close(fd)

    def _descend(self, fd: int, path: str, context: int, depth: int) -> None:
        try:
            for name, inner in self._read(fd, path, context):
                self._step(fd, path + "/" + name, name, inner, depth)
        finally:
            posix.close(fd)

    def _step(self, above: int, path: str, name: str, context: int, depth: int) -> None:
        """Read the directory `name` in `above`, which lies `depth` levels below the workspace."""
        if depth >= MAX_DEPTH or len(path) > MAX_PATH:
            self._unread(path, DEEP, posix.lstat(name, dir_fd=above))
            return
        fd = self._enter(above, path, name)
        if fd >= 0:
            self._descend(fd, path, context, depth + 1)

    def _read(self, fd: int, path: str, context: int) -> "list[tuple[str, int]]":
        self.fresh.add(path)
        try:
            return read(self.state, fd, path, context)
        except PermissionError:
            status = posix.fstat(fd)
            if self.heal is not None and status.st_uid == posix.geteuid():
                posix.fchmod(fd, status.st_mode & _MODE | _OWNER)
                self.heal.append(path)
                return read(self.state, fd, path, context)
            self._unread(path, SHUT, status)
            return []

    def _enter(self, above: int, path: str, name: str) -> int:
        """Open a directory; -1 if it is gone or, then it is noted, can't be read."""
        try:
            return posix.open(name, DIRECTORY, dir_fd=above)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):  # gone again
                return -1
        if self.heal is not None:
            fd = open_shut(name, above)
            if fd >= 0:
                self.heal.append(path)
                return fd
        self._unread(path, SHUT, posix.lstat(name, dir_fd=above))
        return -1

    def _unread(self, path: str, kind: int, status: posix.stat_result) -> None:
        parent, _, name = path.rpartition("/")
        items = self.state.items
        items[parent] = (*items.get(parent, ()), (kind, name, status.st_dev, status.st_ino, ""))
