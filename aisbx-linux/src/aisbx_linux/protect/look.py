"""Read one directory of a workspace and say what is protected in it, without ever following a link.

A directory is read in a *context*, which follows from where it lies; what is found in it is a tuple of *items*.
"""

import errno
import posix

from aisbx_linux.protect.folding import folded
from aisbx_linux.protect.names import DEPENDENCIES, NAMES, ONLY_BELOW, SHAPE, SUFFIXES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.protect.scan import Item, State

# Contexts: an ordinary directory, one below DEPENDENCIES, the inside of a protected one, a repository, what git writes
# in one, the repositories of submodules, the parts of linked worktrees.
TREE, PACKAGES, CLOSED, GITDIR, INNER, MODULES, WORKTREES, WORKTREE = range(8)

# Kinds of items: a name of the table, a protected name that is a link, a `gitdir:` file, git's hooks and configuration,
# its files that point elsewhere, a link inside a repository, a socket, a list of commits to rebase, a directory that is
# too deep to be read or can't be, a `.git` directory, a file in a protected directory that has a second hard link.
NAMED, LINK, GITFILE, HOOKS, CONFIG, REDIRECT, STRAY, SOCKET, TODO, DEEP, SHUT, REPOSITORY, TWIN = range(13)

# Larger than any real configuration; beyond it a file counts as unreadable.
MAX_FILE = 1 << 20

_SUFFIXES = tuple(SUFFIXES)
_BELOW = {name: tuple("/" + place for place in places) for name, places in ONLY_BELOW.items()}
_FILE = posix.O_RDONLY | posix.O_NONBLOCK | posix.O_NOFOLLOW | posix.O_CLOEXEC | posix.O_NOCTTY
_S_IFMT, _S_IFSOCK, _S_IFREG, _S_IXUSR = 0o170000, 0o140000, 0o100000, 0o100
INSIDE = {
    "hooks": CLOSED,
    "modules": MODULES,
    "worktrees": WORKTREES,
    "logs": INNER,
    "refs": INNER,
    "info": INNER,
    "rebase-merge": INNER,
    "rebase-apply": INNER,
    "rr-cache": INNER,
    "sequencer": INNER,
}
"""How directories of a repository are read, others as INNER. Its data (objects, lfs, annex) is not."""
_HELD = frozenset({NAMED, GITFILE, REDIRECT, TWIN})
_DATA = frozenset({"objects", "lfs", "annex"})


# One loop for everything: a call for each name would cost more than the reading.
def read(state: "State", fd: int, path: str, context: int) -> "list[tuple[str, int]]":  # noqa: C901, PLR0912
    """Read the directory that `fd` is into `state`; gives its subdirectories to go on with, and their contexts.

    PermissionError if its entries can be listed but not looked at.
    """
    # Before the names: what changes after this is seen by the next comparison.
    status = posix.fstat(fd)
    if not status.st_mode & _S_IXUSR and posix.geteuid():
        raise PermissionError(errno.EACCES, "not searchable")
    state.forget(path)
    state.dirs[path] = status.st_dev, status.st_ino, state.age(status.st_ctime_ns), context
    found: list[tuple[int, str]] = []
    links: list[str] = []
    subs: list[tuple[str, int]] = []
    shape: list[tuple[str, str, bool]] = []
    where = folded(path)
    named = context in (TREE, INNER, MODULES)
    inside = context >= GITDIR
    below = TREE if context == GITDIR else context
    with posix.scandir(fd) as entries:
        for entry in entries:
            name = entry.name
            low = name.lower() if name.isascii() else folded(name)  # a call of ours costs more than both
            directory = link = False
            if not entry.is_file(follow_symlinks=False):
                directory = entry.is_dir(follow_symlinks=False)
                if not directory:
                    link = entry.is_symlink()
                    if not link:
                        found.append((SOCKET, name))
                    else:
                        links.append(name)
            if low in SHAPE:
                shape.append((low, name, link))
            if low == ".git" and context != CLOSED:
                found.append((LINK if link else REPOSITORY if directory else GITFILE, name))
                if directory:
                    subs.append((name, GITDIR))
            elif (
                named
                and (low in NAMES or low.endswith(_SUFFIXES))
                and (low not in _BELOW or where.endswith(_BELOW[low]))
            ):
                found.append((LINK if link else NAMED, name))
                if directory:
                    subs.append((name, CLOSED))
            elif directory:
                subs.append((name, PACKAGES if context == TREE and low in DEPENDENCIES else below))
            elif context == INNER and low == "git-rebase-todo":
                found.append((TODO, name))
            elif context == CLOSED and not link:
                found.append((TWIN, name))
    if inside or (shape and context != CLOSED):
        subs = _repository(state, path, context, shape, subs, found)
    if inside or path in state.repositories:
        found += [(STRAY, name) for name in links]
    if found:
        state.items[path] = _identify(state, fd, path, found)
    return subs


def _repository(
    state: "State",
    path: str,
    context: int,
    shape: "list[tuple[str, str, bool]]",
    subs: "list[tuple[str, int]]",
    found: "list[tuple[int, str]]",
) -> "list[tuple[str, int]]":
    """Add what git trusts in a repository, or in what git would take for one (setup.c, is_git_directory)."""
    if context == WORKTREES:
        return [(name, WORKTREE) for name, _ in subs]
    have = {low for low, _, _ in shape}
    headed = "head" in have and ("commondir" in have or ("objects" in have and "refs" in have))
    if context == INNER or (context < INNER and context != GITDIR and not headed):
        return subs
    if context == MODULES and not headed and "config" not in have:
        return subs
    state.repositories[path] = context
    for low, name, link in shape:
        if low == "hooks":
            found.append((LINK if link else HOOKS, name))
        elif low in ("config", "config.worktree"):
            found.append((LINK if link else CONFIG, name))
        elif low == "commondir" or (low == "gitdir" and context == WORKTREE):
            found.append((LINK if link else REDIRECT, name))
    return _inside(context, subs)


def _inside(context: int, subs: "list[tuple[str, int]]") -> "list[tuple[str, int]]":
    """Give the directories of a repository that are read, and their contexts."""
    if context <= PACKAGES:  # bare, or made to look so: it stays a work tree as well
        return [(name, INSIDE.get(folded(name), inner) if inner == context else inner) for name, inner in subs]
    kept: list[tuple[str, int]] = []
    for name, inner in subs:
        low = folded(name)
        if inner in (GITDIR, CLOSED) or low in INSIDE:
            kept.append((name, INSIDE.get(low, inner)))
        elif low not in _DATA:
            # A submodule called `a/b` beside one called `a`; else what git keeps for itself (rr-cache, rebase-apply …).
            kept.append((name, MODULES if context == MODULES else INNER))
    return kept


def _identify(state: "State", fd: int, path: str, found: "list[tuple[int, str]]") -> "tuple[Item, ...]":
    """Turn what was found into items: (kind, name, device, inode, a link's target or a small file's text)."""
    items: list[Item] = []
    for kind, name in found:
        try:
            status = posix.lstat(name, dir_fd=fd)
            form = status.st_mode & _S_IFMT
            if (kind == SOCKET and form != _S_IFSOCK) or (kind == TWIN and (form != _S_IFREG or status.st_nlink == 1)):
                continue
            text = posix.readlink(name, dir_fd=fd) if kind in (LINK, STRAY) else ""
        except OSError:  # gone again
            continue
        if kind in (GITFILE, REDIRECT, TODO):
            text = (read_small(name, fd) or b"").decode("utf-8", "surrogateescape")
        if kind == CONFIG or (form == _S_IFREG and kind in _HELD):
            below = path + "/" + name
            age = state.age(status.st_ctime_ns)
            state.files[below] = status.st_dev, status.st_ino, age, status.st_size, status.st_mode
            if kind == CONFIG:
                state.configs[below] = read_small(name, fd)
            elif status.st_nlink > 1:  # a mount holds a name; through another one the content can change
                state.twins[below] = read_small(name, fd)
        items.append((kind, name, status.st_dev, status.st_ino, text))
    return tuple(items)


def read_small(name: str, fd: int) -> "bytes | None":
    """Give a regular file's content; None for anything else, above MAX_FILE bytes, and where it can't be read."""
    try:
        file = posix.open(name, _FILE, dir_fd=fd)
    except OSError:
        return None
    try:
        status = posix.fstat(file)
        if status.st_mode & _S_IFMT != _S_IFREG or status.st_size > MAX_FILE:
            return None
        data = b""
        while chunk := posix.read(file, MAX_FILE + 1 - len(data)):
            data += chunk
    except OSError:
        return None
    else:
        return data if len(data) <= MAX_FILE else None
    finally:
        posix.close(file)
