"""Keep the code of the modules that every launch needs in the entry: one read, not twenty. Builtin modules only."""

import sys
from _frozen_importlib import ModuleSpec  # importlib.machinery's own, without importing that

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, ModuleType

    Kept = tuple[str, str, bool, CodeType]

OWN = ("aisbx.audit", "aisbx.audit.jsontext", "aisbx.audit.write", "aisbx.plan.run")
"""Our own modules that come after the entry is read."""


def locate(names: "Iterable[str]") -> "list[tuple[str, str, bool]]":
    """Give (name, file, is a package) for each module; ImportError if one has no code of its own."""
    import importlib.util

    found: list[tuple[str, str, bool]] = []
    for name in names:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            msg = f"{name} has no source"
            raise ImportError(msg)
        found.append((name, spec.origin, spec.submodule_search_locations is not None))
    return found


def collect(located: "Iterable[tuple[str, str, bool]]") -> "list[Kept]":
    """Give each of these modules with its code."""
    kept: list[Kept] = []
    for name, origin, is_package in located:
        with open(origin, encoding="utf-8") as stream:
            source = stream.read()
        # Without docstrings and line tables it loads twice as fast; a traceback names the function all the same.
        code = compile(source, origin, "exec", dont_inherit=True, optimize=2)
        kept.append((name, origin, is_package, _bare(code)))
    return kept


def _bare(code: "CodeType") -> "CodeType":
    """Give code without its line table, also that of the functions in it."""
    constants = tuple(_bare(constant) if isinstance(constant, type(code)) else constant for constant in code.co_consts)
    return code.replace(co_linetable=b"", co_consts=constants)


class _Importer:
    """Finds and makes the modules whose code is at hand; the rest is for the finders behind it."""

    def __init__(self, kept: "Iterable[Kept]") -> None:
        self._kept = {row[0]: row for row in kept}

    def find_spec(self, name: str, *_ignored: object) -> "ModuleSpec | None":
        row = self._kept.get(name)
        if row is None:
            return None
        file, package = row[1], row[2]
        spec = ModuleSpec(name, self, origin=file, is_package=package)  # pyright: ignore[reportArgumentType]
        spec.has_location = True
        if package:
            spec.submodule_search_locations = [file.rpartition("/")[0]]
        return spec

    def create_module(self, spec: "ModuleSpec") -> None:
        """Leave it to the interpreter."""

    def exec_module(self, module: "ModuleType") -> None:
        exec(self._kept[module.__name__][3], module.__dict__)  # noqa: S102 - only its user can have written it


def install(kept: "Iterable[Kept]") -> None:
    """From now on import these modules from the code at hand."""
    sys.meta_path.insert(0, _Importer(kept))  # pyright: ignore[reportArgumentType]
