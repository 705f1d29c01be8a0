"""Keep a plan for the next run, with the code of the modules that carry it out. Guarded like a key; see `recall`."""

import marshal
import posix
import sys

from aisbx.audit.write import write_all
from aisbx.plan.recall import DIRECTORY, OPEN, ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from types import CodeType

    from aisbx.plan.recall import Kept
    from aisbx.types import PlanEntry

    Written = tuple[int, int, int, int]
    """(st_dev, st_ino, st_mtime_ns, st_size) of a file that was written: no other one has the same."""

OWN = (
    "aisbx",
    "aisbx.audit",
    "aisbx.audit.chain",
    "aisbx.audit.jsontext",
    "aisbx.audit.write",
    "aisbx.plan",
    "aisbx.plan.run",
)
"""Our own modules that come after the entry is read, and their packages."""
OWN_LATE = ("_sha2" if sys.version_info >= (3, 12) else "_sha256",)
"""What they import that is a file of its own in some Pythons."""


def locate(names: "Iterable[str]") -> "list[tuple[str, str, bool]]":
    """Give (name, file, is a package) for each module that is not built in; ImportError where there is no such file."""
    import importlib.util

    found: list[tuple[str, str, bool]] = []
    for name in dict.fromkeys(names):
        module = sys.modules.get(name)
        if module is not None and module.__spec__ is None and module.__file__:
            found.append((name, module.__file__, hasattr(module, "__path__")))  # made by `recall.install`
            continue
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            msg = f"{name} has no source"
            raise ImportError(msg)
        if spec.origin not in {"built-in", "frozen"}:
            found.append((name, spec.origin, spec.submodule_search_locations is not None))
    return found


def collect(
    located: "Iterable[tuple[str, str, bool]]", late: "Container[str]", bare: "Container[str]" = ()
) -> "list[Kept]":
    """Give each of these modules with its code; those in `late` without, since not every launch imports them.

    Those in `bare` are packages that a launch only has modules in: they are made empty.
    """
    kept: list[Kept] = []
    for name, origin, is_package in located:
        if name in late:
            kept.append((name, origin, is_package, None))
            continue
        with open(origin, encoding="utf-8") as stream:
            source = "" if name in bare else stream.read()
        # Without docstrings and line tables it loads twice as fast; a traceback names the function all the same.
        code = _bare(compile(source, origin, "exec", dont_inherit=True, optimize=2))
        kept.append((name, origin, is_package, code))
    return kept


def _bare(code: "CodeType") -> "CodeType":
    """Give code without its line table, also that of the functions in it."""
    constants = tuple(_bare(constant) if isinstance(constant, type(code)) else constant for constant in code.co_consts)
    return code.replace(co_linetable=b"", co_consts=constants)


def write(directory: str, entry: "PlanEntry") -> "Written | None":
    """Keep an entry, whole or not at all; an OSError costs speed only, so it is the caller's to ignore."""
    return store(directory, entry["name"], marshal.dumps(entry))  # pyright: ignore[reportArgumentType]  (plain data and code)


def store(directory: str, name: str, data: bytes) -> "Written | None":
    """Write a file, whole or not at all, into a directory that is ours alone; into no other, and then it gives None."""
    folder = posix.open(directory, posix.O_RDONLY | posix.O_DIRECTORY | OPEN)
    try:
        if not ours(folder, DIRECTORY):
            return None
        temporary = f".{name}.{posix.getpid()}"
        file = posix.open(temporary, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | OPEN, 0o600, dir_fd=folder)
        try:
            try:
                write_all(file, data)
                status = posix.fstat(file)
            finally:
                posix.close(file)
            posix.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            posix.unlink(temporary, dir_fd=folder)  # a full disk leaves half of it
            raise
    finally:
        posix.close(folder)
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size
