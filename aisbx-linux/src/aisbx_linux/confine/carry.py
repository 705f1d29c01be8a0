"""Hand the tool's code over as one file in memory, to an interpreter that may not be able to read where it is kept.

Run by root, the tool is already somebody who can read nothing of root's; and no module is searched for.
"""

import importlib.util
import marshal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType

MODULES = (
    "aisbx_linux",
    *(f"aisbx_linux.{name}" for name in ("syscalls", "processes", "sources", "compose", "confine")),
    *(f"aisbx_linux.confine.{name}" for name in ("options", "root", "plain", "main")),
)
"""What the tool imports, each after what it needs."""
_START = """import sys, marshal
for name, code in marshal.load(open(int(sys.argv[1]), "rb")):
    module = type(sys)(name)
    module.__path__ = []
    sys.modules[name] = module
    exec(code, module.__dict__)
    above, _, own = name.rpartition(".")
    if above:
        setattr(sys.modules[above], own, module)
module.main(sys.argv[2:])
"""
WORDS = ("-I", "-S", "-c", _START, "{file:1}")
"""What an interpreter is told to run what `code` gives, which is open for it."""


def files() -> Iterator[tuple[str, str]]:
    """Give (module, file) of each."""
    for name in MODULES:
        module = sys.modules.get(name)
        if module is not None and module.__spec__ is None and module.__file__:
            yield name, module.__file__  # made from a kept plan, without a search
            continue
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            yield name, spec.origin


COMPILE = """import sys, marshal
words = sys.argv[1:]
found = []
for name, file in zip(words[::2], words[1::2]):
    with open(file, "rb") as source:
        found.append((name, compile(source.read(), file, "exec", dont_inherit=True)))
sys.stdout.buffer.write(marshal.dumps(found))
"""
"""What another interpreter, given the words of `files`, is told to give the same as `code` for itself."""


def code() -> bytes:
    """Give the modules compiled: for this very version of Python."""
    found: list[tuple[str, CodeType]] = []
    for name, file in files():
        with open(file, "rb") as source:
            found.append((name, compile(source.read(), file, "exec", dont_inherit=True)))
    return marshal.dumps(found)
