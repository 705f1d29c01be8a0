"""Start the tool: at once, or by root through a stage in which it becomes another user. Builtin modules only."""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import LocalPlan
    from aisbx_linux.assemble import Assembly
    from aisbx_linux.wire import Wires

# Python ignores these two; a command expects their defaults.
_RESTORED = (13, 25)  # SIGPIPE, SIGXFSZ


def spawn(plan: "LocalPlan", assembly: "Assembly", wires: "Wires", *, fork: bool) -> int:
    """Start the tool in a session of its own with nothing open but what is meant for it; gives its pid.

    Raises OSError with the stage's own words where root's stage fails. `fork` allows a plain fork: only in a
    small process without threads.
    """
    if plan["outside"] is None:
        return posix.posix_spawn(
            plan["program"],
            assembly.argv,
            {},
            file_actions=_actions(assembly.passed, assembly.base, wires, {}),
            setsid=True,
            setsigdef=_RESTORED,
            setsigmask=(),
        )
    from aisbx_linux import stage

    uid, gid, outside = plan["outside"]
    # A uid of its own for each run: what counts or belongs to a user then counts and belongs to one sandbox.
    outside += posix.getpid() % stage.UIDS
    sources = [
        (descriptor, source["owned"], source["writable"])
        for descriptor, source in zip(assembly.sources, plan["sources"], strict=True)
    ]
    if wires.slave:
        posix.chown(wires.slave, outside, -1)
    told, failure = posix.pipe2(posix.O_CLOEXEC)
    try:
        start = _forked if fork else _helped
        child = start(assembly, wires, failure, (sources, (uid, gid), outside, plan["rlimits"], assembly.program, assembly.argv))
    finally:
        posix.close(failure)
    with open(told, "rb", buffering=0) as reader:  # noqa: PTH123  (closes the descriptor)
        reason = reader.read(512)
    if reason:
        posix.waitpid(child, 0)
        raise OSError(reason.decode(errors="replace"))
    return child


def _actions(passed: "list[int]", base: int, wires: "Wires", moved: "dict[int, int]") -> "list[tuple[object, ...]]":
    """Give posix_spawn(3) file actions: an end to all strays first, then what is meant for the child."""
    actions: list[tuple[object, ...]] = [(posix.POSIX_SPAWN_CLOSE, stray) for stray in _strays()]
    actions += [(posix.POSIX_SPAWN_DUP2, descriptor, number) for descriptor, number in moved.items()]
    actions += [(posix.POSIX_SPAWN_DUP2, descriptor, base + index) for index, descriptor in enumerate(passed)]
    first, second, third = wires.inside
    actions += [(posix.POSIX_SPAWN_DUP2, second, 1), (posix.POSIX_SPAWN_DUP2, third, 2)]
    if wires.slave:
        # Opened anew by the session's leader, it becomes the controlling terminal.
        actions.append((posix.POSIX_SPAWN_OPEN, 0, wires.slave, posix.O_RDWR, 0))
    else:
        actions.append((posix.POSIX_SPAWN_DUP2, first, 0))
    return actions


def _strays() -> "list[int]":
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


def _forked(assembly: "Assembly", wires: "Wires", failure: int, record: "tuple[object, ...]") -> int:
    child = posix.fork()
    if child:
        return child
    try:
        import _signal

        from aisbx_linux import stage

        for number in range(1, 32):
            if _signal.getsignal(number) is not None and number not in {9, 19}:
                _signal.signal(number, _signal.SIG_DFL)
        posix.setsid()
        for stray in _strays():
            posix.close(stray)
        for index, descriptor in enumerate(assembly.passed):
            posix.dup2(descriptor, assembly.base + index)
        first, second, third = wires.inside
        posix.dup2(second, 1)
        posix.dup2(third, 2)
        if wires.slave:
            posix.dup2(posix.open(wires.slave, posix.O_RDWR | posix.O_CLOEXEC), 0)
        else:
            posix.dup2(first, 0)
        stage.enter(*record)
    except BaseException as error:  # noqa: BLE001  (a forked child must never return into the caller's code)
        stage.report(error, failure)
    posix._exit(1)


def _helped(assembly: "Assembly", wires: "Wires", failure: int, record: "tuple[object, ...]") -> int:
    import marshal
    import sys

    from aisbx_linux import stage

    sources, owner, outside, limits, program, argv = record
    # The helper's own descriptors come after the tool's; it closes them on exec itself.
    own = [descriptor for descriptor, _, _ in sources] + [program, failure]
    memory = posix.memfd_create("stage", posix.MFD_CLOEXEC)
    try:
        base = max(assembly.base, memory) + len(assembly.passed) + 1
        moved = {descriptor: base + index for index, descriptor in enumerate([*own, memory])}
        staged = [(moved[descriptor], mapped, needed) for descriptor, mapped, needed in sources]
        posix.write(memory, marshal.dumps((staged, owner, outside, limits, moved[program], argv)))
        posix.lseek(memory, 0, 0)
        actions = _actions(assembly.passed, assembly.base, wires, moved)
        argv = [sys.executable, "-I", "-S", stage.__file__, str(moved[memory]), str(moved[failure])]
        argv += [str(number) for number in moved.values()]
        return posix.posix_spawn(
            sys.executable, argv, {}, file_actions=actions, setsid=True, setsigdef=_RESTORED, setsigmask=()
        )
    finally:
        posix.close(memory)
