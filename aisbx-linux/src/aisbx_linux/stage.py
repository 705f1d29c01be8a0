"""Run by root: show the sources to an unprivileged uid in a private mount namespace, and become that uid.

The inside must never be the host's uid 0: as root-outside it could open files of /proc/sys and everything that
root owns. So every mount that the caller named is attached with an identity map (mount_setattr(2),
MOUNT_ATTR_IDMAP) that shows the owner's files as the sandbox user's, while on disk they stay the owner's.
On the hot path: builtin modules only.
"""

import posix

from aisbx_linux import syscalls
from aisbx_linux.compose import compose
from aisbx_linux.processes import put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.compose import Layout


def identity(on_disk: tuple[int, int], outside: int) -> int:
    """Give a descriptor of a user namespace that maps the owner (uid, gid) on disk to the uid and gid `outside`.

    OSError where the kernel refuses.
    """
    nobody = syscalls.start_nobody()
    try:
        for name, owner in (("uid_map", on_disk[0]), ("gid_map", on_disk[1])):
            put(f"/proc/{nobody}/{name}", f"{owner} {outside} 1")
        return posix.open(f"/proc/{nobody}/ns/user", posix.O_RDONLY | posix.O_CLOEXEC)
    finally:
        posix.waitpid(nobody, syscalls.WALL)


class Stage:
    """What root does around starting the tool; for a process that starts one tool and ends."""

    def __init__(
        self, sources: "list[tuple[int, bool, bool]]", plan: "Layout", on_disk: tuple[int, int], outside: int
    ) -> None:
        """Lay the sources out at `STAGE` as the plan says, in a mount namespace of this process from now on.

        `sources` has, for each mount, its open descriptor, whether it is to be mapped from the owner (uid, gid)
        `on_disk` to `outside`, and whether it is useless unmapped (the workspace). OSError where the kernel or a file
        system refuses.
        """
        self._outside = outside
        namespace = identity(on_disk, outside)
        try:
            # Copied while the descriptors' mounts are still those of this namespace; the copies belong to none.
            trees = [syscalls.clone_tree(descriptor) for descriptor, _, _ in sources]
            syscalls.unshare(syscalls.CLONE_NEWNS)
            syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE, "")
            for tree, (_, mapped, needed) in zip(trees, sources, strict=True):
                if mapped and not syscalls.idmap_tree(tree, namespace) and needed:
                    msg = "this file system cannot show its files to another user (no idmapped mounts)"
                    raise OSError(msg)
            compose(dict(enumerate(trees)), plan, outside)
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
    try:
        namespace = identity((status.st_uid, status.st_gid), outside)
        tree = syscalls.clone_tree(descriptor)
        return syscalls.idmap_tree(tree, namespace)
    except OSError:
        return False
    finally:
        for opened in (descriptor, namespace, tree):
            if opened >= 0:
                posix.close(opened)
