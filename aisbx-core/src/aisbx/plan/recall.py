"""Find the plan of a run and use it, if it still holds and nobody else can have made it. Builtin modules only.

An entry carries authority: whoever could write one would decide what a sandbox may do. So the directory and the file
must be the effective user's alone and no links; what is not exactly that, or was made from what is no longer so, is
not used, and the run takes the full path.
"""

import marshal
import posix
import sys
from _frozen_importlib import ModuleSpec  # importlib.machinery's own, without importing that
from _frozen_importlib_external import SourceFileLoader
from _imp import create_dynamic, exec_dynamic, source_hash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import CodeType, ModuleType

    from aisbx.types import PlanEntry, Source

    Signature = tuple[int, int, int, int, int, int]
    Kept = tuple[str, str, bool, CodeType | None]
    """Name, file, is a package, and its code where every launch needs it."""

OPEN = posix.O_NOFOLLOW | posix.O_CLOEXEC
DIRECTORY, REGULAR, FORMAT_BITS, FOR_OTHERS = 0o040000, 0o100000, 0o170000, 0o077
_LARGEST = 8 << 20
FORMAT = 12
"""Version of the entries; raise it whenever their layout or meaning changes."""
_USUALLY_DIFFER = (b"PATH", b"VIRTUAL_ENV", b"CONDA_PREFIX", b"JAVA_HOME", b"GOROOT")


def digest(data: bytes) -> bytes:
    """Give 16 bytes that tell contents apart (SipHash-1-3 twice; builtin, where `hashlib` costs a millisecond).

    Nobody who could search for a collision gains by one: options, directory and environment are the user's own.
    """
    return source_hash(1, data) + source_hash(2, data)


def name_of(options: "Mapping[str, Sequence[str]]", cwd: str, environ: "Mapping[bytes, bytes]") -> str:
    """Give the file name for these options (raw strings, without `env`) in this directory, for this user and kernel.

    And for this installation: a plan keeps the sandbox from writing the one that made it, not any other. And by what
    usually differs from one terminal to the next, so that each has its own plan and none replaces the other's; what a
    plan depends on of the environment is compared by `read`.
    """
    chosen = sorted((name, list(values)) for name, values in options.items() if name != "env" and values)
    kernel = posix.uname()
    material = (
        FORMAT,
        sys.version,
        sys.executable,
        __file__,
        posix.geteuid(),
        posix.getuid(),
        posix.getegid(),
        kernel.release,
        kernel.machine,
        cwd,
        chosen,
        [environ.get(name) for name in _USUALLY_DIFFER],
    )
    return digest(repr(material).encode(errors="surrogateescape")).hex()


def environment_digest(environ: "Mapping[bytes, bytes]", names: "Iterable[str]", prefixes: "Iterable[str]") -> bytes:
    """Digest the named variables and all that begin with a prefix: values may be secret, so they are not kept."""
    starts = tuple(prefix.encode() for prefix in prefixes)
    rows = [(name, environ.get(name.encode())) for name in sorted(names)]
    rows += sorted((name.decode(errors="replace"), value) for name, value in environ.items() if name.startswith(starts))
    return digest(repr(rows).encode())


def unchanged(paths: "Iterable[tuple[str, Signature | None, bool]]") -> bool:
    """Tell whether each path still has the (dev, ino, mode, mtime, ctime, size) that it had, or is still absent."""
    stat, lstat = posix.stat, posix.lstat
    for path, signature, nofollow in paths:
        try:
            now = lstat(path) if nofollow else stat(path)
        except (OSError, ValueError):
            if signature is None:
                continue
            return False
        if signature != (now.st_dev, now.st_ino, now.st_mode, now.st_mtime_ns, now.st_ctime_ns, now.st_size):
            return False
    return True


def in_place(sources: "Iterable[Source]") -> bool:
    """Tell whether each source is still the same directory or file; what is in it may change."""
    for source in sources:
        try:
            now = posix.stat(source["path"])
        except OSError:
            return False
        if source["identity"] not in (None, (now.st_dev, now.st_ino)):
            return False
    return True


def in_group(cgroup: "tuple[bytes, object] | None") -> bool:
    """Tell whether this process is still in the control group below which a plan makes its own."""
    if cgroup is None:
        return True
    try:
        with open("/proc/self/cgroup", "rb", buffering=0) as stream:
            return stream.read() == cgroup[0]
    except OSError:
        return False


def read(directory: str, name: str, workspace: str) -> "PlanEntry | None":
    """Give the entry if it is there, is ours alone, and everything it was made from is still the same.

    A command could have written one into its `workspace` (a real path): there none is looked for.
    """
    data = load(directory, name, workspace)
    if data is None:
        return None
    try:
        entry: PlanEntry = marshal.loads(data)  # noqa: S302 - guarded above: nobody else can have written it
        fresh = entry["format"] == FORMAT and entry["name"] == name and holds(entry, posix.environ)
    except (EOFError, ValueError, TypeError, KeyError):
        return None  # torn or of another time
    return entry if fresh else None


def holds(entry: "PlanEntry", environ: "Mapping[bytes, bytes]") -> bool:
    """Tell whether everything that an entry was made from is still the same, under these variables."""
    return (
        environment_digest(environ, entry["variables"], entry["prefixes"]) == entry["environment"]
        and unchanged(entry["paths"])
        and in_place(entry["plan"]["sources"])
        and in_group(entry["plan"]["cgroup"])
    )


def load(directory: str, name: str, workspace: str = "") -> "bytes | None":
    """Give a file's bytes if it and its directory are there and ours alone, and not in the workspace (a real path)."""
    try:
        folder = posix.open(directory, posix.O_RDONLY | posix.O_DIRECTORY | OPEN)
    except OSError:
        return None
    try:
        if not ours(folder, DIRECTORY) or (workspace and _lies_in(folder, workspace)):
            return None
        file = posix.open(name, posix.O_RDONLY | posix.O_NONBLOCK | OPEN, dir_fd=folder)
    except OSError:
        return None
    finally:
        posix.close(folder)
    try:
        status = ours(file, REGULAR)
        return posix.read(file, min(status.st_size, _LARGEST)) if status else None
    finally:
        posix.close(file)


def _lies_in(folder: int, place: str) -> bool:
    return f"{posix.readlink(f'/proc/self/fd/{folder}')}/".startswith(f"{place.rstrip('/')}/")


def ours(descriptor: int, kind: int) -> "posix.stat_result | None":
    """Give the status of an open file (`REGULAR`) or directory if it is the effective user's alone and has one name."""
    status = posix.fstat(descriptor)
    alone = (
        status.st_mode & FORMAT_BITS == kind
        and status.st_uid == posix.geteuid()
        and not status.st_mode & FOR_OTHERS
        and (kind == DIRECTORY or status.st_nlink == 1)
    )
    return status if alone else None


class _Importer:
    """Makes the modules whose files are known; the rest is for the finders behind it."""

    def __init__(self, files: "dict[str, str]") -> None:
        self._files = files

    def find_spec(self, name: str, *_ignored: object) -> "ModuleSpec | None":
        file = self._files.get(name)
        if file is None:
            return None
        package = file.endswith("/__init__.py")
        return ModuleSpec(name, self, origin=file, is_package=package)  # pyright: ignore[reportArgumentType]

    def create_module(self, spec: "ModuleSpec") -> "ModuleType | None":
        """Load an extension; leave any other to the interpreter."""
        return None if self._files[spec.name].endswith(".py") else create_dynamic(spec)

    def exec_module(self, module: "ModuleType") -> None:
        name = module.__name__
        file = self._files[name]
        if file.endswith(".py"):
            module.__file__ = file
            if file.endswith("/__init__.py"):
                module.__path__ = [file.rpartition("/")[0]]
            exec(SourceFileLoader(name, file).get_code(name), module.__dict__)  # type: ignore[arg-type]  # noqa: S102 - it has a source
        else:
            exec_dynamic(module)


def install(kept: "Iterable[Kept]") -> None:
    """Make the modules that every launch needs, in their order, and import the others without a search.

    Making them directly costs a tenth of what the import system takes for a module, and its search as much again.
    """
    modules = sys.modules
    sys.meta_path.insert(0, _Importer({name: file for name, file, _, code in kept if code is None}))  # pyright: ignore[reportArgumentType]
    for name, file, package, code in kept:
        if code is None:
            continue
        parent, _, child = name.rpartition(".")
        modules[name] = module = type(sys)(name)
        module.__file__ = file
        module.__package__ = name if package else parent
        if package:
            module.__path__ = [file.rpartition("/")[0]]
        exec(code, module.__dict__)  # noqa: S102 - of an entry that only its user can have written
        if parent:
            setattr(modules[parent], child, module)
