"""Which allowed calls are told of, and which of their arguments is a path."""

from collections.abc import Collection, Mapping, Sequence

from aisbx_linux.seccomp.table import GROUPS, expand

READ, WRITE, RUN, LOOK = "read", "write", "run", "look"
"""What a call does with a path: opens it, changes something, executes it, or only asks whether and what it is."""

_FLAGS = "flags"
_TABLE = """
open flags path:0 flags:1
openat flags at:0 path:1 flags:2
creat write path:0
execve run path:0
execveat run at:0 path:1
access look path:0
faccessat look at:0 path:1
faccessat2 look at:0 path:1
stat look path:0
lstat look path:0
newfstatat look at:0 path:1
statx look at:0 path:1
readlink look path:0
readlinkat look at:0 path:1
chdir look path:0
mkdir write path:0
mkdirat write at:0 path:1
mknod write path:0
mknodat write at:0 path:1
rmdir write path:0
unlink write path:0
unlinkat write at:0 path:1
rename write path:0 path:1
renameat write at:0 path:1 at:2 path:3
renameat2 write at:0 path:1 at:2 path:3
link write path:1
linkat write at:2 path:3
symlink write path:1
symlinkat write at:1 path:2
truncate write path:0
chmod write path:0
fchmodat write at:0 path:1
fchmodat2 write at:0 path:1
chown write path:0
lchown write path:0
fchownat write at:0 path:1
utime write path:0
utimes write path:0
futimesat write at:0 path:1
utimensat write at:0 path:1
setxattr write path:0
lsetxattr write path:0
removexattr write path:0
lremovexattr write path:0
"""
PATHS = {
    call: (kind, tuple((word.partition(":")[0], int(word.partition(":")[2])) for word in words))
    for call, kind, *words in (line.split() for line in _TABLE.strip().splitlines())
}
"""Call → what it does, and where its directories, paths and flags are among its arguments."""

ESSENTIAL = frozenset(
    {
        "basic-io",
        "credentials",
        "file-system",
        "io-event",
        "memory",
        "process",
        "scheduling",
        "signal",
        "sync",
        "system-info",
        "timer",
    }
)
"""Groups that a learned profile always has: each runtime uses them, now and then by chance (a lock that is taken)."""
_OPENERS: Mapping[str, tuple[str, ...]] = {
    "ipc": ("mq_open", "msgget", "semget", "shmget"),
    "network-io": ("socket", "socketpair"),
    "sandbox": ("landlock_create_ruleset", "seccomp"),
}
"""Groups of which these calls come first: without them there is nothing to use the others on."""
_HAND = "sendmsg"
"""By it the listener gets out, when nobody listens yet: it can't be told of."""

_ACCESS, _CREATE, _TRUNCATE = 3, 0o100, 0o1000  # O_ACCMODE, O_CREAT, O_TRUNC


def candidates(groups: Collection[str]) -> frozenset[str]:
    """Give those of a filter's groups that a command may turn out to do without."""
    return frozenset(name for name in expand(groups) if GROUPS[name].calls) - ESSENTIAL


def numbers(machine: str, groups: Collection[str]) -> list[int]:
    """Give the numbers of the calls that are told of, under a filter of these groups; ControlError as `call_names`."""
    from aisbx_linux.seccomp.compile import call_names  # who observes does without

    names = set(PATHS)
    for group in candidates(groups):
        names.update(_OPENERS.get(group, GROUPS[group].calls))
    names.discard(_HAND)
    return sorted(number for number, name in call_names(machine).items() if name in names)


def does(call: str, values: Sequence[int]) -> str:
    """Give what a call of `PATHS` does with its paths."""
    kind, places = PATHS[call]
    if kind != _FLAGS:
        return kind
    flags = next(values[place] for word, place in places if word == "flags")
    return WRITE if flags & (_CREATE | _TRUNCATE) or flags & _ACCESS else READ
