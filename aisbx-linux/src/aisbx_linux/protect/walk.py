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
        self._descend(posix.open(self.state.workspace, DIRECTORY), self.state.workspace, TREE, 0)

    def repository(self, path: str) -> None:
        """Read a directory of the workspace as a repository: something says that it is one."""
        beneath = path[len(self.state.workspace) + 1 :]
        parent, _, name = beneath.rpartition("/")
        root = posix.open(self.state.workspace, DIRECTORY)
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
        root = posix.open(state.workspace, DIRECTORY)
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
        try:
            fd = open_beneath(root, beneath)
        except OSError as error:
            if error.errno != errno.EACCES:
                return  # replaced meanwhile: its parent is read again as well
            parent, _, name = beneath.rpartition("/")
            above = open_beneath(root, parent)
            try:
                self._step(above, path, name, context, beneath.count("/"))
            finally:
                posix.close(above)
            return
        try:
            subs = read(state, fd, path, context)
            self.fresh.add(path)
            for name, inner in subs:
                known = state.dirs.get(path + "/" + name)
                if known is None or known[3] != inner:
                    self._step(fd, path + "/" + name, name, inner, beneath.count("/") + bool(beneath))
        finally:
            posix.close(fd)

    def _descend(self, fd: int, path: str, context: int, depth: int) -> None:
        try:
            subs = read(self.state, fd, path, context)
            self.fresh.add(path)
            for name, inner in subs:
                self._step(fd, path + "/" + name, name, inner, depth)
        finally:
            posix.close(fd)

    def _step(self, above: int, path: str, name: str, context: int, depth: int) -> None:
        """Read the directory `name` in `above`, which lies `depth` levels below the workspace."""
        if depth >= MAX_DEPTH or len(path) > MAX_PATH:
            self._unread(above, path, name, DEEP)
            return
        try:
            fd = posix.open(name, DIRECTORY, dir_fd=above)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):  # gone again
                return
            fd = self._open_shut(above, name)
            if fd < 0:
                self._unread(above, path, name, SHUT)
                return
            if self.heal is not None:
                self.heal.append(path)
        self._descend(fd, path, context, depth + 1)

    def _open_shut(self, above: int, name: str) -> int:
        """Give the owner back a directory that a `chmod 000` hides; -1 where that is not wanted or fails."""
        if self.heal is None:
            return -1
        try:
            handle = posix.open(name, posix.O_PATH | DIRECTORY, dir_fd=above)
        except OSError:
            return -1
        try:
            # Through /proc: fchmod refuses such a handle, and chmod would follow a link put in its place.
            posix.chmod(f"/proc/self/fd/{handle}", posix.fstat(handle).st_mode & 0o777 | 0o700)
            return posix.open(name, DIRECTORY, dir_fd=above)
        except OSError:
            return -1
        finally:
            posix.close(handle)

    def _unread(self, above: int, path: str, name: str, kind: int) -> None:
        state = self.state
        parent = path[: path.rfind("/")]
        try:
            status = posix.lstat(name, dir_fd=above)
        except OSError:
            return
        state.items[parent] = (*state.items.get(parent, ()), (kind, name, status.st_dev, status.st_ino, ""))
