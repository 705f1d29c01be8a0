"""Find what is protected in a workspace before a run; quick where nothing has changed since the last one.

On the way to every run, so it imports builtin modules only. The directories of a workspace are remembered with device,
inode and ctime: a directory in which an entry was added, removed or replaced has another ctime, which nobody but the
kernel sets. An unchanged tree is thus known again by one lstat a directory, without reading any.
"""

import marshal
import posix
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    Item = tuple[int, str, int, int, str]
    Stamp = tuple[int, int, int, int, int]

# Raise it whenever the table, the kinds or the layout change: older caches are then not used. The compiled front reads
# all but the last part of a cache (aisbx-linux/native/look.c).
FORMAT = 9
MAGIC = int.from_bytes(b"aisbxsee", "little")
HEAD = 16
"""Numbers at the beginning of a cache, see `remember.packed`."""
CONTEXT, ODD = 0xFF, 0x100
"""The fourth number of a directory: its context, and whether some of its items are neither `files` nor directories."""
# A directory can change twice within one tick of its clock, which is two seconds on the coarsest file systems: one
# that changed so shortly before it was read is read again next time.
RACY = 2_000_000_000

_MAX_CACHE = 256 << 20
_PLACE = posix.O_PATH | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
_S_IFMT, _S_IFLNK, _PRIVATE = 0o170000, 0o120000, 0o100600  # the last: a regular file that only we may open


class State:
    """What was found in a workspace. All paths are absolute and undecodable bytes in them are surrogate escapes.

    `mounts` exist, are no links and none lies in another: bind them read-only over themselves, after binding `pins`
    writable over themselves, which keeps anything else from taking their place. `sockets` are to be covered.
    `links` (path → target) are protected names that are links, and can't be held by a mount. `unchecked` are
    directories that could not be read, or are too deep to be.
    """

    __slots__ = (
        "before",
        "cache",
        "configs",
        "dirs",
        "files",
        "held",
        "hold",
        "items",
        "links",
        "mounts",
        "others",
        "packed",
        "pins",
        "plain",
        "repositories",
        "sockets",
        "twins",
        "unchecked",
        "workspace",
    )

    FOUND = (
        *("items", "files", "others", "configs", "repositories", "twins"),
        *("mounts", "pins", "links", "sockets", "unchecked", "held"),
    )
    """What tells one state of a workspace's protected files from another."""

    def __init__(self, workspace: str, cache: "str | None") -> None:
        self.workspace = workspace
        self.hold = -1
        """The workspace as `settle` has it open, so that nothing can take its place."""
        self.before = time.time_ns() - RACY
        self.cache = cache
        self.packed: tuple[list[bytes], list[int]] | None = None
        self.mounts: list[str] = []
        self.pins: list[str] = []
        self.links: dict[str, str] = {}
        self.sockets: list[str] = []
        self.unchecked: list[str] = []
        self.held: dict[tuple[int, int], str] = {}
        self.plain = False
        """Whether no link and no configuration names a place of the workspace that is not held: then nothing of
        what was found can change without another one of its names in the directory where that stands."""
        self.clear()

    def clear(self) -> None:
        """Forget everything that was read."""
        self.dirs: dict[str, tuple[int, int, int, int]] = {}
        self.items: dict[str, tuple[Item, ...]] = {}
        self.files: dict[str, Stamp | None] = {}
        self.others: dict[str, Stamp | None] = {}
        self.configs: dict[str, bytes | None] = {}
        self.repositories: dict[str, int] = {}
        self.twins: dict[str, bytes | None] = {}

    def forget(self, path: str) -> None:
        """Forget what was found in a directory."""
        for item in self.items.pop(path, ()):
            self.files.pop(path + "/" + item[1], None)
            self.configs.pop(path + "/" + item[1], None)
            self.twins.pop(path + "/" + item[1], None)
        self.repositories.pop(path, None)

    def open(self, flags: int) -> int:
        """Open the workspace; OSError where that can't be."""
        if self.hold >= 0:
            return posix.open(f"/proc/self/fd/{self.hold}", flags & ~posix.O_NOFOLLOW)
        return posix.open(self.workspace, flags)

    def stamp(self, path: str) -> "Stamp | None":
        """Give what tells whether a file is still the same one with the same content; None if there is none."""
        try:
            status = posix.lstat(path)
            if status.st_mode & _S_IFMT == _S_IFLNK and not path.startswith(self.workspace + "/"):
                status = posix.stat(path)  # the user's own file may be a link into their dotfiles
        except OSError:
            return None
        return status.st_dev, status.st_ino, status.st_ctime_ns, status.st_size, status.st_mode

    def age(self, ctime: int) -> int:
        """Give a ctime (ns), or 0, which no file has, if it is too new to tell two changes apart."""
        return ctime if ctime < self.before else 0

    def unpack(self) -> None:
        """Turn the cache's arrays into `dirs`."""
        if self.packed is not None:
            names, numbers = self.packed
            self.packed = None
            beneath = self.workspace + "/"
            paths = [self.workspace if name == b"." else beneath + _decoded(name) for name in names]
            contexts = [number & CONTEXT for number in numbers[3::4]]
            self.dirs = dict(
                zip(paths, zip(numbers[0::4], numbers[1::4], numbers[2::4], contexts, strict=True), strict=True)
            )

    def pack(self) -> "tuple[list[bytes], list[int]]":
        """Give the directories' names below the workspace ("." is itself), and four numbers for each."""
        if self.packed is not None:
            return self.packed
        cut = len(self.workspace) + 1
        names = [encoded(path[cut:]) or b"." for path in self.dirs]
        return names, [number for stamp in self.dirs.values() for number in stamp]


def scan(workspace: str, cache: "str | None" = None) -> State:
    """Find every protected path of `workspace` (absolute, no links in it).

    `cache` is a file in a private directory of ours, made here; None reads everything. Raises OSError if the
    workspace can't be read.
    """
    state = recall(workspace, cache) if cache else None
    if state is None:
        from aisbx_linux.protect.derive import derive
        from aisbx_linux.protect.walk import Walk

        state = State(workspace, cache)
        Walk(state).everything()
        derive(state)
    else:
        stale = compare(state)
        if stale is None:
            return state
        from aisbx_linux.protect.derive import renew

        renew(state, stale)
    if cache:
        from aisbx_linux.protect.remember import store

        store(state)
    return state


def compare(state: State) -> "tuple[list[str], list[str]] | None":
    """Give directories whose entries may have changed and those that are gone or others now; None: all is as it was."""
    touched: list[str] = []
    replaced: list[str] = []
    names, numbers = state.pack()
    lstat = posix.lstat
    beneath = state.workspace + "/"
    try:
        root = posix.open(state.workspace, _PLACE)
    except OSError:
        return touched, [state.workspace]
    try:
        # Short names, and bytes: most of the time that this takes is the kernel's, for each component of a path.
        for name, device, inode, ctime in zip(names, numbers[0::4], numbers[1::4], numbers[2::4], strict=True):
            try:
                status = lstat(name, dir_fd=root)
            except OSError:
                changed = replaced
            else:
                if status.st_ctime_ns == ctime and status.st_ino == inode and status.st_dev == device:
                    continue
                changed = touched if status.st_ino == inode and status.st_dev == device else replaced
            changed.append(state.workspace if name == b"." else beneath + _decoded(name))
    finally:
        posix.close(root)
    # Reading its directory again reads a file again.
    touched += [path[: path.rfind("/")] for path, known in state.files.items() if state.stamp(path) != known]
    same = all(state.stamp(path) == known for path, known in state.others.items())
    return None if same and not touched and not replaced else (touched, replaced)


def recall(workspace: str, cache: str) -> "State | None":
    """Give what the last scan found, yet to be compared; None if there is no cache that can be trusted."""
    data = _read_private(cache)
    return None if data is None else parse(data, workspace, cache)


def parse(data: bytes, workspace: str, cache: "str | None") -> "State | None":
    """Give the state that a cache's content (`remember.packed`) stands for; None if it is torn or of another place."""
    try:
        view = memoryview(data)
        head = view[: 8 * HEAD].cast("Q").tolist()
        count, stamps, flat = head[3], head[5] + head[6], head[14]
        place = 8 * (HEAD + 4 * count + 6 * stamps)
        names = place + head[2] + 1
        if head[:2] != [MAGIC, FORMAT] or head[15] != len(data) or data[place : names - 1] != encoded(workspace):
            return None
        state = State(workspace, cache)
        numbers = view[8 * HEAD : 8 * (HEAD + 4 * count)].cast("Q").tolist()
        state.packed = data[names : names + head[4]].split(b"\0"), numbers
        rest = marshal.loads(view[flat:])  # noqa: S302  (ours, see above)
        types = (dict, dict, dict, dict, dict, dict, list, list, dict, list, list, dict)
        if len(numbers) != 4 * len(state.packed[0]) or tuple(map(type, rest)) != types:
            return None
        state.items, state.files, state.others, state.configs, state.repositories, state.twins = rest[:6]
        state.mounts, state.pins, state.links, state.sockets, state.unchecked, state.held = rest[6:]
        state.plain = bool(head[13])
    except (EOFError, TypeError, ValueError, AttributeError, IndexError):
        return None
    return state


def _read_private(cache: str) -> bytes | None:
    try:
        fd = posix.open(cache, posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_CLOEXEC | posix.O_NONBLOCK)
    except OSError:
        return None
    try:
        status = posix.fstat(fd)
        # Nobody else can have written it.
        if status.st_mode != _PRIVATE or status.st_uid != posix.geteuid() or not 0 < status.st_size < _MAX_CACHE:
            return None
        return posix.read(fd, status.st_size)
    except OSError:
        return None
    finally:
        posix.close(fd)


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def encoded(path: str) -> bytes:
    """Give a path as the system has it."""
    return path.encode("utf-8", "surrogateescape")
