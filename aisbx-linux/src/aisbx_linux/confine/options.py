"""Read the tool's options: bubblewrap's, as far as plans use them. Builtin modules only."""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Step = tuple[str, list[str], str, str]
    """(option without its dashes, its words, `--perms`, `--size`) of what is done to the new root, in this order."""

NEWUSER, NEWPID, NEWNS, NEWNET = 0x10000000, 0x20000000, 0x00020000, 0x40000000
_UNSHARED = {
    "--unshare-user": NEWUSER,
    "--unshare-ipc": 0x08000000,
    "--unshare-pid": NEWPID,
    "--unshare-uts": 0x04000000,
    "--unshare-cgroup": 0x02000000,
    "--unshare-net": NEWNET,
}
"""Options → flags of clone(2)."""
_STEPS = {
    "--ro-bind": 2,
    "--bind": 2,
    "--ro-bind-fd": 2,
    "--bind-fd": 2,
    "--symlink": 2,
    "--file": 2,
    "--proc": 1,
    "--dev": 1,
    "--tmpfs": 1,
    "--dir": 1,
    "--remount-ro": 1,
}
"""Options that are steps → how many words follow them."""
_VALUES = ("--uid", "--gid", "--hostname", "--chdir", "--json-status-fd", "--seccomp", "--become", "--chroot")


class Options:
    """What the tool is to do."""

    __slots__ = ("as_first", "command", "die", "environment", "flags", "steps", "values")

    def __init__(self) -> None:
        """Nothing was asked for yet."""
        self.flags = NEWNS
        self.die = False
        self.as_first = False
        """The command itself is to be the first process."""
        self.environment: dict[str, str] = {}
        self.values: dict[str, str] = {}
        self.steps: list[Step] = []
        self.command: list[str] = []

    @property
    def plain(self) -> bool:
        """Whether chroot(2) is all there is, and no namespace is made."""
        return "--chroot" in self.values

    @property
    def owner(self) -> "tuple[int, int] | None":
        """Who the command is, uid and gid, where no user namespace says so; this process is root then."""
        uid, colon, gid = self.values.get("--become", "").partition(":")
        return (int(uid), int(gid)) if colon else None


def asked(words: "list[str]") -> Options:
    """Give what these words ask for; ValueError as of `read`, and where who was to tell all has ended in the midst."""
    found = read(words)
    if not found.command:
        msg = "no command was given"
        raise ValueError(msg)
    return found


def read(words: "list[str]") -> Options:
    """Give what these words ask for; ValueError for one that is not known, or has too little behind it."""
    found = Options()
    perms = size = ""
    rest = iter(words)
    for word in rest:
        if word == "--":
            found.command = list(rest)
        elif word == "--args":
            return _merged(found, read([*_given(int(_next(rest, word))), *rest]))
        elif word in _STEPS:
            found.steps.append((word[2:], [_next(rest, word) for _ in range(_STEPS[word])], perms, size))
            perms = size = ""
        elif word == "--perms":
            perms = _next(rest, word)
        elif word == "--size":
            size = _next(rest, word)
        else:
            _set(found, word, rest)
    return found


def _set(found: Options, word: str, rest: "Iterator[str]") -> None:
    if word in _UNSHARED:
        found.flags |= _UNSHARED[word]
    elif word == "--unshare-all":
        for flag in _UNSHARED.values():
            found.flags |= flag
    elif word in _VALUES:
        found.values[word] = _next(rest, word)
    elif word == "--setenv":
        name = _next(rest, word)
        found.environment[name] = _next(rest, word)
    elif word == "--die-with-parent":
        found.die = True
    elif word == "--as-pid-1":
        found.as_first = True
    elif word != "--clearenv":  # it is given nothing else
        msg = f"{word} is no option of this tool"
        raise ValueError(msg)


def _merged(first: Options, then: Options) -> Options:
    then.flags |= first.flags
    then.die |= first.die
    then.as_first |= first.as_first
    then.steps = [*first.steps, *then.steps]
    then.values = {**first.values, **then.values}
    then.environment = {**first.environment, **then.environment}
    return then


def _next(words: "Iterator[str]", option: str) -> str:
    word = next(words, None)
    if word is None:
        msg = f"{option} needs another word"
        raise ValueError(msg)
    return word


def _given(descriptor: int) -> "list[str]":
    """Read options from a pipe to its end."""
    return read_all(descriptor).decode(errors="surrogateescape").split("\0")[:-1]


def read_all(descriptor: int) -> bytes:
    """Read a descriptor to its end and close it."""
    found = b""
    while data := posix.read(descriptor, 1 << 16):
        found += data
    posix.close(descriptor)
    return found
