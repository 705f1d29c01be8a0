"""Start the tool as the first process of an outer PID namespace. Builtin modules only.

A process that exists for one run alone does it itself; root's also stages the mounts and gives the tool another user.
One that is large, threaded or has other children has a small helper do it in its place (`helped`).
"""

import posix

from aisbx_linux.processes import leave
from aisbx_linux.rlimits import OWN_TASKS, set_limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from aisbx.types import LocalPlan

    from aisbx_linux.assemble import Assembly
    from aisbx_linux.cgroup.group import Door
    from aisbx_linux.compose import Covered, Layout
    from aisbx_linux.wire import Wires

    Person = tuple[tuple[int, int], int, list[tuple[int, int, int]], int]
    """(uid, gid) on disk, outside uid, limits, the tool's descriptor; see `stage.Stage`."""
    Staging = tuple[list[tuple[int, bool, bool]], Layout, Covered, Person | None]
    """Sources, what is made of them, what is covered in the workspace already, and who root's sandbox is."""

_STANDARD = 2
UIDS = 1 << 22
"""How many uids from a plan's first one are used: one for each live launcher (PID_MAX_LIMIT, proc(5))."""
_NUMBERED = "finding the sandbox's processes in /proc was refused"
# Python ignores these two; a command expects their defaults.
_RESTORED = (13, 25)  # SIGPIPE, SIGXFSZ


def outside_id(plan: "LocalPlan", turn: int) -> int:
    """Give the run's own uid and gid on the host, 0 where it keeps the caller's.

    What counts or belongs to a user then counts and belongs to one sandbox. `turn` tells the runs of one process apart.
    """
    return 0 if plan["outside"] is None else plan["outside"][2] + (posix.getpid() + turn * 7919) % UIDS


def spawn(
    plan: "LocalPlan",
    assembly: "Assembly",
    wires: "Wires",
    outside: int,
    covered: "Covered | None" = None,
    doors: "Sequence[Door]" = (),
) -> int:
    """Start the tool in a session of its own with nothing open but what is meant for it; gives the pid to watch.

    OSError with the kernel's or the stage's own words. Without `covered` this process exists for this run alone: it
    covers the workspace itself later, and what its caller left open for children is closed to them from now on. Through
    `doors` the tool is born in its cgroups.
    """
    if posix.readlink("/proc/self") != str(posix.getpid()):  # its numbers would name other processes than ours
        raise OSError(_NUMBERED)
    staging: Staging | None = None
    if assembly.layout is not None:
        person: Person | None = None
        if plan["outside"] is not None:
            person = (plan["outside"][:2], outside, plan["rlimits"], assembly.program)
        sources = [
            (descriptor, source["owned"], source["writable"])
            for descriptor, source in zip(assembly.sources, plan["sources"], strict=False)
        ]
        if assembly.layer is not None:
            sources += [(descriptor, True, True) for descriptor in assembly.sources[len(plan["sources"]) :]]
        staging = (sources, assembly.layout, covered or [], person)
    if plan["outside"] is not None:
        wires.lend(outside)
    if covered is not None:
        from aisbx_linux.helped import start

        return start(plan, assembly, wires, staging, doors)
    for stray in strays():
        posix.set_inheritable(stray, False)  # noqa: FBT003 - positional only
    # Copied here and not by posix_spawn(3): a limit on open files that is set first counts for what that does.
    copies: list[int] = []
    try:
        for number, descriptor in enumerate(assembly.passed, assembly.base):
            copies.append(posix.dup2(descriptor, number))
        actions = _streams(wires)
        return start_tool(plan["program"], assembly.argv, actions, staging, doors, contained=plan["contained"])
    finally:
        for number in copies:
            posix.close(number)


def start_tool(
    program: str,
    argv: "list[str]",
    actions: "list[tuple[object, ...]]",
    staging: "Staging | None",
    doors: "Sequence[Door]",
    *,
    contained: bool,
) -> int:
    """Start the tool, `contained` as the first process of an outer PID namespace. This process starts no other."""
    from aisbx_linux.cradle import contain

    if staging is None:
        contain(pids=contained, mounts=False)
        return born(doors, program, argv, actions)
    from aisbx_linux.compose import cover, stage_own

    sources, layout, covered, person = staging
    if person is None:
        contain(pids=contained, mounts=True)
        stage_own([descriptor for descriptor, _, _ in sources], layout)
        cover(layout, covered)
        return born(doors, program, argv, actions)
    from aisbx_linux.stage import Stage

    owner, outside, limits, descriptor = person
    stage = Stage(sources, layout, owner, outside)
    cover(layout, covered)
    contain(pids=contained, mounts=False)
    # On this process, which ends with the run, and not on the sandbox's first: root may lack CAP_SYS_RESOURCE, and
    # the uid is the run's alone.
    set_limits(limits, extra_tasks=OWN_TASKS + 1)
    with stage:
        # By descriptor: `outside` may not be able to reach the path.
        return born(doors, f"/proc/self/fd/{descriptor}", argv, actions, reset=True)


def born(
    doors: "Sequence[Door]",
    program: str,
    argv: "list[str]",
    actions: "Sequence[tuple[object, ...]]" = (),
    *,
    reset: bool = False,
) -> int:
    """Start a program, in its cgroups where there are doors to them; OSError where the kernel refuses."""
    if not doors:
        return _posix_spawn(program, argv, actions, reset=reset)
    from aisbx_linux.cgroup.group import come_out, enter

    try:
        enter(doors)
        return _posix_spawn(program, argv, actions, reset=reset)
    finally:
        come_out(doors)


def _posix_spawn(
    program: str, argv: "list[str]", actions: "Sequence[tuple[object, ...]]", *, reset: bool = False
) -> int:
    return posix.posix_spawn(  # pyright: ignore[reportUnknownVariableType]
        program,
        argv,
        {},
        file_actions=actions,  # pyright: ignore[reportArgumentType]
        resetids=reset,
        setsid=True,
        setsigdef=_RESTORED,
        setsigmask=(),
    )


def _streams(wires: "Wires") -> "list[tuple[object, ...]]":
    first, second, third = wires.inside
    # Onto 2, 1, 0 in this order none is overwritten that is still to be copied: all of ours lie above.
    return [
        (posix.POSIX_SPAWN_DUP2, descriptor, number) for number, descriptor in ((2, third), (1, second), (0, first))
    ]


def strays() -> "list[int]":
    """Give the descriptors that a caller left open for children; none of them may get inside."""
    found: list[int] = []
    for name in posix.listdir("/proc/self/fd"):
        descriptor = int(name)
        try:
            if descriptor > _STANDARD and posix.get_inheritable(descriptor):
                found.append(descriptor)
        except OSError:
            continue  # the one that listed the directory
    return found


def report(error: BaseException, descriptor: int) -> None:
    """Tell the launcher, over its own pipe, what went wrong; then end."""
    posix.write(descriptor, (str(error) or type(error).__name__).encode(errors="replace")[:500])
    leave(1)
