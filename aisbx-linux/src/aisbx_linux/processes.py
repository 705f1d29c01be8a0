"""Find, signal and set up the sandbox's processes from the host, by the kernel's files. Builtin modules only."""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

leave = posix._exit  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
"""End this process at once, with an exit code: for a forked child, and where nothing is left to flush."""
_TERMINAL_SENDS = (1, 2, 3)  # SIGHUP, SIGINT, SIGQUIT
_CONT = 18
_NO_ENTRY, _NOT_DIRECTORY = 2, 20


def put(path: str, value: str, folder: "int | None" = None) -> None:
    """Write a control file of /proc or a cgroup, below an open directory; OSError if the kernel refuses."""
    descriptor = posix.open(path, posix.O_WRONLY | posix.O_CLOEXEC, dir_fd=folder)
    try:
        posix.write(descriptor, value.encode())
    finally:
        posix.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, however many calls that takes; OSError where the rest can't be."""
    rest = memoryview(data)
    while rest:
        rest = rest[posix.write(descriptor, rest) :]


def children_of(pid: int) -> list[int]:
    """Give a process's children, also those of its other threads; empty when it is gone."""
    found: list[int] = []
    try:
        for task in posix.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", "rb") as stream:
                found += map(int, stream.read().split())
    except OSError:
        pass  # it has ended meanwhile
    return found


def below(pid: int) -> list[int]:
    """Give all that come of a process and are still below it, each after the one that made it."""
    found: list[int] = []
    waiting = children_of(pid)
    while waiting:
        found.append(waiting.pop())
        waiting += children_of(found[-1])
    return found


def first_child(pid: int) -> int:
    """Give a process's first child, 0 when there is none (yet); of the sandbox's PID 1 that is the command."""
    children = children_of(pid)
    return children[0] if children else 0


def runs(first: int, *programs: str) -> bool:
    """Tell whether PID 1 has started the command itself, no longer `programs`: then what is heard is its own."""
    command = first_child(first)
    return command > 0 and not any(executes(command, program) for program in programs)


def executes(pid: int, program: str) -> bool:
    """Tell whether a process still runs the tool itself, or may have until it ended just now."""
    try:
        return posix.readlink(f"/proc/{pid}/exe") == program
    except OSError:
        return True


def foreground(members: "Iterable[int]", command: int) -> list[int]:
    """Give those of these processes that are still in the command's process group."""
    try:
        group = posix.getpgid(command)
    except ProcessLookupError:
        return []
    found: list[int] = []
    for pid in members:
        try:
            if posix.getpgid(pid) == group:
                found.append(pid)
        except ProcessLookupError:
            continue
    return found


def deliver(command: int, members: "Callable[[], Iterable[int]]", number: int) -> bool:
    """Send a signal to the command, or its group of these if a terminal would; False where there is no command."""
    if not command:
        return False
    tell(foreground(members(), command) if number in _TERMINAL_SENDS else [command], number)
    return True


def tell(processes: "Iterable[int]", number: int) -> None:
    """Send a signal to each."""
    for process in processes:
        send(process, number)
        send(process, _CONT)  # one that is stopped would never hear of it


def send(pid: int, number: int) -> None:
    """Send a signal; nothing happens when the process is gone."""
    try:
        posix.kill(pid, number)
    except ProcessLookupError:
        return


def execute(argv: "list[str]", environment: "dict[str, str]") -> None:
    """Become the program, looked for as execvp(3) does; OSError where none can be."""
    command = argv[0]
    if "/" in command:
        posix.execve(command, argv, environment)
    best: OSError | None = None
    for place in environment.get("PATH", "/usr/bin:/bin").split(":"):
        try:
            posix.execve(f"{place or '.'}/{command}", argv, environment)
        except OSError as error:
            if best is None or error.errno not in {_NO_ENTRY, _NOT_DIRECTORY}:
                best = error
    raise best or FileNotFoundError(_NO_ENTRY, "No such file or directory")
