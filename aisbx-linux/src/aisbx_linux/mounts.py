"""Where file systems are mounted, as the kernel lists it (proc_pid_mountinfo(5)). Builtin modules only."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

_POINT = 4
_ESCAPED = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))


def mount_points(process: "int | Literal['self']" = "self") -> list[str]:
    """Give where something is mounted in a process's mount namespace; OSError where it has gone."""
    with open(f"/proc/{process}/mountinfo", "rb", buffering=0) as stream:
        rows = stream.readall().decode("utf-8", "surrogateescape").split("\n")
    return [plain(row.split(" ")[_POINT]) for row in rows if row]


def plain(name: str) -> str:
    """Undo what the kernel does to a name in that list."""
    for escaped, meant in _ESCAPED:
        name = name.replace(escaped, meant)
    return name
