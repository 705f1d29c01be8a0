"""Turn a plan and a request into descriptors and an argument list. On the hot path: builtin modules only."""

import posix

from aisbx_linux.processes import write_all
from aisbx_linux.sources import STAGE, open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aisbx.types import LaunchRequest, LocalPlan, Source

    from aisbx_linux.compose import Layout

# Makes the command the leader of a session of its own with the pty as its terminal (util-linux, setsid(1)).
TERMINAL = ("/usr/bin/setsid", "--ctty", "--wait")
_HANDLE = posix.O_PATH | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC


class Assembly:
    """What the tool is started with; everything that is open here belongs to the launcher until `close`."""

    __slots__ = (
        "argv",
        "base",
        "files",
        "gate",
        "layer",
        "layout",
        "opened",
        "options",
        "passed",
        "program",
        "sources",
        "status",
    )

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
        self.layer: tuple[int, bool, list[str]] | None = None
        """What `Guard.lay` gives."""
        self.layout: Layout | None = None
        """What the launcher mounts itself, before the tool does; None for nothing."""
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

    def open_gate(self, filter_: bytes, *, exclusive: bool) -> None:
        """Let the command run; `exclusive`: this process itself has what was laid out, of which the tool has a copy."""
        if self.layout is not None and exclusive:
            from aisbx_linux.compose import strike

            strike()
        posix.write(self.gate, filter_)
        posix.close(self.gate)
        self.gate = -1

    def close(self) -> None:
        """Close what the tool has by now."""
        for descriptor in self.opened:
            posix.close(descriptor)
        self.opened.clear()

    def end(self) -> None:
        """Close that, and the pipes on which the tool is told things."""
        self.close()
        for descriptor in (self.gate, self.options):
            if descriptor >= 0:
                posix.close(descriptor)
        self.gate = self.options = -1


def assemble(assembly: Assembly, plan: "LocalPlan", request: "LaunchRequest") -> None:
    """Fill an assembly; what is to be mounted is told to the tool by `instruct`, once it runs.

    Raises SourceError and OSError; the caller closes the assembly in any case.
    """
    staged = plan["outside"] is not None
    live = plan["workspace"] is not None and plan["workspace"][1] == "rw"
    nested = live or any(source["within"] >= 0 for source in plan["sources"])
    layer = assembly.layer
    if staged or plan["private"] or (plan["composed"] and nested) or layer:
        from aisbx_linux.compose import layout

        assembly.layout = layout(plan, layer)
    for source in plan["sources"]:
        assembly.sources.append(assembly.keep(open_source(source)))
    if layer:
        assembly.sources.append(assembly.keep(posix.dup(layer[0])))
        assembly.sources += [assembly.keep(posix.open(f"{path}/upper", _HANDLE)) for path in layer[2]]
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
        assembly.program = assembly.keep(posix.open(plan["program"], posix.O_PATH | posix.O_CLOEXEC))
    else:
        # No other: what the tool gets and does not use would stay open inside.
        assembly.passed += [assembly.sources[index] for index in _direct(plan["sources"], assembly.layout)]
    # Above every number in use here, so that no copy lands on a descriptor that is still to be copied.
    assembly.base = max(*assembly.opened, assembly.status, assembly.gate, assembly.options) + 1

    def number(index: int) -> str:
        return str(assembly.base + index)

    assembly.argv = [
        *([plan["program"], *_filled(plan["words"], assembly.files, number)] if plan["words"] else ["bwrap"]),
        # Not among what is read from the pipe: where a launcher ended before it had written all of that, nothing runs.
        *("--json-status-fd", str(assembly.base + status), "--seccomp", str(assembly.base + gate)),
        *("--args", str(assembly.base + options)),
        *(() if plan["words"] else _command(request)),
    ]


def instruct(assembly: Assembly, plan: "LocalPlan", request: "LaunchRequest", covered: "list[tuple[int, str]]") -> None:
    """Tell the tool what to do; BrokenPipeError if it has ended already.

    ValueError where a word is none that a tool can be told. `covered` has (kind of `compose`, path) of what is covered
    in the workspace: by the tool only where the launcher mounts nothing itself.
    """

    def number(index: int) -> str:
        return str(assembly.base + index)

    words = _filled(plan["head"], assembly.files, number)
    words += _mounts(plan["sources"], assembly)
    if covered and assembly.layout is None:
        words += _by_path(covered)
    words += _filled(plan["tail"], assembly.files, number)
    for name, value in {**plan["environment"], **request["environment"]}.items():
        words += ["--setenv", name, value]
    words += ["--chdir", request["cwd"] or plan["cwd"]]
    if plan["words"]:
        # A tool of our own takes it here too: so it is on the command line of no process that is not the command yet,
        # and that may still be root's.
        words += _command(request)
    told = "\0".join(words)
    if told.count("\0") != len(words) - 1:  # behind it would be an option
        msg = "a command that cannot be started: embedded null byte"
        raise ValueError(msg)
    write_all(assembly.options, told.encode(errors="surrogateescape") + b"\0")
    posix.close(assembly.options)
    assembly.options = -1


def _command(request: "LaunchRequest") -> list[str]:
    return ["--", *(TERMINAL if request["terminal"] else ()), *request["argv"]]


def _direct(sources: "list[Source]", layout: "Layout | None") -> list[int]:
    """Give the indices of the sources that the tool mounts by descriptor: not from the stage, nor in another."""
    if layout is None:
        return list(range(len(sources)))
    return [index for index, source in enumerate(sources) if index not in layout[0] and source["within"] < 0]


def _mounts(sources: "list[Source]", assembly: Assembly) -> "Iterator[str]":
    """Give the tool's options for the sources: from the stage what is there, the rest by descriptor."""
    direct = _direct(sources, assembly.layout)
    last = assembly.base + len(assembly.passed)
    for index, source in enumerate(sources):
        bind = "bind" if source["writable"] else "ro-bind"
        if index in direct:
            yield f"--{bind}-fd"
            yield str(last - len(direct) + direct.index(index))
        elif assembly.layout is not None and index in assembly.layout[0]:
            yield f"--{bind}"
            yield f"{STAGE}/{index}"
        else:
            continue
        yield source["target"]


def _by_path(covered: "list[tuple[int, str]]") -> "Iterator[str]":
    """Give options that cover by path, where `fs:host-hidden` was given up: a link put there meanwhile is followed."""
    from aisbx_linux.compose import HIDDEN, PINNED

    for kind, place in covered:
        yield "--bind" if kind == PINNED else "--ro-bind"
        yield "/dev/null" if kind == HIDDEN else place
        yield place


def _filled(words: "Sequence[str]", files: "Sequence[int]", number: "Callable[[int], str]") -> list[str]:
    """Replace `{file:N}` by the number that `files[N]` has in the tool."""
    return [number(files[int(word[6:-1])]) if word.startswith("{file:") else word for word in words]


def _memory(content: bytes) -> int:
    """Give a memory file with this content, set back to its beginning, where the tool reads on."""
    descriptor = posix.memfd_create("content", posix.MFD_CLOEXEC)
    write_all(descriptor, content)
    posix.lseek(descriptor, 0, 0)
    return descriptor
