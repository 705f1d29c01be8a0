"""Turn a plan and a request into descriptors and an argument list. On the hot path: builtin modules only."""

import posix

from aisbx_linux.relay import write_all
from aisbx_linux.sources import STAGE, open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aisbx.types import LaunchRequest, LocalPlan

_O_PATH = 0o10000000
# Makes the command the leader of a session of its own with the pty as its terminal (util-linux, setsid(1)).
_TERMINAL = ("/usr/bin/setsid", "--ctty", "--wait")


class Assembly:
    """What the tool is started with; everything that is open here belongs to the launcher until `close`."""

    __slots__ = ("argv", "base", "files", "gate", "opened", "options", "passed", "program", "sources", "status")

    def __init__(self) -> None:
        """Nothing is open yet."""
        self.argv: list[str] = []
        self.sources: list[int] = []
        self.passed: list[int] = []
        """Descriptors that the tool gets; the one at index N becomes number `base + N` there."""
        self.base = 0
        self.files: list[int] = []
        """Indices of the plan's contents among `passed`."""
        self.opened: list[int] = []
        self.program = -1
        self.options = -1
        """Where the launcher writes what is to be mounted; the tool waits for it."""
        self.gate = -1
        """Where the launcher writes the filter."""
        self.status = -1
        """Where the launcher reads the tool's reports."""

    def keep(self, descriptor: int) -> int:
        """Remember to close a descriptor."""
        self.opened.append(descriptor)
        return descriptor

    def give(self, descriptor: int) -> int:
        """Pass a descriptor to the tool; gives its index."""
        self.passed.append(self.keep(descriptor))
        return len(self.passed) - 1

    def close(self) -> None:
        """Close what the tool has by now."""
        for descriptor in self.opened:
            posix.close(descriptor)
        self.opened.clear()


def assemble(assembly: Assembly, plan: "LocalPlan", request: "LaunchRequest") -> None:
    """Fill an assembly; what is to be mounted is told to the tool by `instruct`, once it runs.

    Raises SourceError and OSError; the caller closes the assembly in any case.
    """
    staged = plan["outside"] is not None
    for source in plan["sources"]:
        assembly.sources.append(assembly.keep(open_source(source)))
    status_end = posix.pipe2(posix.O_CLOEXEC)
    assembly.status = status_end[0]
    status = assembly.give(status_end[1])
    gate_end = posix.pipe2(posix.O_CLOEXEC)
    assembly.gate = gate_end[1]
    gate = assembly.give(gate_end[0])
    options_end = posix.pipe2(posix.O_CLOEXEC)
    assembly.options = options_end[1]
    options = assembly.give(options_end[0])
    assembly.files = [assembly.give(_memory(content)) for content in plan["files"]]
    if staged:
        assembly.program = assembly.keep(posix.open(plan["program"], _O_PATH | posix.O_CLOEXEC))
    else:
        assembly.passed += assembly.sources
    # Above every number in use here, so that no copy lands on a descriptor that is still to be copied.
    assembly.base = max(*assembly.opened, assembly.status, assembly.gate, assembly.options) + 1
    assembly.argv = [
        "bwrap",
        # Not among what is read from the pipe: where a launcher ended before it had written all of that, nothing runs.
        *("--json-status-fd", str(assembly.base + status), "--seccomp", str(assembly.base + gate)),
        *("--args", str(assembly.base + options)),
        "--",
        *(_TERMINAL if request["terminal"] else ()),
        *request["argv"],
    ]


def instruct(
    assembly: Assembly, plan: "LocalPlan", request: "LaunchRequest", covered: "Sequence[tuple[str, str, str]]"
) -> None:
    """Tell the tool what to do. `covered` has (option, source, target) to mount over the workspace, in this order.

    BrokenPipeError if the tool has ended already.
    """
    first_place = len(assembly.passed) - len(plan["sources"])

    def number(index: int) -> str:
        return str(assembly.base + index)

    words = _filled(plan["head"], assembly.files, number)
    for index, source in enumerate(plan["sources"]):
        bind = "bind" if source["writable"] else "ro-bind"
        if plan["outside"] is not None:
            words += [f"--{bind}", f"{STAGE}/{index}", source["target"]]
        else:
            words += [f"--{bind}-fd", number(first_place + index), source["target"]]
    for words_of_one in covered:
        words += words_of_one
    words += _filled(plan["tail"], assembly.files, number)
    for name, value in {**plan["environment"], **request["environment"]}.items():
        words += ["--setenv", name, value]
    words += ["--chdir", request["cwd"] or plan["cwd"]]
    write_all(assembly.options, "\0".join(words).encode(errors="surrogateescape") + b"\0")
    posix.close(assembly.options)
    assembly.options = -1


def _filled(words: "Sequence[str]", files: "Sequence[int]", number: "Callable[[int], str]") -> list[str]:
    """Replace `{file:N}` by the number that `files[N]` has in the tool."""
    return [number(files[int(word[6:-1])]) if word.startswith("{file:") else word for word in words]


def _memory(content: bytes) -> int:
    descriptor = posix.memfd_create("content", posix.MFD_CLOEXEC)
    _fill(descriptor, content)
    return descriptor


def _fill(descriptor: int, content: bytes) -> None:
    """Write a memory file and set it back to its beginning, where the tool reads on."""
    write_all(descriptor, content)
    posix.lseek(descriptor, 0, 0)
