"""Write a plan in the form that the compiled front reads (`aisbx-linux/native/plan.h`), beside the entry of Python.

It stands for just that entry, which it names by (device, inode, mtime, size), and holds no longer. What its name and
its digest of the environment are made from is said in `plan.h`: lengths and bytes, no text that only Python writes.
"""

import posix
import sys
from hashlib import sha256

from aisbx.plan.recall import FORMAT as ENTRY_FORMAT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aisbx.plan.keep import Written
    from aisbx.types import Carried, CgroupRow, Joining, LocalPlan, PlanEntry, Source

FORMAT = 3
"""Of the file: PLAN_FORMAT of `plan.h`; the C side has `recall.FORMAT` as well, and a test compares both."""
MAGIC = b"aisbx plan for the front"
GIVEN = "given"
"""The name of one that a program gives for its own runs: PLAN_GIVEN."""
_USUALLY_DIFFER = (b"PATH", b"VIRTUAL_ENV", b"CONDA_PREFIX", b"JAVA_HOME", b"GOROOT")
_NAME_BYTES = 16
_PRESENT, _NOFOLLOW = 1, 2
_KNOWN, _WRITABLE, _OWNED = 1, 2, 4
_WORD = (1 << 64) - 1


def front() -> str:
    """Give where the compiled front is, beside the interpreter; also where there is none."""
    return f"{sys.executable.rpartition('/')[0]}/aisbx-front"


def script() -> str:
    """Give what an interpreter is started with in its place."""
    return f"{__file__.rpartition('/plan/')[0]}/cli/fast.py"


def name_of(options: "Mapping[str, Sequence[str]]", cwd: str, environ: "Mapping[bytes, bytes]") -> str:
    """Give the file name for these options (raw strings, without `env`) in this directory; see `plan_name`."""
    kernel = posix.uname()
    fields = _texts(FORMAT, ENTRY_FORMAT, sys.executable, script())
    fields += _texts(posix.geteuid(), posix.getuid(), posix.getegid(), kernel.release, kernel.machine, cwd)
    for name, values in sorted((_bytes(name), list(values)) for name, values in options.items()):
        if name != b"env" and values:
            fields += [name, *_texts(len(values), *values)]
    for name in _USUALLY_DIFFER:
        fields += _variable(environ, name)
    return f"native-{_hash(fields)[:_NAME_BYTES].hex()}"


def environment_digest(environ: "Mapping[bytes, bytes]", names: "Iterable[str]", prefixes: "Iterable[str]") -> bytes:
    """Digest the named variables and all that begin with a prefix: values may be secret, so they are not kept."""
    fields: list[bytes] = []
    for name in sorted(map(_bytes, names)):
        fields += [name, *_variable(environ, name)]
    starts = tuple(map(_bytes, prefixes))
    for name in sorted(environ):
        if name.startswith(starts):
            fields += [name, environ[name]]
    return _hash(fields)


def encode(
    entry: "PlanEntry", written: "Written", name: str, carried: "Carried", environ: "Mapping[bytes, bytes]"
) -> bytes:
    """Give the native form of an entry that was written as `written`, for a file called `name`.

    UnicodeError where a text of it can't be a path or a word of the system's.
    """
    plan = carried["plan"]
    out = Out()
    out.text(entry["name"])
    out.numbers(*written)
    out.texts(sorted(entry["variables"], key=_bytes))
    out.texts(entry["prefixes"])
    out.data(environment_digest(environ, entry["variables"], entry["prefixes"]))
    out.numbers(len(entry["paths"]))
    for path, signature, nofollow in entry["paths"]:
        out.text(path)
        out.numbers(_PRESENT * (signature is not None) | _NOFOLLOW * nofollow, *(signature or ()))
    _entry(out, entry)
    _sources(out, plan["sources"])
    _groups(out, plan["cgroup"])
    _local(out, plan)
    out.text(carried["scans"])
    out.text(plan["cwd"])
    out.numbers(_microseconds(plan["wall_time"]), plan["output"])
    _joining(out, carried["joining"])
    head = Out()
    head.data(MAGIC)
    head.numbers(FORMAT, ENTRY_FORMAT)
    head.text(name)
    head.numbers(len(out.content))
    return bytes(head.content + out.content)


def _entry(out: "Out", entry: "PlanEntry") -> None:
    audit = entry["audit"]
    out.text(entry["kind"])
    out.text(entry["record"])
    out.numbers(entry["program_only"])
    out.text(audit["path"])
    out.text(audit["key"])
    out.text(audit["export"])
    out.numbers(audit["limit"], audit["keep"])
    out.text(entry["state"])
    out.numbers(entry["keep_output"], entry["keep_runs"])
    out.text(entry["plan"]["launcher"])


def _sources(out: "Out", sources: "list[Source]") -> None:
    out.numbers(len(sources))
    for source in sources:
        identity = source["identity"]
        out.text(source["path"])
        out.text(source["target"])
        flags = _KNOWN * (identity is not None) | _WRITABLE * source["writable"] | _OWNED * source["owned"]
        out.numbers(flags, source["within"] + 1, *(identity or (0, 0)))


def _groups(out: "Out", cgroup: "tuple[bytes, list[CgroupRow]] | None") -> None:
    own, rows = cgroup or (b"", [])
    out.numbers(cgroup is not None)
    out.data(own)
    out.numbers(len(rows))
    for parent, limits, events, inherited in rows:
        out.text(parent)
        out.numbers(inherited, len(limits))
        for words in limits:
            out.each(words)
        out.numbers(len(events))
        for words in events:
            out.each(words)


def _local(out: "Out", plan: "LocalPlan") -> None:
    out.text(plan["program"])
    out.texts(plan["head"])
    out.texts(plan["tail"])
    out.numbers(len(plan["files"]))
    for content in plan["files"]:
        out.data(content)
    out.texts(f"{name}={value}" for name, value in plan["environment"].items())
    out.data(plan["filter"])
    out.numbers(len(plan["rlimits"]))
    for row in plan["rlimits"]:
        out.numbers(*row)
    memory, tasks, places = plan["watch"] or (0, 0, [])
    out.numbers(plan["watch"] is not None, memory, tasks)
    out.texts(places)
    out.numbers(plan["outside"] is not None, *(plan["outside"] or (0, 0, 0)))
    out.numbers(plan["contained"], plan["composed"])
    out.texts(plan["private"])
    out.numbers(len(plan["publish"]), *plan["publish"])
    for text in plan["workspace"] or ("", ""):
        out.text(text)


def _joining(out: "Out", joining: "Joining | None") -> None:
    out.numbers(joining is not None)
    if joining is None:
        return
    out.text(joining["home"])
    out.numbers(*joining["held"])
    out.text(joining["boot"])
    out.numbers(*joining["first"], *joining["who"], joining["watched"], len(joining["groups"]))
    for group, events in joining["groups"]:
        out.text(group)
        out.numbers(len(events))
        for words in events:
            out.each(words)


class Out:
    """A file that grows: numbers, and texts and bytes with their length before and a NUL behind them."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.content = bytearray()

    def numbers(self, *numbers: int) -> None:
        """Append numbers of eight bytes."""
        for number in numbers:
            self.content += (number & _WORD).to_bytes(8, "little")

    def data(self, data: bytes) -> None:
        """Append bytes."""
        self.numbers(len(data))
        self.content += data + b"\0"

    def text(self, text: str) -> None:
        """Append a text."""
        self.data(_bytes(text))

    def each(self, texts: "Iterable[str]") -> None:
        """Append texts."""
        for text in texts:
            self.text(text)

    def texts(self, texts: "Iterable[str]") -> None:
        """Append a number of texts, and these."""
        told = list(texts)
        self.numbers(len(told))
        self.each(told)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _texts(*values: object) -> "list[bytes]":
    return [_bytes(str(value)) for value in values]


def _variable(environ: "Mapping[bytes, bytes]", name: bytes) -> "list[bytes]":
    value = environ.get(name)
    return [b"0"] if value is None else [b"1", value]


def _hash(fields: "Iterable[bytes]") -> bytes:
    return sha256(b"".join(len(field).to_bytes(8, "little") + field for field in fields)).digest()


def _microseconds(seconds: float) -> int:
    """Give a bound, which may not become none."""
    return max(1, round(seconds * 1_000_000)) if seconds else 0
