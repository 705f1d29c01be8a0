"""What git itself writes where the host trusts it: what of that may leave a layer without being named.

As at the end of a run in a live workspace: a configuration whose new entries run nothing, and a pointer to a repository
of the same workspace, whose own hooks and configuration are looked at where they lie.
"""

import posix

from aisbx_linux.layer.marks import Place
from aisbx_linux.layer.union import listed
from aisbx_linux.protect.derive import join, pointer
from aisbx_linux.protect.folding import folded
from aisbx_linux.protect.keys import allowed
from aisbx_linux.protect.look import GITFILE, REDIRECT, TREE, read_small
from aisbx_linux.protect.reconcile import reconcile
from aisbx_linux.protect.walk import open_beneath

_FORMAT, _LINK = 0o170000, 0o120000


def harmless(upper: int, lower: int, place: str, name: str, roots: "tuple[tuple[int, ...], int, str]") -> bool:
    """Tell whether a protected file of a repository may be applied as it is in the layer.

    `upper` and `lower` are the open directories that it is in, `place` their path below the workspace; `roots` are the
    open layers, the uppermost first, the open workspace, and its path.
    """
    data = read_small(name, upper)
    if data is None:
        return False
    low = folded(name)
    if low in {"config", "config.worktree"}:
        before = read_small(name, lower) if lower >= 0 else None
        return reconcile(before, data, _may) is None
    text = data.decode("utf-8", "surrogateescape")
    directory = f"{roots[2]}/{place}".rstrip("/")
    if low == "gitdir":
        target = join(directory, text.strip()) if text.strip() else ""
    else:
        target = pointer(directory, (GITFILE if low == ".git" else REDIRECT, name, 0, 0, text))
    return bool(target) and _inside(target, roots, exact=low == "gitdir")


def _may(name: str, value: "str | None") -> bool:
    return name != "core.worktree" and allowed(name, value)


def _inside(target: str, roots: "tuple[tuple[int, ...], int, str]", *, exact: bool) -> bool:
    """Tell whether a path leads to a repository in the workspace, or (`exact`) to anything there, by no link."""
    parts: list[str] = []
    for part in target.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
    workspace = roots[2].strip("/").split("/")
    if parts[: len(workspace)] != workspace or len(parts) == len(workspace):
        return False
    below = parts[len(workspace) :]
    if any(
        _is_link(root, "/".join(below[: count + 1])) for root in (*roots[0], roots[1]) for count in range(len(below))
    ):
        return False
    return exact or _is_repository(below, roots)


def _is_repository(names: "list[str]", roots: "tuple[tuple[int, ...], int, str]") -> bool:
    """Tell whether the walk takes a directory for a repository, and so marks what in it is to be held back."""
    place = Place("", TREE)
    for name in (*names, ""):
        place.hears({*listed(roots[0], place.path), *_listed(roots[1], place.path)})
        if name:
            place = place.below(name, place.mark(name, directory=True, link=False))
    return place.repository


def _listed(root: int, path: str) -> "list[str]":
    try:
        opened = open_beneath(root, path)
    except OSError:
        return []
    try:
        return posix.listdir(opened)
    finally:
        posix.close(opened)


def _is_link(root: int, path: str) -> bool:
    """Tell whether there is a link at a path; its parents have been asked before."""
    try:
        return posix.lstat(path, dir_fd=root).st_mode & _FORMAT == _LINK
    except OSError:
        return False
