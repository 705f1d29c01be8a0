"""Write the tables of controls from what the bubblewrap driver reports; `--check` only compares.

README.md has the report on an ordinary user's default sandbox, on a machine that has what the driver needs but no
cgroups for that user; docs/limits.md has the limits without and with them.
"""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace

from aisbx.doctor import SAMPLE
from aisbx.types import CONTROLS, ControlState, Workspace
from aisbx_driver_bwrap.enforce import Facts, enforcement
from aisbx_linux.cgroup.find import CONTROLLERS, Place, Places

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_TABLE = re.compile(r"(<!-- table: enforcement -->\n).*?(<!-- end -->)", re.DOTALL)
SPEC = replace(SAMPLE, workspace=Workspace("/home/sandbox/project"))
CGROUPS = Places(
    by_limit={limit: Place(f"/sys/fs/cgroup/{name}", 2, frozenset()) for limit, name in CONTROLLERS.items()}
)


def controls() -> Iterator[str]:
    report = enforcement(SPEC, Facts())
    yield "| Control | What it promises | Level | By what; what is missing |"
    yield "|---|---|---|---|"
    for name, control in CONTROLS.items():
        yield f"| `{name}` | {control.promise} | {report[name].level} | {_how(report[name])} |"


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
    """Give a document with its table made anew; SystemExit where it has no place for one."""
    rows = "".join(f"{row}\n" for row in DOCUMENTS[name]())
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
            sys.exit(f"{name} is not what the driver reports: run python tools/document_enforcement.py")
        if new != old:
            with open(path, "w", encoding="utf-8") as file:
                file.write(new)


if __name__ == "__main__":
    main()
