"""What aisbx imports from, once Python's `site` has had its say.

An environment may hold more than aisbx: a project that is installed in it as a link puts its own source folder on
`sys.path`, for every program of that environment. There a sandbox may write, and aisbx would import it on the host:
a sitecustomize.py, the entry points of a made-up distribution, a module that some library tries to import.
"""

import os
import sys
from collections.abc import Iterable

from aisbx.installation.editable import folders


def enter_site() -> None:
    """Do what Python does without -S, but import from the installation only, sitecustomize included."""
    import site

    customise = site.execsitecustomize

    def narrowed() -> None:
        narrow()
        customise()

    site.execsitecustomize = narrowed
    site.main()


def narrow() -> None:
    """Leave on `sys.path` what belongs to the environment, to Python, or to a distribution of aisbx."""
    sys.path[:] = kept(sys.path)


def kept(path: Iterable[str]) -> list[str]:
    """Give those of these directories that `narrow` leaves, in their order."""
    import site

    entries = list(path)
    prefixes = (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, *site.getsitepackages())
    own = _within(entries, prefixes)
    if len(own) == len(entries):
        return entries
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    roots = (*prefixes, package, *folders(own))
    return _within(entries, roots)


def _within(entries: Iterable[str], roots: Iterable[str]) -> list[str]:
    around = tuple({f"{os.path.realpath(root).rstrip('/')}/" for root in roots})
    return [entry for entry in entries if f"{os.path.realpath(entry)}/".startswith(around)]
