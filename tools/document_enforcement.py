"""Write the tables of controls; `--check` only compares.

README.md says what the contract kit saw of the bubblewrap driver (docs/kit-results.json), and in the driver's own words
by what it holds each control for an ordinary user. docs/limits.md has its words on limits, without and with cgroups.
"""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from aisbx.doctor import SAMPLE
from aisbx.errors import StateError
from aisbx.testing.results import load
from aisbx.types import CONTROLS, ControlState, Workspace
from aisbx_linux.cgroup.find import CONTROLLERS, Place, Places
from aisbx_linux.local.enforce import Facts, enforcement

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RESULTS = Path(ROOT, "docs/kit-results.json")
_TABLE = re.compile(r"(<!-- table: enforcement -->\n).*?(<!-- end -->)", re.DOTALL)
SPEC = replace(SAMPLE, workspace=Workspace("/home/sandbox/project"))
CGROUPS = Places(
    by_limit={limit: Place(f"/sys/fs/cgroup/{name}", 2, frozenset()) for limit, name in CONTROLLERS.items()}
)


def controls() -> Iterator[str]:
    report, results = enforcement(SPEC, Facts()), load(RESULTS)
    user, root = results["user"], results["root"]
    yield "| Control | What it promises | Level | By what; what is missing | Attacks held | As root |"
    yield "|---|---|---|---|---|---|"
    for name, control in CONTROLS.items():
        as_root = ("" if root[name].level == user[name].level else f"{root[name].level}: ") + root[name].counts()
        yield (
            f"| `{name}` | {control.promise} | {user[name].level} | {_how(report[name])} "
            f"| {user[name].counts()} | {as_root} |"
        )


def limits() -> Iterator[str]:
    without, held = enforcement(SPEC, Facts()), enforcement(SPEC, Facts(cgroups=CGROUPS))
    yield "| Control | Without a cgroup | With one |"
    yield "|---|---|---|"
    for name in CONTROLS:
        if name.startswith("limit:"):
            same = without[name] == held[name]
            yield f"| `{name}` | {_state(without[name])} | {'the same' if same else _state(held[name])} |"


def _how(state: ControlState) -> str:
    return "; ".join(filter(None, (state.mechanism, state.reason)))


def _state(state: ControlState) -> str:
    return f"{state.level}: {_how(state)}"


DOCUMENTS = {"README.md": controls, "docs/limits.md": limits}


def render(name: str, text: str) -> str:
    """Give a document with its table made anew; SystemExit where it has no place for one, or results are old."""
    try:
        rows = "".join(f"{row}\n" for row in DOCUMENTS[name]())
    except StateError as error:
        sys.exit(f"{error.message}: {error.hint}")
    new, found = _TABLE.subn(lambda match: match[1] + rows + match[2], text)
    if found != 1:
        sys.exit(f"{name}: there is no <!-- table: enforcement --> … <!-- end -->")
    return new


def main() -> None:
    for name in DOCUMENTS:
        path = os.path.join(ROOT, name)
        with open(path, encoding="utf-8") as file:
            old = file.read()
        new = render(name, old)
        if "--check" in sys.argv[1:] and new != old:
            sys.exit(f"{name} is not what kit and driver say: run python tools/document_enforcement.py")
        if new != old:
            with open(path, "w", encoding="utf-8") as file:
                file.write(new)


if __name__ == "__main__":
    main()
