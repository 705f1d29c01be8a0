"""Limits of setrlimit(2) on a sandbox's processes. On the hot path: builtin modules only."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

OWN_TASKS = 1
"""The sandbox's PID 1 counts too; a limit on tasks is meant for the command's own."""


def set_limits(limits: "Sequence[tuple[int, int, int]]", process: int = 0, *, extra_tasks: int = OWN_TASKS) -> None:
    """Set (resource, soft, hard) rows on a process, never above its present hard limits; 0 is this process.

    RLIMIT_NPROC counts the tasks of a user in a user namespace and, since Linux 5.14, in those around it up to what
    held when each was made: set on the first process of a namespace it is that sandbox's alone.
    """
    import resource

    for kind, soft, hard in limits:
        more = extra_tasks if kind == resource.RLIMIT_NPROC else 0
        _, ceiling = resource.prlimit(process, kind)
        wanted = (soft + more, hard + more)
        if ceiling != resource.RLIM_INFINITY:
            wanted = (min(wanted[0], ceiling), min(wanted[1], ceiling))
        resource.prlimit(process, kind, wanted)
