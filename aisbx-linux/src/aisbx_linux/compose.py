"""Put together, in a mount namespace of the launcher's own, mounts that lie in other mounts. Builtin modules only.

What lies in a workspace can be moved while a run is starting, by another run in the same workspace. The tool mounts by
path, and follows a link that was put there in between: it would show a directory of the host inside, leave what was to
be held writable, or make the missing end of that link on the host. So nothing is mounted below a mount of the caller's
by path: each place is opened without following links, and what is mounted there is attached to that descriptor.
"""

import posix

from aisbx_linux import syscalls
from aisbx_linux.sources import STAGE, private_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import LocalPlan

    Covered = list[tuple[int, str]]
    """(kind, absolute path) of what is to be covered in the workspace, in this order."""
    Nested = list[tuple[int, int, str, bool]]
    """Index of a source, index of the one it lies in, path below that, whether it is writable; outer ones first."""
    Over = tuple[int, int, bool, int]
    """Index of the workspace, index of the layer over it (behind the sources), whether that is volatile, and how many
    frozen layers, which follow it, lie in between."""
    Layout = tuple[list[int], Nested, str, str, list[str], Over | None]
    """The sources that are laid out at `STAGE`, what is put into them; the workspace, and where it is laid out; what
    each private file system is mounted with; the layer, if there is one."""

PINNED, HELD, HIDDEN = range(3)
"""How a place of the workspace is covered: by itself, by itself read-only, by the null device."""
_AT_FDCWD = -100
_DIRECTORY = 0o040000
_LINK = 0o120000
_FORMAT = 0o170000


def layout(plan: "LocalPlan", layer: "tuple[int, bool, list[str]] | None" = None) -> "Layout":
    """Say what has to be composed for a plan, and where its workspace is then, if it has one.

    `layer` is that over the workspace as `Guard.lay` gives it, None where it has none.
    """
    sources = plan["sources"]
    nested: Nested = []
    shown = set(range(len(sources)) if plan["outside"] is not None else ())
    for index, source in enumerate(sources):
        outer = source["within"]
        if outer >= 0:
            nested.append((index, outer, source["target"][len(sources[outer]["target"]) + 1 :], source["writable"]))
            shown.discard(index)
            if sources[outer]["within"] < 0:
                shown.add(outer)
    workspace = plan["workspace"][0] if plan["workspace"] is not None else ""
    place = ""
    over: Over | None = None
    if workspace:
        index = [source["target"] for source in sources].index(workspace)
        over = None if layer is None else (index, len(sources), layer[1], len(layer[2]))
        while sources[index]["within"] >= 0:
            index = sources[index]["within"]
        shown.add(index)
        place = f"{STAGE}/{index}" + workspace[len(sources[index]["target"]) :]
    return sorted(shown), nested, workspace, place, plan["private"], over


def stage_own(descriptors: "list[int]", plan: "Layout") -> None:
    """Compose an ordinary user's mounts from sources that were opened before `contain`; OSError as of `compose`."""
    if posix.geteuid() == 0:  # who gave up an own uid; with a user namespace the kernel does it
        syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE, "")
    wanted = {*plan[0], *(index for index, _, _, _ in plan[1]), *(_layers(plan[5]) if plan[5] else ())}
    trees = {index: copy_tree(descriptors[index]) for index in wanted}
    compose(trees, plan)


def copy_tree(descriptor: int) -> int:
    """Give a detached copy of the mount tree at a descriptor that was opened in an older mount namespace."""
    path = posix.readlink(f"/proc/self/fd/{descriptor}")
    opened = syscalls.open_unlinked(_AT_FDCWD, path)
    try:
        found, wanted = posix.fstat(opened), posix.fstat(descriptor)
        if (found.st_dev, found.st_ino) != (wanted.st_dev, wanted.st_ino):
            msg = f"{path} was replaced while the run was starting"
            raise OSError(msg)
        return syscalls.clone_tree(opened)
    finally:
        posix.close(opened)


def compose(trees: "dict[int, int]", plan: "Layout", outside: int = 0) -> None:
    """Lay out detached trees (index → descriptor) at `STAGE` and in each other, and private file systems beside them.

    Those belong to who mounts them, or to the uid and gid `outside`. The trees are closed then. For a mount namespace
    that nobody else is in. OSError where the kernel refuses, or a place is gone or a link.
    """
    shown, nested, _, _, private, over = plan
    owner = f",uid={outside},gid={outside}" if outside else ""
    opened = set(trees.values())
    syscalls.mount("aisbx", STAGE, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=0711,size=1m")
    for index, options in enumerate(private):
        place = private_place(index)
        posix.mkdir(place, 0o700)
        syscalls.mount("tmpfs", place, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, options + owner)
    if over is not None:
        from aisbx_linux.layer.overlay import lay

        lowers = [trees[index] for index in (*_layers(over)[2:], over[0])]
        trees[over[0]] = lay(lowers, trees[over[1]], outside, volatile=over[2])
        opened.add(trees[over[0]])
    roots: dict[int, int] = {}
    for index in shown:
        place = f"{STAGE}/{index}"
        if posix.fstat(trees[index]).st_mode & _FORMAT == _DIRECTORY:
            posix.mkdir(place, 0o700)
        else:
            posix.close(posix.open(place, posix.O_CREAT | posix.O_WRONLY | posix.O_CLOEXEC, 0o600))
        syscalls.attach_tree(trees[index], place)
        roots[index] = trees[index]
    for index, outer, below, writable in nested:
        if not writable:
            syscalls.protect_tree(trees[index])
        _attach(trees[index], roots[outer], below)
        roots[index] = trees[index]
    for tree in opened:
        posix.close(tree)


def _layers(over: "Over") -> list[int]:
    """Give the indices of workspace, layer, and the frozen layers in between, the uppermost first."""
    workspace, layer, _, frozen = over
    return [workspace, *range(layer, layer + frozen + 1)]


def strike() -> None:
    """Take the stage down in this process's mount namespace, once the tool has a copy of it in its own."""
    syscalls.detach(STAGE)


def cover(plan: "Layout", covered: "Covered") -> None:
    """Cover places of the workspace where it is laid out; OSError where one is gone, or has become a link."""
    workspace, laid = plan[2:4]
    for kind, path in covered:
        place = syscalls.open_unlinked(_AT_FDCWD, laid + path[len(workspace) :])
        shown = posix.open("/dev/null", posix.O_PATH | posix.O_CLOEXEC) if kind == HIDDEN else place
        tree = -1
        try:
            if posix.fstat(place).st_mode & _FORMAT == _LINK:
                msg = f"{path} became a link while the run was starting"
                raise OSError(msg)
            tree = syscalls.clone_tree(shown)
            if kind != PINNED:
                syscalls.protect_tree(tree)
            syscalls.attach_tree_on(tree, place)
        finally:
            for descriptor in {place, shown, tree} - {-1}:
                posix.close(descriptor)


def _attach(tree: int, root: int, below: str) -> None:
    place = syscalls.open_unlinked(root, below)
    try:
        syscalls.attach_tree_on(tree, place)
    finally:
        posix.close(place)
