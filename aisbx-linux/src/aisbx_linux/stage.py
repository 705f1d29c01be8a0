"""Run by root: show the sources to an unprivileged uid in a private mount namespace, and become that uid.

The inside must never be the host's uid 0: as root-outside it could open files of /proc/sys and everything that
root owns. So every mount that the caller named is attached with an identity map (mount_setattr(2),
MOUNT_ATTR_IDMAP) that shows the owner's files as the sandbox user's, while on disk they stay the owner's.
On the hot path: builtin modules only.
"""

import posix

from aisbx_linux import syscalls
from aisbx_linux.compose import compose
from aisbx_linux.processes import leave, put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.compose import Layout


class Identity:
    """A user namespace that maps the owner (uid, gid) on disk to the uid and gid `outside`.

    A child holds it until it is opened. What that child takes to begin and to end costs nothing where there is
    something else to do between making this and `open`, and between that and `close`.
    """

    def __init__(self, on_disk: tuple[int, int], outside: int) -> None:
        """Start the child; OSError where there can be none."""
        self._maps = (("uid_map", on_disk[0]), ("gid_map", on_disk[1]))
        self._outside = outside
        self._ready, told = posix.pipe()
        hold, self._release = posix.pipe()
        self._child = posix.fork()
        if self._child == 0:
            try:
                posix.close(self._release)  # else this process would keep its own pipe open and never see the end
                syscalls.unshare(syscalls.CLONE_NEWUSER)
                posix.write(told, b"1")
                posix.read(hold, 1)
            finally:
                leave(0)
        posix.close(told)
        posix.close(hold)

    def open(self) -> int:
        """Give a descriptor of the namespace and let the child go; OSError where the kernel refuses."""
        try:
            if posix.read(self._ready, 1) != b"1":
                msg = "the kernel refuses to make a user namespace"
                raise OSError(msg)
            for name, owner in self._maps:
                put(f"/proc/{self._child}/{name}", f"{owner} {self._outside} 1")
            return posix.open(f"/proc/{self._child}/ns/user", posix.O_RDONLY | posix.O_CLOEXEC)
        finally:
            self._let_go()

    def close(self) -> None:
        """Reap the child."""
        if self._release >= 0:
            self._let_go()
        posix.waitpid(self._child, 0)

    def _let_go(self) -> None:
        posix.close(self._ready)
        posix.close(self._release)
        self._release = -1


class Stage:
    """What root does around starting the tool; for a process that starts one tool and ends."""

    def __init__(
        self, sources: "list[tuple[int, bool, bool]]", plan: "Layout", identity: Identity, outside: int
    ) -> None:
        """Lay the sources out at `STAGE` as the plan says, in a mount namespace of this process from now on.

        `sources` has, for each mount, its open descriptor, whether it is to be mapped to `outside`, and whether it is
        useless unmapped (the workspace). OSError where the kernel or a file system refuses.
        """
        self._outside = outside
        namespace = identity.open()
        try:
            # Copied while the descriptors' mounts are still those of this namespace; the copies belong to none.
            trees = [syscalls.clone_tree(descriptor) for descriptor, _, _ in sources]
            syscalls.unshare(syscalls.CLONE_NEWNS)
            syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE, "")
            for tree, (_, mapped, needed) in zip(trees, sources, strict=True):
                if mapped and not syscalls.idmap_tree(tree, namespace) and needed:
                    msg = "this file system cannot show its files to another user (no idmapped mounts)"
                    raise OSError(msg)
            compose(dict(enumerate(trees)), plan)
            for tree in trees:
                posix.close(tree)
        finally:
            posix.close(namespace)

    def __enter__(self) -> None:
        """Be ready for `posix_spawn(resetids=True)`: the child becomes `outside`, this process stays root.

        Only the real ids change here; what the child executes has `outside` in all of them, and no group more.
        """
        posix.setgroups([])
        posix.setresgid(self._outside, 0, 0)
        posix.setresuid(self._outside, 0, 0)

    def __exit__(self, *_: object) -> None:
        """Be root in every respect again."""
        posix.setresuid(0, 0, 0)
        posix.setresgid(0, 0, 0)


def can_map(path: str, outside: int) -> bool:
    """Tell whether root can show the files under `path` to another user (mount_setattr(2), idmapped mounts)."""
    status = posix.stat(path)
    descriptor = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    namespace = tree = -1
    identity = Identity((status.st_uid, status.st_gid), outside)
    try:
        namespace = identity.open()
        tree = syscalls.clone_tree(descriptor)
        return syscalls.idmap_tree(tree, namespace)
    except OSError:
        return False
    finally:
        identity.close()
        for opened in (descriptor, namespace, tree):
            if opened >= 0:
                posix.close(opened)
