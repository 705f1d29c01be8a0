"""Lay a layer over a workspace by an overlay mount (overlayfs). On the way to a run: builtin modules only.

Both are given as detached mounts, so nothing is looked up by a path that somebody could have changed. `userxattr` makes
the layer's marks the same for root and an ordinary user, and closes what a lower directory could say by marks of its
own: redirects and metadata-only copies (Documentation/filesystems/overlayfs.rst).
"""

import posix

from aisbx_linux import syscalls
from aisbx_linux.sources import STAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_PR_SET_SECUREBITS = 28
_NO_SETUID_FIXUP = 4
_LAYER, _OVER = (f"{STAGE}/{name}" for name in ("layer", "over"))


def lay(lowers: "Sequence[int]", layer: int, outside: int, *, volatile: bool) -> int:
    """Give the detached mount of trees, the uppermost first, with a layer over them; all stay open, and in use.

    `layer` has the directories `upper` and `work`; `outside` is the uid and gid that all are mapped to, 0 for none.
    `volatile`: the kernel need not write it to the disk when it ends. For a mount namespace that nobody else is in,
    with a file system at `STAGE`. OSError where the kernel refuses.
    """
    places = [f"{STAGE}/lower{index or ''}" for index in range(len(lowers))]
    for place, tree in zip((*places, _LAYER), (*lowers, layer), strict=True):
        posix.mkdir(place, 0o700)
        syscalls.attach_tree(tree, place)
    posix.mkdir(_OVER, 0o700)
    # index=off: the upper layer of a mount that is about to be replaced may be a lower one of the next.
    options = f"lowerdir={':'.join(places)},upperdir={_LAYER}/upper,workdir={_LAYER}/work,userxattr,index=off"
    _act_as(outside)
    try:
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
        syscalls.mount("overlay", _OVER, "overlay", flags, options + (",volatile" if volatile else ""))
    finally:
        _act_as(0)
    opened = posix.open(_OVER, posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
    try:
        return syscalls.clone_tree(opened)
    finally:
        posix.close(opened)


def _act_as(uid: int) -> None:
    """Make files as this uid from now on, with every capability as it is; does nothing for an ordinary user.

    The kernel writes to the layer as who mounted it, and through an identity map root is nobody.
    """
    if posix.geteuid() != 0:
        return
    if uid:
        _secure(_NO_SETUID_FIXUP)
    syscalls.call("setfsgid", uid)
    syscalls.call("setfsuid", uid)
    if not uid:
        _secure(0)


def _secure(bits: int) -> None:
    if syscalls.call("prctl", _PR_SET_SECUREBITS, bits, 0, 0, 0) != 0:
        msg = "keeping capabilities for the layer was refused"
        raise OSError(msg)


def possible(workspace: str, scratch: str, outside: int) -> bool:
    """Try it over a workspace, with a layer in `scratch`, a directory of ours; in a child of its own."""
    from aisbx_linux.processes import leave

    for name in ("", "upper", "work"):
        posix.mkdir(f"{scratch}/{name}".rstrip("/"), 0o700)
    child = posix.fork()
    if child == 0:
        code = 1
        try:
            _try(workspace, scratch, outside)
            code = 0
        finally:
            leave(code)
    done = posix.waitstatus_to_exitcode(posix.waitpid(child, 0)[1]) == 0
    from aisbx_linux.layer.remove import remove

    remove(scratch)
    return done


def _try(workspace: str, scratch: str, outside: int) -> None:
    from aisbx_linux.cradle import contain

    status = posix.stat(workspace)
    trees: list[int] = []
    if outside:
        from aisbx_linux.stage import identity

        for name in ("", "/upper", "/work"):
            posix.chown(scratch + name, status.st_uid, status.st_gid)
        namespace = identity((status.st_uid, status.st_gid), outside)
        trees = _trees(workspace, scratch)
        for tree in trees:
            if not syscalls.idmap_tree(tree, namespace):
                msg = "no idmapped mounts"
                raise OSError(msg)
    contain(pids=False, mounts=True)
    syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE, "")
    if not outside:
        trees = _trees(workspace, scratch)
    syscalls.mount("aisbx", STAGE, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=0711,size=1m")
    posix.close(lay(trees[:1], trees[1], outside, volatile=True))
    probe = posix.open(_OVER, posix.O_PATH | posix.O_CLOEXEC)
    if posix.fstatvfs(probe).f_flag & posix.ST_RDONLY:
        msg = "the layer cannot be written"  # the kernel mounts it read-only where it cannot work in it
        raise OSError(msg)


def _trees(*paths: str) -> list[int]:
    return [syscalls.clone_tree(posix.open(path, posix.O_PATH | posix.O_CLOEXEC)) for path in paths]
