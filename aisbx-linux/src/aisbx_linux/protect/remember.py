"""Remember what was found in a workspace (`scan.State`) for the next run, in a file that the compiled front reads too.

Only imported where something has changed. Builtin modules only.
"""

import marshal
import posix

from aisbx_linux.protect.look import PACKAGES
from aisbx_linux.protect.names import NAMES, SHAPE, SUFFIXES
from aisbx_linux.protect.scan import FORMAT, HEAD, MAGIC, ODD, State, encoded

_TABLE = "\0".join(sorted({*NAMES, *SHAPE, ".git", "git-rebase-todo", *("*" + suffix for suffix in SUFFIXES)}))


def store(state: State) -> None:
    """Remember a state; a cache that can't be written is only slower."""
    cache = state.cache
    if cache is None:
        return
    data = packed(state)
    temporary = f"{cache}.{posix.getpid()}"
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC
    try:
        fd = posix.open(temporary, flags, 0o600)
        try:
            posix.fchmod(fd, 0o600)  # whatever the umask
            view = memoryview(data)
            while view:
                view = view[posix.write(fd, view) :]
        finally:
            posix.close(fd)
        posix.rename(temporary, cache)
    except OSError:
        try:  # noqa: SIM105  (contextlib costs more than all of this)
            posix.unlink(temporary)
        except OSError:
            pass


def packed(state: State) -> bytes:
    """Give a state as the content of a cache.

    Numbers of 8 bytes in the machine's order: HEAD of them (what this is, FORMAT, bytes of the workspace's path; how
    many directories, bytes of their names; how many `files` and `others`, bytes of their paths; how many `pins`,
    `mounts` and `sockets`, bytes of their paths; bytes of the table, 1 for a `plain` state; where the last part begins,
    bytes of all); four for each directory (see `State.dirs`; the context with ODD); six for each of `files` and
    `others` (1, or 0 where there was none, and its `Stamp`). Then the five texts, each list with a NUL between two,
    and a NUL behind each text: the last is the table, in order, of names that mean something somewhere, `*` before
    those that are endings. Last, for Python, the rest.
    """
    state.unpack()
    names, numbers = state.pack()
    for at, path in enumerate(state.dirs):
        numbers[4 * at + 3] |= ODD * _odd(state, path)
    for stamp in (*state.files.values(), *state.others.values()):
        numbers += (0,) * 6 if stamp is None else (1, *stamp)
    texts = [encoded(state.workspace), b"\0".join(names)]
    texts += [encoded("\0".join((*state.files, *state.others)))]
    texts += [encoded("\0".join((*state.pins, *state.mounts, *state.sockets))), encoded(_TABLE)]
    rest = (
        *(state.items, state.files, state.others, state.configs, state.repositories, state.twins),
        *(state.mounts, state.pins, state.links, state.sockets, state.unchecked, state.held),
    )
    last = marshal.dumps(rest)
    flat = 8 * (HEAD + len(numbers)) + sum(map(len, texts)) + len(texts)
    sizes = [len(text) for text in texts]
    head = [MAGIC, FORMAT, sizes[0], len(names), sizes[1], len(state.files), len(state.others), sizes[2]]
    head += [len(state.pins), len(state.mounts), len(state.sockets), sizes[3], sizes[4], state.plain]
    head += [flat, flat + len(last)]
    words = bytearray(8 * (HEAD + len(numbers)))
    view = memoryview(words).cast("Q")
    for at, number in enumerate(head + numbers):
        view[at] = number
    return b"".join((words, b"\0".join(texts), b"\0", last))


def _odd(state: State, path: str) -> bool:
    """Tell whether there is an item in a directory that comparing `files` and directories does not see go.

    What only looks like a repository is one no more where a plain file of it goes.
    """
    if path in state.repositories and state.dirs[path][3] <= PACKAGES:
        return True
    beneath = [f"{path}/{item[1]}" for item in state.items.get(path, ())]
    return not all(below in state.dirs or state.files.get(below) for below in beneath)
