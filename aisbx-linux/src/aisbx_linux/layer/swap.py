"""Exchange the layer over a workspace in a sandbox that runs, while nothing in it uses the workspace.

A child makes the new overlay mount as the sandbox's launcher did, but in the user namespace that the sandbox's mounts
belong to, then enters these mounts. The old mount becomes read-only first: the kernel refuses that while any file on it
is open for writing, and afterwards nothing writes to what is to be frozen, whoever may still have it. Builtin modules
only; for a process without threads.
"""

import posix

from aisbx_linux import syscalls
from aisbx_linux.lasting.identity import open_process
from aisbx_linux.mounts import mount_points
from aisbx_linux.processes import leave
from aisbx_linux.sources import STAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.lasting.identity import Held

_GET_USER_NAMESPACE = 0xB701
"""ioctl_ns(2), NS_GET_USERNS."""
_HANDLE = posix.O_PATH | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
_ABSOLUTE = -100
BUSY, END_IT = "something in it uses the workspace", "end what runs in it first: aisbx ps NAME"


class SwapError(OSError):
    """The mount was not exchanged; the text says why."""


def hindrance(held: "Held") -> "tuple[str, str]":
    """Give why the mount of a sandbox's workspace cannot be exchanged, and what to do about it; empty where it can.

    Only under the lock that keeps commands from joining: those that did have become their command by then.
    """
    first, inner = held["first"][0], f"{_workspace(held)}/"
    if any(place.startswith(inner) for place in mount_points(first)) or not _mounted_alone(held):
        return "other mounts are tied to its workspace", "fork the snapshot instead: aisbx fork NAME NEW --snapshot TAG"
    inside = f"/proc/{first}/root/proc"  # of its own PID namespace
    if any(name.isdigit() and name != "1" and _runs(f"{inside}/{name}") for name in posix.listdir(inside)):
        return BUSY, END_IT
    return "", ""


def _runs(process: str) -> bool:
    """Tell whether a process has not ended: one may still have to be waited for by who started it."""
    try:
        with open(f"{process}/stat", "rb", buffering=0) as stream:
            return stream.readall().rpartition(b")")[2].split()[0] not in {b"Z", b"X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


def _mounted_alone(held: "Held") -> bool:
    """Tell whether the workspace is no part of another mount of the caller's, which would hold it fast."""
    return all(source["within"] < 0 for source in held["plan"]["sources"] if source["target"] == _workspace(held))


def _workspace(held: "Held") -> str:
    workspace = held["plan"]["workspace"]
    if workspace is None:
        raise SwapError("the sandbox has no workspace")
    return workspace[0]


class Swap:
    """One exchange: made ready, and then carried out or not."""

    def __init__(self, held: "Held", lowers: "list[str]", layer: str) -> None:
        """Make the mount ready and the old one read-only; SwapError where that is refused, and all is as before.

        `lowers` are directories, the uppermost first, which the new layer `layer` is laid over; the workspace follows.
        """
        go, self._go = posix.pipe2(posix.O_CLOEXEC)
        self._told, tell = posix.pipe2(posix.O_CLOEXEC)
        child = posix.fork()
        if child == 0:
            try:
                posix.close(self._go)
                posix.close(self._told)
                for number in (0, 1, 2):  # its end may take a while: the kernel writes the old layer to the disk then
                    posix.dup2(tell, number)
                _exchange(held, lowers, layer, go, tell)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
                posix.write(tell, f"!{error}".encode(errors="replace")[:500])
            finally:
                leave(1)
        posix.close(go)
        posix.close(tell)
        try:
            self._hear(b"ready")
        except SwapError:
            self.close()
            raise

    def commit(self) -> None:
        """Carry it out; SwapError where it could not be."""
        try:
            posix.write(self._go, b"g")
            self._hear(b"done")
        finally:
            self.close()

    def close(self) -> None:
        """Let it go: without `commit`, all is as before. Nobody waits for the child, which may still be writing."""
        for descriptor in (self._go, self._told):
            if descriptor >= 0:
                posix.close(descriptor)
        self._go = self._told = -1

    def _hear(self, word: bytes) -> None:
        answer = posix.read(self._told, 512)
        if answer != word:
            text = answer.removeprefix(b"!").decode(errors="replace")
            raise SwapError(text or "what exchanges the layer was killed")


def _exchange(held: "Held", lowers: "list[str]", layer: str, go: int, tell: int) -> None:
    """Do it all, in a process that ends then."""
    workspace, first = _workspace(held), held["first"][0]
    process = open_process(held["first"])
    mounts = posix.open(f"/proc/{first}/ns/mnt", posix.O_RDONLY | posix.O_CLOEXEC)
    over = _lay(held, lowers, layer, mounts)
    mounted = workspace in mount_points(first)
    if syscalls.call("setns", mounts, syscalls.CLONE_NEWNS) != 0:
        raise SwapError("entering the sandbox's mounts was refused")
    posix.close(process)
    old = syscalls.open_unlinked(_ABSOLUTE, workspace)
    if mounted and not syscalls.make_read_only(old, on=True):
        raise SwapError(BUSY)
    detached = False
    try:
        posix.write(tell, b"ready")
        if posix.read(go, 1) != b"g":
            return
        if mounted:  # an exchange that was cut off may have come so far
            syscalls.detach(workspace)
        detached = True
    finally:
        if not detached:
            syscalls.make_read_only(old, on=False)
    under = syscalls.open_unlinked(_ABSOLUTE, workspace)
    syscalls.attach_tree_on(over, under)
    posix.write(tell, b"done")


def _lay(held: "Held", lowers: "list[str]", layer: str, mounts: int) -> int:
    """Give the new overlay mount, detached, made in a mount namespace that ends with this process."""
    from aisbx_linux.compose import copy_tree
    from aisbx_linux.layer.overlay import lay

    opened = [posix.open(path, _HANDLE) for path in lowers]
    # Whoever has a workspace that this one lies in may have put a link there since.
    opened += [syscalls.open_folder(_workspace(held)), posix.open(layer, _HANDLE)]
    owner, outside = held["plan"]["outside"], 0
    if posix.geteuid() != 0:
        import fcntl

        if syscalls.call("setns", fcntl.ioctl(mounts, _GET_USER_NAMESPACE), syscalls.CLONE_NEWUSER) != 0:
            raise SwapError("entering the sandbox's user namespace was refused")
        syscalls.unshare(syscalls.CLONE_NEWNS)
        trees = [copy_tree(descriptor) for descriptor in opened]
    else:
        trees = [syscalls.clone_tree(descriptor) for descriptor in opened]
        if owner is not None:
            from aisbx_linux.stage import identity

            outside = posix.stat(f"/proc/{held['first'][0]}").st_uid
            namespace = identity(owner[:2], outside)
            if not all(syscalls.idmap_tree(tree, namespace) for tree in trees):
                raise SwapError("this file system cannot show its files to another user (no idmapped mounts)")
        syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE, "")
    syscalls.mount("aisbx", STAGE, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=0711,size=1m")
    over = lay(trees[:-1], trees[-1], outside, volatile=False)
    for descriptor in (*opened, *trees):
        posix.close(descriptor)
    return over
