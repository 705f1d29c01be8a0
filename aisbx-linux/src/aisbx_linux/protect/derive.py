"""From what was found in a workspace to what has to be held: mounts, and what links and configurations name."""

import posix

from aisbx_linux.protect.folding import folded
from aisbx_linux.protect.gitconfig import parse
from aisbx_linux.protect.keys import allowed
from aisbx_linux.protect.look import (
    DEEP,
    GITFILE,
    HOOKS,
    LINK,
    NAMED,
    PACKAGES,
    REDIRECT,
    REPOSITORY,
    SHUT,
    SOCKET,
    read_small,
)
from aisbx_linux.protect.names import AT_HOME
from aisbx_linux.protect.walk import Walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.protect.scan import Stamp, State

_S_IFMT, _S_IFLNK, _S_IFDIR, _S_IFREG = 0o170000, 0o120000, 0o040000, 0o100000
_MAX_LINKS = 40  # as the kernel
_MAX_INCLUDES = 10  # as git


def renew(state: "State", stale: "tuple[list[str], list[str]]", heal: "list[str] | None" = None) -> None:
    """Bring a state up to date after `compare` named directories; `heal` as for `Walk`."""
    state.unpack()
    Walk(state, heal).changes(*stale)
    derive(state, heal)


def derive(state: "State", heal: "list[str] | None" = None) -> None:
    """Fill `mounts`, `pins`, `links`, `sockets`, `unchecked` and `held` from the items and configurations."""
    _pointed_at(state, heal)
    held: dict[tuple[int, int], str] = {}
    state.links, state.pins, state.sockets, state.unchecked = {}, [], [], []
    for directory, items in state.items.items():
        for kind, name, device, inode, text in items:
            path = directory + "/" + name
            if kind in (NAMED, HOOKS, GITFILE, REDIRECT):
                held[device, inode] = path
            elif kind == LINK:
                state.links[path] = text
                _hold(state, held, path)
            elif kind == REPOSITORY and directory == state.workspace:
                state.pins.append(path)
            elif kind == SOCKET:
                state.sockets.append(path)
            elif kind in (DEEP, SHUT):
                state.unchecked.append(path)
    named = _candidates(state)
    for path, always in named:
        if always or _is_file(path):
            _hold(state, held, path)
    state.plain = not state.links and all(_is_settled(state, held, *candidate) for candidate in named)
    state.held = held
    state.mounts = _outermost(held)


def _outermost(held: "dict[tuple[int, int], str]") -> list[str]:
    """Give the paths that lie in no other, parents first."""
    paths: list[str] = []
    for path in sorted(held.values(), key=lambda path: path.replace("/", "\0")):
        if not paths or not path.startswith(paths[-1] + "/"):
            paths.append(path)
    return paths


def _hold(state: "State", held: "dict[tuple[int, int], str]", path: str) -> None:
    found = resolve(path)
    if found and found[0].startswith(state.workspace + "/"):
        held[found[1].st_dev, found[1].st_ino] = found[0]


def _pointed_at(state: "State", heal: "list[str] | None") -> None:
    """Read what `gitdir:` files and commondir files name in the workspace, wherever it lies."""
    waiting = [(directory, item) for directory, items in state.items.items() for item in items]
    while waiting:
        directory, item = waiting.pop()
        path = pointer(directory, item)
        found = resolve(path) if path else None
        if found and found[0].startswith(state.workspace + "/") and found[0] not in state.repositories:
            known = set(state.items)
            Walk(state, heal).repository(found[0])
            waiting += [(below, new) for below in state.items.keys() - known for new in state.items[below]]


def pointer(directory: str, item: "tuple[int, str, int, int, str]") -> str:
    """Give the path that a `gitdir:` or commondir file points at; "" for another item or where it makes no sense."""
    kind, name, _, _, text = item
    if kind == GITFILE:
        if not text.startswith("gitdir: "):
            return ""
        text = text[len("gitdir: ") :]
    elif kind != REDIRECT or folded(name) != "commondir":
        return ""
    text = text.rstrip("\r\n")
    return join(directory, text) if text else ""


def join(base: str, path: str) -> str:
    """Give `path` as seen from the directory `base`."""
    return path if path.startswith("/") else base + "/" + path


def resolve(path: str) -> "tuple[str, posix.stat_result] | None":
    """Give the real path of an absolute path and what is there; None if nothing is."""
    done = ""
    todo = path.split("/")[::-1]
    links = 0
    try:
        status = posix.lstat("/")
        while todo:
            name = todo.pop()
            if name in ("", "."):
                continue
            if name == "..":
                done = done[: done.rfind("/")] if done else ""
                status = posix.lstat(done or "/")
                continue
            status = posix.lstat(done + "/" + name)
            if status.st_mode & _S_IFMT != _S_IFLNK:
                done += "/" + name
                continue
            links += 1
            if links > _MAX_LINKS:
                return None
            target = posix.readlink(done + "/" + name)
            if target.startswith("/"):
                done = ""
            todo += target.split("/")[::-1]
    except (OSError, ValueError):
        return None
    return done, status


def named(state: "State") -> "list[tuple[str, bool]]":
    """Give the paths that configurations, the workspace's and the user's, name for git to run or to read.

    True: git uses what is there, whenever it appears. False: a file that is there, and that a command mentions.
    """
    return [(path, always) for path, always in _candidates(state) if always or _is_file(path)]


def _candidates(state: "State") -> "list[tuple[str, bool]]":
    """Give the same, and files that a command may mention and that are not there."""
    state.others = {}
    bases = [path for path, context in state.repositories.items() if context <= PACKAGES]
    bases += [path for path, items in state.items.items() if any(folded(item[1]) == ".git" for item in items)]
    paths: list[tuple[str, bool]] = []
    for path, data in state.configs.items():
        _names(state, path, data, bases, paths, 0)
    paths += [(path, True) for path in _linked_from_home(state)]
    for path in _users():
        _names(state, path, _read_outside(state, path), bases, paths, 0)
    return paths


def _names(
    state: "State", file: str, data: "bytes | None", bases: "list[str]", paths: "list[tuple[str, bool]]", depth: int
) -> None:
    for name, value in parse(data) or () if data else ():
        if not value:
            continue
        if name == "core.hookspath":
            paths += [(join(base, expand(value)), True) for base in bases]
        elif name == "include.path" or (name.startswith("includeif.") and name.endswith(".path")):
            included = join(file[: file.rfind("/")], expand(value))
            paths.append((included, True))
            if depth < _MAX_INCLUDES and included not in state.others:
                _names(state, included, _read_outside(state, included), bases, paths, depth + 1)
        elif not allowed(name, value):
            # A filter, an alias or a helper that is a file of the workspace: `clean = ./tools/clean.sh %f`.
            for word in value.replace("!", " ").replace('"', " ").replace("'", " ").split():
                if "/" in word:
                    paths += [(join(base, expand(word)), False) for base in bases]


def _is_settled(state: "State", held: "dict[tuple[int, int], str]", path: str, always: bool) -> bool:  # noqa: FBT001
    """Tell whether a path that a configuration names leads where it leads, whatever appears in known directories."""
    found = resolve(path)
    if found is None:
        # It takes a directory first, which is not known. What is only mentioned is not looked at through a new link.
        return not always and resolve(path[: path.rfind("/")]) is None
    inside = path.startswith(state.workspace + "/")
    return found[0] == path and (not inside or (found[1].st_dev, found[1].st_ino) in held)


def _is_file(path: str) -> bool:
    found = resolve(path)
    return found is not None and found[1].st_mode & _S_IFMT == _S_IFREG


def _read_outside(state: "State", path: str) -> "bytes | None":
    """Read the user's own configuration, or a file that one includes; remember how it was."""
    state.others[path] = _stamp(state, path)
    found = resolve(path)
    if found is None or found[1].st_mode & _S_IFMT != _S_IFREG:
        return None
    directory, _, name = found[0].rpartition("/")
    try:
        fd = posix.open(directory or "/", posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
    except OSError:
        return None
    try:
        return read_small(name, fd)
    finally:
        posix.close(fd)


def _linked_from_home(state: "State") -> list[str]:
    """Give the links in the user's home that lead into the workspace: people keep their shell's files in one."""
    home = _decoded(posix.environ.get(b"HOME", b""))
    paths: list[str] = []
    if not home.startswith("/"):
        return paths
    there = _names_in(home)
    for place, names in AT_HOME.items():
        within = home
        below = there
        linked = False
        if place:
            if there is not None and place.partition("/")[0] not in there:
                continue
            within = f"{home}/{place}"
            linked = _is_link(within)  # `~/.config` may be a link itself
            if linked:
                state.others[within] = _stamp(state, within)
            below = _names_in(within)
        for name in names:
            path = f"{within}/{name}"
            if (below is None or name in below) and _is_link(path):
                state.others[path] = _stamp(state, path)
                paths.append(path)
            elif linked:
                paths.append(path)
    return paths


def _names_in(directory: str) -> "set[str] | None":
    """Give the names in a directory as the table has them; None where they can't be listed, but may be looked up."""
    try:
        return {folded(name) for name in posix.listdir(directory)}
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except OSError:
        return None


def _is_link(path: str) -> bool:
    try:
        posix.readlink(path)
    except OSError:
        return False
    return True


def _stamp(state: "State", path: str) -> "Stamp | None":
    stamp = state.stamp(path)
    return stamp and (*stamp[:2], state.age(stamp[2]), *stamp[3:])


def _users() -> "list[str]":
    """Give the places of the user's and the system's configuration (git-config(1), FILES)."""
    environment = posix.environ
    home = _decoded(environment.get(b"HOME", b""))
    special = _decoded(environment.get(b"GIT_CONFIG_GLOBAL", b""))
    xdg = _decoded(environment.get(b"XDG_CONFIG_HOME", b"")) or home + "/.config"
    places = [special] if special else [home + "/.gitconfig", xdg + "/git/config"]
    return [path for path in (*places, "/etc/gitconfig") if path.startswith("/")]


def expand(path: str) -> str:
    """Replace a leading `~/`, and turn the parser's Latin-1 characters into the file system's."""
    path = path.encode("latin-1").decode("utf-8", "surrogateescape")
    return _decoded(posix.environ.get(b"HOME", b"")) + path[1:] if path.startswith("~/") else path


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
