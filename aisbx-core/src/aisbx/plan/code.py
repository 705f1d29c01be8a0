"""Keep the code of the modules that every launch needs in the entry itself: one read in place of twenty. Builtin modules only."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType

    Kept = tuple[str, str, bool, CodeType]

OWN = ("aisbx.audit", "aisbx.audit.jsontext", "aisbx.audit.write", "aisbx.plan.run")
"""Our own modules that come after the entry is read, each after what it needs."""


def collect(names: "Iterable[str]") -> "list[Kept]":
    """Give (name, file, is a package, code) for each module; ImportError if one has no code of its own."""
    import importlib.util

    kept: list[Kept] = []
    for name in names:
        spec = importlib.util.find_spec(name)
        code = spec.loader.get_code(name) if spec and spec.loader else None  # pyright: ignore[reportAttributeAccessIssue]
        if spec is None or code is None or spec.origin is None:
            msg = f"{name} has no code"
            raise ImportError(msg)
        kept.append((name, spec.origin, spec.submodule_search_locations is not None, code))
    return kept


def install(kept: "Iterable[Kept]") -> None:
    """Make these modules, in this order, as if they had been imported from their files."""
    modules = sys.modules
    for name, file, package, code in kept:
        if name in modules:
            continue
        parent, _, child = name.rpartition(".")
        module = type(sys)(name)
        module.__file__ = file
        module.__package__ = name if package else parent
        if package:
            module.__path__ = [file.rpartition("/")[0]]
        modules[name] = module
        exec(code, module.__dict__)  # noqa: S102  (from an entry that nobody else can have written)
        if parent:
            setattr(modules[parent], child, module)
