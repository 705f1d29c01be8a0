"""Start the tool as the first process of an outer PID namespace, by one of three roads. Builtin modules only.

posix_spawn    an ordinary user's process that exists for this run alone
fork           root's: the child stages the mounts and becomes another user before it executes the tool
helper         a process that is large, threaded or has other children starts a small one that takes one of the above
"""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import LocalPlan

    from aisbx_linux.assemble import Assembly
    from aisbx_linux.wire import Wires

    Staging = tuple[list[tuple[int, bool, bool]], tuple[int, int], int, list[tuple[int, int, int]], int]
    """Sources, (uid, gid) on disk, outside uid, limits, the tool's descriptor; see `stage.enter`."""

UIDS = 1 << 22
"""How many uids from a plan's first one are used: one for each live launcher (PID_MAX_LIMIT, proc(5))."""
# Python ignores these two; a command expects their defaults.
_RESTORED = (13, 25)  # SIGPIPE, SIGXFSZ


def outside_id(plan: "LocalPlan", turn: int) -> int:
    """Give the run's own uid and gid on the host, 0 where it keeps the caller's.

    What counts or belongs to a user then counts and belongs to one sandbox. `turn` tells the runs of one process apart.
    """
    return 0 if plan["outside"] is None else plan["outside"][2] + (posix.getpid() + turn * 7919) % UIDS


def spawn(plan: "LocalPlan", assembly: "Assembly", wires: "Wires", outside: int, *, exclusive: bool) -> int:
    """Start the tool in a session of its own with nothing open but what is meant for it; gives the pid to watch.

    OSError with the kernel's or the stage's own words. `exclusive`: this process exists for this run alone.
    """
    staging: Staging | None = None
    if plan["outside"] is not None:
        uid, gid, _ = plan["outside"]
        sources = [
            (descriptor, source["owned"], source["writable"])
            for descriptor, source in zip(assembly.sources, plan["sources"], strict=True)
        ]
        staging = (sources, (uid, gid), outside, plan["rlimits"], assembly.program)
        for descriptor in wires.opened:
            posix.fchown(descriptor, outside, outside)  # else /dev/stdout could not be opened inside
    if not exclusive:
        return _helped(plan, assembly, wires, staging)
    if staging is not None:
        return _forked(assembly, wires, staging)
    from aisbx_linux.cradle import contain

    contain()
    actions = _actions(assembly.passed, assembly.base, wires, {})
    return _posix_spawn(plan["program"], assembly.argv, actions)


def _posix_spawn(program: str, argv: "list[str]", actions: "list[tuple[object, ...]]") -> int:
    return posix.posix_spawn(
        program, argv, {}, file_actions=actions, setsid=True, setsigdef=_RESTORED, setsigmask=()
    )  # pyright: ignore[reportArgumentType]


def _actions(passed: "list[int]", base: int, wires: "Wires", moved: "dict[int, int]") -> "list[tuple[object, ...]]":
    """Give posix_spawn(3) file actions: an end to all strays first, then what is meant for the child."""
    actions: list[tuple[object, ...]] = [(posix.POSIX_SPAWN_CLOSE, stray) for stray in strays()]
    actions += [(posix.POSIX_SPAWN_DUP2, descriptor, number) for descriptor, number in moved.items()]
    actions += [(posix.POSIX_SPAWN_DUP2, descriptor, base + index) for index, descriptor in enumerate(passed)]
    first, second, third = wires.inside
    # Onto 2, 1, 0 in this order none is overwritten that is still to be copied: all of ours lie above.
    return [*actions, *((posix.POSIX_SPAWN_DUP2, descriptor, number) for number, descriptor in ((2, third), (1, second), (0, first)))]


def strays() -> "list[int]":
    """Give the descriptors that a caller left open for children; none of them may get inside."""
    found: list[int] = []
    for name in posix.listdir("/proc/self/fd"):
        descriptor = int(name)
        try:
            if descriptor > 2 and posix.get_inheritable(descriptor):  # noqa: PLR2004
                found.append(descriptor)
        except OSError:
            continue  # the one that listed the directory
    return found


def _forked(assembly: "Assembly", wires: "Wires", staging: "Staging") -> int:
    from aisbx_linux.cradle import contain
    from aisbx_linux.stage import enter, identity_namespace

    sources, owner, outside, limits, program = staging
    told, writer = posix.pipe2(posix.O_CLOEXEC)
    above = assembly.base + len(assembly.passed)
    # Above the numbers that the tool's own descriptors are copied to in the child.
    failure, namespace = _raised(writer, above), _raised(identity_namespace(owner, outside), above)
    contain()
    child = posix.fork()
    if child == 0:
        try:
            restore_signals()
            posix.setsid()
            for stray in strays():
                posix.close(stray)
            for index, descriptor in enumerate(assembly.passed):
                posix.dup2(descriptor, assembly.base + index)
            for number, descriptor in ((2, wires.inside[2]), (1, wires.inside[1]), (0, wires.inside[0])):
                posix.dup2(descriptor, number)
            enter(sources, namespace, outside, limits)
            posix.execve(program, assembly.argv, {})
        except BaseException as error:  # noqa: BLE001  (a forked child must never return into the caller's code)
            report(error, failure)
    posix.close(failure)
    posix.close(namespace)
    return _started(child, told)


def _helped(plan: "LocalPlan", assembly: "Assembly", wires: "Wires", staging: "Staging | None") -> int:
    import marshal
    import sys

    from aisbx_linux import helper

    told, failure = posix.pipe2(posix.O_CLOEXEC)
    memory = posix.memfd_create("launch", posix.MFD_CLOEXEC)
    try:
        own = [failure, memory]
        if staging is not None:
            own += [*(descriptor for descriptor, _, _ in staging[0]), staging[4]]
        # The helper's own descriptors come above the tool's; it lets the tool have only the tool's.
        base = max(*own, assembly.base) + len(assembly.passed) + 1
        moved = {descriptor: base + index for index, descriptor in enumerate(own)}
        if staging is not None:
            sources, owner, outside, limits, program = staging
            staged = [(moved[descriptor], mapped, needed) for descriptor, mapped, needed in sources]
            staging = (staged, owner, outside, limits, moved[program])
        posix.write(memory, marshal.dumps((posix.getpid(), plan["program"], assembly.argv, staging)))
        posix.lseek(memory, 0, 0)
        actions = _actions(assembly.passed, assembly.base, wires, moved)
        numbers = [str(number) for number in moved.values()]
        child = _posix_spawn(sys.executable, [sys.executable, "-I", "-S", helper.__file__, *numbers], actions)
    finally:
        posix.close(memory)
        posix.close(failure)
    return _started(child, told)


def _started(child: int, told: int) -> int:
    """Wait until the tool is executed, or raise what kept it from being."""
    with open(told, "rb", buffering=0) as reader:  # noqa: PTH123  (closes the descriptor)
        reason = reader.read(512)
    if reason:
        posix.waitpid(child, 0)
        raise OSError(reason.decode(errors="replace"))
    return child


def _raised(descriptor: int, above: int) -> int:
    """Move a descriptor to a number of at least `above`."""
    import fcntl

    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, above)
    posix.close(descriptor)
    return moved


def restore_signals() -> None:
    """Give every signal its default action, as exec(2) would but for those that are ignored."""
    import _signal

    for number in range(1, 32):
        if _signal.getsignal(number) is not None and number not in {9, 19}:
            _signal.signal(number, _signal.SIG_DFL)


def report(error: BaseException, descriptor: int) -> None:
    """Tell the launcher, over its own pipe, what went wrong; then end."""
    posix.write(descriptor, (str(error) or type(error).__name__).encode(errors="replace")[:500])
    posix._exit(1)  # noqa: SLF001  (that is its name)
