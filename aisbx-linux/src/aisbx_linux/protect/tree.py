"""The workspace after a run, opened to be put right: nothing is followed, and what is taken away is kept."""

import posix

from aisbx_linux.protect.folding import folded
from aisbx_linux.protect.names import NAMES, ONLY_BELOW, REPOSITORY, SUFFIXES
from aisbx_linux.protect.quarantine import Quarantine, printable, write
from aisbx_linux.protect.walk import DIRECTORY, open_beneath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.protect.scan import State

_S_IFMT, _S_IFDIR, _MODE, _OWNER, _READABLE = 0o170000, 0o040000, 0o7777, 0o700, 0o500


class Tree:
    """A workspace and the quarantine of one run; `lines` say what was done. Close it when done."""

    def __init__(self, state: "State", quarantine: str) -> None:
        """Open the workspace, readable to its owner again if need be; OSError where that fails."""
        self.workspace = state.workspace
        self.lines: list[str] = []
        self.store = Quarantine(quarantine)
        self.root = self._open_root(state)

    def close(self) -> None:
        """Close what is open."""
        posix.close(self.root)
        self.store.close()

    def open(self, path: str) -> tuple[int, int]:
        """Open a directory to change it: the descriptor, or -1, and the mode to give back; a `chmod 555` is no bar."""
        try:
            fd = open_beneath(self.root, path[len(self.workspace) + 1 :])
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

    def shut(self, fd: int, mode: int) -> None:
        """Close a directory that `open` gave, and give it its mode back."""
        if mode:
            posix.fchmod(fd, mode)
        posix.close(fd)

    def take(self, path: str, reason: str = "") -> None:
        """Move what is at a path to the quarantine, and say so."""
        directory, _, name = path.rpartition("/")
        fd, mode = self.open(directory)
        if fd < 0:
            return  # a parent was taken
        try:
            done = self.store.take(fd, name)
        except FileNotFoundError:
            return
        except OSError as error:
            self.lines.append(f"cannot quarantine {self.show(path)}: {error.strerror}")
            return
        finally:
            self.shut(fd, mode)
        self.lines.append(f"quarantined {self.show(path)} ({reason or why(path)}): {done}")

    def write(self, directory: str, name: str, data: bytes) -> bool:
        """Write a file of the workspace anew; False, and a line that says why, where that fails."""
        path = directory + "/" + name
        fd, before = self.open(directory)
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
            self.lines.append(f"cannot restore {self.show(path)}: {error.strerror}")
            return False
        finally:
            self.shut(fd, before)
        return True

    def show(self, path: str) -> str:
        """Give a path of the workspace for people: relative, and printable."""
        return printable(path[len(self.workspace) + 1 :] or ".")

    def _open_root(self, state: "State") -> int:
        mode = posix.fstat(state.hold).st_mode
        if mode & _READABLE != _READABLE and posix.geteuid():
            # Through /proc: fchmod refuses such a handle.
            posix.chmod(f"/proc/self/fd/{state.hold}", mode & _MODE | _OWNER)
            self.lines.append("made the workspace readable to its owner again")
        return state.open(DIRECTORY)


def why(path: str) -> str:
    """Give the reason for which a path is protected, by its name and where it lies."""
    directory, _, name = folded(path).rpartition("/")
    for suffix, reason in SUFFIXES.items():
        if name.endswith(suffix):
            return reason
    places = ONLY_BELOW.get(name)
    if name in NAMES and (places is None or directory.endswith(places)):
        return NAMES[name]
    return REPOSITORY.get(name) or "git on the host trusts it"
