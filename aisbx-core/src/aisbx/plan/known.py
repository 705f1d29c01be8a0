"""What was worked out before by the same code from the same text, so that a run without a plan need not do it again.

Unlike an entry it is data, never code: it is read before anything says that its directory may be trusted with more.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aisbx.inputs import Inputs, Noted

DIRECTORY = "known"
"""In the directory of the cache."""
_KEPT = 100
"""How many results are kept, the newest."""
_ELSEWHERE = ("aisbx.cli", "aisbx.testing")
"""Whoever asks is no part of what is worked out."""


def known(directory: str, what: str, make: Callable[[Inputs], object], inputs: Inputs | None = None) -> object:
    """Give what `make` gives (as JSON has it), or gave before for `what`; an error of its is not kept.

    Each installation has its own. It holds as long as the code and what `make` notes are as they were, all of which
    becomes a part of `inputs`, as if it had been made now. `directory` is not made.
    """
    try:
        from aisbx.audit.write import prune
        from aisbx.plan.keep import store
        from aisbx.plan.recall import load, unchanged
    except ImportError:  # no posix here, and no plans
        return make(Inputs({}))
    name = hashlib.sha256(
        repr((sys.version, sys.executable, __file__, what)).encode(errors="surrogateescape")
    ).hexdigest()
    with suppress(ValueError, TypeError, KeyError):
        kept: dict[str, Any] = json.loads(load(directory, name) or b"{}")
        paths: list[Noted] = [(path, found and tuple(found), nofollow) for path, found, nofollow in kept["paths"]]
        if unchanged(paths):
            if inputs:
                inputs.adopt(paths)
            return kept["result"]
    looked = Inputs({})
    result = make(looked)
    for path in code(but=_ELSEWHERE):
        looked.note(path)
    if inputs:
        inputs.adopt(looked.paths)
    with suppress(OSError):
        store(directory, name, json.dumps({"paths": looked.paths, "result": result}).encode())
        prune(directory, _KEPT)
    return result


def code(*, but: tuple[str, ...] = ()) -> list[str]:
    """Give what shows that other code is installed: the directories of packages, and each file of a checkout."""
    found = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.startswith("aisbx") and file and not installed(file) and not name.startswith(but or "/"):
            found.append(file)
    return found


def installed(file: str) -> bool:
    """Tell whether a file was put in place by an installer, which changes the directory that `code` names."""
    return "site-packages" in file or "dist-packages" in file
